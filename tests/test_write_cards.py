"""A method's card is made of what a comparison and a benchmark found, of its own file and of what it misses."""

import re
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from igbaselines.running.rows import Names
from tests.commands import ROOT, load_script
from tests.compared_rows import NAMES, rows_of

WORTH = {
    "ig_mean": {"cosine": 0.9, "deletion": 0.1},
    "idgi": {"cosine": 0.2, "deletion": 0.5},
    "random_map": {"cosine": 0.5, "deletion": 0.5, "cost": 0.0},
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("write_cards")


@pytest.fixture
def cards(tmp_path: Path, script: ModuleType) -> Path:
    run, bench, page = tmp_path / "run", tmp_path / "bench", tmp_path / "methods.md"
    run.mkdir()
    rows = rows_of(WORTH, domain="planted", data=("additive",), networks=5)
    rows.loc[(rows["metric"] == "seconds") & (rows["method"] == "idgi"), "value"] = 0.006
    rows.to_parquet(run / "rows.parquet")
    Names({"idgi": "IDGI", "ig_mean": "IG, mean"}, NAMES.metrics).write(run)
    (bench / "tables").mkdir(parents=True)
    measured = {"job": "idgi-1", "against": "plain IG", "times as fast": 0.97, "why not": ""}
    pd.DataFrame([measured, measured | {"job": "hep", "against": "captum"}]).to_csv(bench / "tables" / "goals.csv")
    page.write_text("before\n<!-- axioms -->\nold\n<!-- /axioms -->\nafter\n")
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "gone.md").touch()
    script.write([run], bench, tmp_path / "cards", page)
    return tmp_path


def test_a_card_says_what_was_measured(cards: Path) -> None:
    assert {path.name for path in (cards / "cards").iterdir()} == {"README.md", "ig_mean.md", "idgi.md"}  # no control
    card = (cards / "cards" / "idgi.md").read_text()
    for said in (
        "phi_i = sum_s (f_{s+1} - f_s) * g_i(s)^2 / |g(s)|^2",
        "| what is summed | `ImportantDirection`: ",
        "32 gradients and 0 evaluations without one",
        "| planted | 64 of 64 | 3 |",
        "| idgi-1 | plain IG | 0.97 |  |",
        "| nothing moved | a feature whose value is the baseline's gets nothing | no | ",
        "| planted | 2 of 2 | 2 of 2 | 2 of 2 |",
        "| additive | 0.2",
        "0.9",
        "planted: by 1 of 2 metrics a map that never asks the network is better (Cosine).",
        "planted: by 1 of 2 metrics a map that never asks the network cannot be told from it (Deletion).",
    ):
        assert said in card, said
    assert "captum" not in card
    assert "By no metric a map" in (cards / "cards" / "ig_mean.md").read_text()


def test_the_cards_show_the_files_that_there_are() -> None:
    pages = [path for path in (ROOT / "docs" / "cards").glob("*.md") if path.stem != "README"]
    assert len(pages) > 30
    for path in pages:
        (shown,) = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
        assert shown in (ROOT / "conf" / "methods" / f"{path.stem}.yaml").read_text(), f"{path}: scripts/write_cards.py"


def test_the_table_of_axioms_is_put_in_its_place(cards: Path) -> None:
    before, _, rest = (cards / "methods.md").read_text().partition("<!-- axioms -->")
    table, _, after = rest.partition("<!-- /axioms -->")
    assert (before, after) == ("before\n", "\nafter\n")
    assert "| `ig_mean` | yes | yes | yes | yes | yes | yes | yes |" in table
    assert "| `idgi` | yes | yes | yes | no | yes | no | yes |" in table
    assert "old" not in table
