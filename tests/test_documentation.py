"""The documentation is built as `make docs` does: every page in its place, no link that leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT

EXTERNAL = re.compile(r"<(?:script|img|link)[^>]*(?:src|href)=\"?https?://(?!arxiv)[^>]*>")


def pages(nav: object) -> set[str]:
    """The files that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    return {name for one in (nav.values() if isinstance(nav, dict) else nav) for name in pages(one)}  # type: ignore[attr-defined]


def test_every_page_has_its_place() -> None:
    nav = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    notebooks = {f"notebooks/{path.stem}.md" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    cards = {f"cards/{name}" for name in re.findall(r"\]\((\w+\.md)\)", (ROOT / "docs/cards/README.md").read_text())}
    assert cards
    assert nav | cards == there | notebooks | {"index.md", "changelog.md", "contributing.md", "your_report.md"}


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "-d", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    built = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert "path_attribution" in built[tmp_path / "api" / "engine.html"]
    assert "Explanation" in built[tmp_path / "api" / "library.html"]
    notebook = built[tmp_path / "notebooks" / "explain_your_network.html"]
    assert "evaluations an input" in notebook  # what its cells printed
    (picture, *_) = re.findall(r'src="(explain_your_network_files/[^"]+\.png)"', notebook)
    assert (tmp_path / "notebooks" / picture).stat().st_size > 5000
    assert [found[0] for page in built.values() if (found := EXTERNAL.search(page))] == []  # it works without a network
