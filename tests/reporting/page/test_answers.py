"""The page opens with what comparisons answer, and whatever stands in their tables it stays a page."""

from pathlib import Path

import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from igbaselines.reporting.page.html import MANY, write_report
from igbaselines.reporting.page.runs import LONGEST_ANSWER, MOST_ANSWERS, find_runs

ANSWER = "B_bg has the best mean rank."


def comparison(root: Path, name: str, answer: str | pd.DataFrame) -> Path:
    """A complete run with a table `answer` and its figure, and no more than it must have."""
    folder = root / "comparison" / name
    for part in ("tables", "figures"):
        (folder / part).mkdir(parents=True)
    for file, content in (("config.yaml", ""), ("provenance.json", "{}"), ("claims.json", "[]")):
        (folder / file).write_text(content)
    (folder / "status.json").write_text('{"state": "complete"}')
    text = answer if isinstance(answer, str) else answer.to_csv(index=False)
    (folder / "tables" / "answer.csv").write_text(text)
    said = PngInfo()
    said.add_text("Description", f"the matrix of {name}")
    Image.new("L", (4, 4)).save(folder / "figures" / "figure_answer.png", pnginfo=said)
    return folder


def answers_of(*lines: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["domain", "answer"])


def opening(root: Path) -> str:
    """What stands above the claims."""
    return write_report(root).read_text(encoding="utf-8").split('<h2 id="claims">')[0].split("<body>")[1]


def test_a_run_with_an_answer_opens_the_page(tmp_path: Path) -> None:
    comparison(tmp_path, "demo-1", answers_of(("tables", ANSWER), ("hep", "Zero has.")))
    found = opening(tmp_path)
    assert "<h2>Which baseline, then?</h2>" in found
    assert "<strong>tables.</strong> B<sub>bg</sub> has the best mean rank." in found
    assert found.index("tables.") < found.index("hep.")
    assert "<details>" not in found


def test_what_to_take_stands_in_a_table_before_the_words(tmp_path: Path) -> None:
    table = answers_of(("tables", ANSWER), ("hep", "Zero has."))
    table.insert(1, "not_told_from_it", ["$B_{bg}$ <b>", "x" * 1000])
    comparison(tmp_path, "demo-1", table)
    found = opening(tmp_path)
    assert '<th scope="col">domain</th><th scope="col">not told from it</th>' in found
    assert "&lt;b&gt;</td>" in found
    assert "x" * 301 not in found
    assert found.index('col">domain') < found.index("<details><summary>In words")
    assert found.count("<details>") == found.count("</details>") == 1


def test_what_cannot_be_told_from_it_stands_beside_what_to_take(tmp_path: Path) -> None:
    table = answers_of(("tables", ANSWER), ("hep", "Zero has."), ("photographs", "Open."))
    table.insert(1, "take", ["A", "B", "open (C first)"])
    table.insert(2, "not_told_from_it", ["none", "D; E", "F"])
    table.insert(3, "spends", ["64 evaluations, 0.1 s an input", "", "5 evaluations"])
    table.insert(4, "how_sure", ["3 networks", "2 networks", ""])
    comparison(tmp_path, "demo-1", table)
    (run,) = find_runs(tmp_path)
    assert run.taken == {
        "tables": ("A", "64 evaluations, 0.1 s an input; 3 networks"),
        "hep": ("B, or D; E", "2 networks"),
        "photographs": ("open (C first)", "5 evaluations"),
    }


def test_a_table_that_is_no_answer_opens_nothing(tmp_path: Path) -> None:
    texts = ["", "\n", "domain\n", "a,b\n1,2\n", "domain,answer\n", "domain,answer\n,\n", "answer\nx\n", "\x00,\x01\n"]
    for at, text in enumerate(texts):
        comparison(tmp_path, f"demo-{at}", text)
    assert not any(run.answers for run in find_runs(tmp_path))
    assert "Which baseline, then?" not in opening(tmp_path)


def test_what_stands_in_an_answer_stays_text(tmp_path: Path) -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}'
    comparison(tmp_path, "demo-1", answers_of((hostile, f"a {hostile}"), ("1", "2"), ("3", "nan")))
    found = opening(tmp_path)
    assert "<script" not in found
    assert "<img src=x" not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert "{{ 7 * 7 }}" in found
    assert "<strong>1.</strong> 2" in found


def test_thousands_of_lines_and_long_ones_do_not_flood_the_page(tmp_path: Path) -> None:
    lines = [(f"kind {at} " + "long " * 1000, "word " * 10_000) for at in range(300)]
    comparison(tmp_path, "demo-1", answers_of(*lines))
    (run,) = find_runs(tmp_path)
    assert len(run.answers) == MOST_ANSWERS
    assert all(len(words) <= LONGEST_ANSWER and words.endswith("[...]") for words in run.answers.values())
    assert len(opening(tmp_path)) < 2 * MOST_ANSWERS * LONGEST_ANSWER


def test_many_comparisons_are_folded_but_for_the_first(tmp_path: Path) -> None:
    for at in range(MANY + 2):
        comparison(tmp_path, f"demo-{at}", answers_of(("tables", f"answer {at}")))
    found = opening(tmp_path)
    assert found.count("<h2>") == 1
    assert found.count("<details>") == found.count("</details>") == 2
    assert found.index(f"answer {MANY - 1}") < found.index("<details>") < found.index(f"answer {MANY}")
