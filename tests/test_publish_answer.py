"""The answer in the README and in docs/ is what a run made, word by word."""

import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml

from tests.commands import ROOT, load_script
from tests.compared_rows import NAMES, Worth, rows_of


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("publish_answer")


def small_run(folder: Path, worth: Worth, domain: str, seconds: float = 0.1) -> Path:
    """A run's folder with as much as is published of it."""
    folder.mkdir()
    rows = rows_of(worth, domain=domain, inputs=5).assign(seed=0)
    rows.loc[rows["metric"] == "seconds", "value"] = seconds
    rows.to_parquet(folder / "rows.parquet")
    NAMES.write(folder)
    config = {"experiment": "comparison", "methods": {}, "metrics": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    words = "python run.py experiment=comparison 'tasks=[tables]' output_root=/a/b shard.index=0 hydra.mode=RUN seed=1"
    (folder / "provenance.json").write_text(json.dumps({"command": words, "code": "0123456789abcdef0"}))
    return folder


GOOD = {"good": {"deletion": 0.0, "cosine": 2.0}, "bad": {"deletion": 1.0, "cosine": 0.0}}


def test_what_runs_made_is_put_in_its_places(tmp_path: Path, script: ModuleType) -> None:
    (tmp_path / "README.md").write_text("before\n<!-- answer -->\nold \\1\n<!-- /answer -->\nafter\n")
    (tmp_path / "docs" / "results" / "comparison").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "comparison" / "stale.png").touch()
    runs = [small_run(tmp_path / "run", GOOD, "tables"), small_run(tmp_path / "other", GOOD, "hep")]
    folder = script.publish(runs, root=tmp_path)
    found = {path.name for path in folder.iterdir()}
    assert {"README.md", "figure_answer.png", "answer.csv", "answer_by_question.csv"} <= found
    assert "stale.png" not in found
    page, readme = (folder / "README.md").read_text(), (tmp_path / "README.md").read_text()
    for text in (page, readme):
        assert (
            "| **tables** | G_best | 64 of 64 evaluations, 0.1 s an input | none | 5 inputs of 1 network, for this"
            in text
        )
        assert "| **hep** | G_best | " in text
    assert "| hep | G_best (64 evaluations, 5 inputs) |" in page
    assert "| **planted** | not run at this scale |" in readme
    assert "- **tables**: G_best has the best mean rank over all questions at a budget of 64" in page
    assert page.count("    python run.py experiment=comparison tasks=[tables] seed=1\n") == 2
    assert readme.startswith("before\n<!-- answer -->\n| data | take |")
    assert readme.endswith("<!-- /answer -->\nafter\n")
    assert "old \\1" not in readme
    again = "".join(script._head(small_run(tmp_path / "again", GOOD, "tables", 99.0)))
    of_rows = [text.split("rounded to six digits, ")[1][:64] for text in (page, again)]
    assert of_rows[0] == of_rows[1]  # seconds do not count


def test_answers_of_part_of_the_methods_leave_the_readme_alone(tmp_path: Path, script: ModuleType) -> None:
    folder = script.publish([small_run(tmp_path / "run", GOOD, "tables")], "comparison_weights", tmp_path)
    assert folder == tmp_path / "docs" / "results" / "comparison_weights"
    assert "not run" not in (folder / "README.md").read_text()
    assert not (tmp_path / "README.md").exists()


def test_runs_that_cannot_be_one_answer_are_refused(tmp_path: Path, script: ModuleType) -> None:
    one, same = small_run(tmp_path / "one", GOOD, "tables"), small_run(tmp_path / "same", GOOD, "tables")
    with pytest.raises(ValueError, match="a kind of data in common"):
        script.publish([one, same], root=tmp_path)
    (one / "config.yaml").write_text("experiment: hep_baselines\n")
    with pytest.raises(ValueError, match="give runs of comparison"):
        script.publish([one], root=tmp_path)
    assert not (tmp_path / "docs").exists()


def test_the_readme_says_what_the_runs_say(script: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = script.PLACE.findall(readme)
    words = pd.read_csv(ROOT / "docs" / "results" / "comparison" / "answer.csv", dtype=str, keep_default_na=False)
    assert {"hep", "gridworld", "photographs", "tables", "planted"} == set(words["domain"])
    for line in words.to_dict("records"):
        cells = " | ".join(str(line[name]) for name in script.SHORT)
        assert f"| **{line['domain']}** | {cells} |\n" in block
