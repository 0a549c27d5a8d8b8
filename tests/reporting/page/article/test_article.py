"""Articles: numbers are the rows', words stay words in Markdown and LaTeX, and LaTeX compiles where there is one."""

import json
import logging
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from igbaselines.common.errors import UserError
from igbaselines.reporting.page.article.blocks import Grid, Heading, Items, Lines, Words, latex, markdown, plain, tex
from igbaselines.reporting.page.article.paper import write_articles
from igbaselines.reporting.page.html import write_papers, write_report
from igbaselines.reporting.page.runs import find_runs
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.tables import readable
from tests.hep_rows import CLAIMS_ROOT

HOSTILE = r"100% \input{/etc/passwd} $x_{1$ {}}_^~#& | <b> `*` [a](b) naïve \N" + " \N{GREEK SMALL LETTER ALPHA}"


@pytest.fixture(scope="module")
def report(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("articles")
    shutil.copytree(run_folder, root / "hep_baselines" / "demo-1")
    return write_report(root).parent


def test_every_claim_of_the_run_is_a_line_with_its_numbers(report: Path, run_folder: Path) -> None:
    text = (report / "articles" / "2412.13864.md").read_text(encoding="utf-8")
    results = text.partition("## Results")[2].partition("\n## ")[0]
    lines = Counter(line for line in results.splitlines() if line.startswith("| ") and "| verdict |" not in line)
    lines = Counter({line: count for line, count in lines.items() if not set(line) <= set("|- ")})
    records = json.loads((run_folder / "claims.json").read_text())
    assert sum(lines.values()) == len(records)
    for record in records:
        (line,) = (line for line in lines if line.startswith(f"| {plain(record['statement'])} |"))
        assert f"| {record['verdict']} |" in line
        if record["value"] is not None:
            numbers = [readable(float(record[key])) for key in ("value", "ci_low", "ci_high")]
            assert plain("{} [{}, {}]".format(*numbers)) in line


def test_an_article_has_the_parts_that_are_asked_for(report: Path) -> None:
    for suffix, start in ((".md", "## "), (".tex", r"\section*{")):
        text = (report / "articles" / f"2412.13864{suffix}").read_text(encoding="utf-8")
        for part in ("Scope", "Data", "Methods", "Results", "Deviations", "Cost"):
            assert f"{start}{part}" in text
    assert 'href="articles/2412.13864.md"' in (report / "index.html").read_text(encoding="utf-8")


def test_a_paper_without_a_run_has_no_article(report: Path) -> None:
    folder = report / "articles"
    assert {path.name for path in folder.iterdir()} == {"2412.13864.md", "2412.13864.tex"}
    write_articles(report, load_papers(CLAIMS_ROOT), [])
    assert not list(folder.iterdir())
    write_articles(report, load_papers(CLAIMS_ROOT), find_runs(report.parent))


def test_articles_alone(run_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write_papers(tmp_path)
    assert "no complete run" in caplog.text
    shutil.copytree(run_folder, tmp_path / "hep_baselines" / "demo-1")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "articles").write_text("mine")
    with pytest.raises(UserError, match="is in the way of the report"):
        write_papers(tmp_path)
    (tmp_path / "report" / "articles").unlink()
    write_papers(tmp_path)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["articles"]
    assert "2412.13864.md, and 2412.13864.tex" in caplog.text


def blocks_of(words: str) -> list[Heading | Words | Items | Lines | Grid]:
    return [
        *(Heading(words), Words(words), Words(words, math=True), Items([Words(words)]), Lines([words])),
        Grid(["a", "b"], [[words, words]], (0.5, 0.5)),
    ]


def check_latex(text: str) -> None:
    """Braces are balanced, environments closed, and nothing special stands alone outside of math."""
    body = re.sub(r"\\[\\{}%&$#_]|\\textbackslash", "", text.partition(r"\begin{document}")[2])
    assert body.count("{") == body.count("}")
    assert body.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", body)
    assert not re.search(r"[#%_^~]", outside)
    opened, closed = (Counter(re.findall(rf"\\{word}{{(\w+)}}", text)) for word in ("begin", "end"))
    assert opened == closed


def test_latex_is_balanced_and_escaped(report: Path) -> None:
    check_latex((report / "articles" / "2412.13864.tex").read_text(encoding="utf-8"))
    text = latex(HOSTILE, HOSTILE, blocks_of(HOSTILE))
    check_latex(text)
    assert r"\input" not in text
    assert r"$\alpha$" in text


def test_markdown_keeps_words_as_they_are() -> None:
    text = markdown(HOSTILE, blocks_of(HOSTILE))
    assert "<b>" not in re.sub(r"^    .*$", "", text, flags=re.MULTILINE).replace(r"\<b\>", "")
    assert r"\[a\](b)" in text
    assert text.count("\n# ") == 0


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("$H_T$", True),
        (r"$\cancel{E}_T$", True),
        (r"$p_{T_\ell}$", True),
        (r"$\input{x}$", False),
        ("$a}$", False),
        ("$%$", False),
    ],
)
def test_only_harmless_math_is_math(words: str, kept: bool) -> None:
    assert (tex(words, math=True) == words) == kept
    assert tex(words) != words


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-recommended")
def test_latex_compiles(report: Path, tmp_path: Path) -> None:
    (tmp_path / "hostile.tex").write_text(latex(HOSTILE, HOSTILE, blocks_of(HOSTILE)), encoding="utf-8")
    shutil.copy(report / "articles" / "2412.13864.tex", tmp_path / "paper.tex")
    for name in ("hostile", "paper"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
        assert (tmp_path / f"{name}.pdf").stat().st_size > 10_000
