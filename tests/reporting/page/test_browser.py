"""The report in headless Chromium: axe has nothing serious against it, nothing is off screen, tables sort and copy.

What it needs comes by `scripts/browser/up.sh`; where that has not been run the test is skipped, and on CI it fails.
"""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from igbaselines.reporting.page.html import write_report
from tests.hep_rows import PROJECT_ROOT

BROWSER = PROJECT_ROOT / "scripts" / "browser"
MISSING = [name for name in ("chromium", "node") if shutil.which(name) is None]
MISSING += [name for name in ("axe-core", "puppeteer-core") if not (BROWSER / "node_modules" / name).is_dir()]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the browser says of the page and of a run's page, at two widths, light and dark."""
    if MISSING:
        words = f"no {', '.join(MISSING)}: scripts/browser/up.sh brings them"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    root = tmp_path_factory.mktemp("browser")
    shutil.copytree(run_folder, root / "hep_baselines" / "demo-1")
    index = write_report(root)
    pages = [index, *index.parent.glob("runs/*/*/index.html")]
    command = ["node", str(BROWSER / "look.mjs"), *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == 8
    return found


def test_axe_finds_nothing_serious(seen: list[dict[str, Any]]) -> None:
    serious = [
        (page["file"], page["width"], page["scheme"], one)
        for page in seen
        for one in page["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious, json.dumps(serious, indent=1)


def test_nothing_is_off_screen_and_nothing_is_refused(seen: list[dict[str, Any]]) -> None:
    for page in seen:
        assert not page["offScreen"], page
        assert not page["refused"], page


def test_tables_sort_and_copy(seen: list[dict[str, Any]]) -> None:
    tables = [page["tables"] for page in seen if page["tables"]]
    assert tables
    for table in tables:
        assert sorted(table["up"]) == sorted(table["before"])
        assert table["up"] == sorted(table["before"], key=str.casefold) or table["up"] != table["down"]
        assert len(pd.read_csv(io.StringIO(table["csv"]))) == len(table["before"])
        assert table["latex"].count(r"\\") == len(table["before"]) + 1
