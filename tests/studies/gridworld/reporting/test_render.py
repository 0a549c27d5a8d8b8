"""A run of shapley_gridworld rendered as a whole; and runs that lack studies."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from igbaselines.reporting.claims import Printed, judge
from igbaselines.reporting.papers import load_papers
from igbaselines.studies.gridworld.reporting.render import render
from tests.hep_rows import CLAIMS_ROOT
from tests.studies.gridworld.reporting.shapley_rows import make_rows, small_run, write_example

FIGURES = {"figure_states", "figure_agreement", "figure_cost", "figure_q", "figure_studies"}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return small_run()


def names(folder: Path, suffix: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*.{suffix}")}


def test_every_table_and_figure_is_written(tmp_path: Path, rows: pd.DataFrame) -> None:
    for name in ("00-world_1", "01-world_2"):
        write_example(tmp_path / "examples" / f"{name}.npz")
    printed = Printed({"figure_q": {"statement": "SIG is robust to $Q$."}})
    render(tmp_path, rows, printed)
    assert names(tmp_path / "figures", "png") == names(tmp_path / "figures", "pdf") == FIGURES
    written = names(tmp_path / "tables", "csv")
    assert written == names(tmp_path / "tables", "md") == names(tmp_path / "tables", "tex")
    assert {"agreement", "agreement_summary", "against_plain_ig", "time"} <= written
    assert r"IG, mean" in (tmp_path / "tables" / "agreement_summary.tex").read_text()
    for name in FIGURES:
        with Image.open(tmp_path / "figures" / f"{name}.png") as image:
            caption = image.info["Description"]
        assert len(caption) > 100
        assert ("10 states" in caption) == (name != "figure_states"), name


@pytest.mark.parametrize(
    ("studies", "figures"),
    [
        (["agreement", "players"], {"figure_agreement", "figure_studies"}),
        (["q", "time"], {"figure_q"}),
        (["stability"], {"figure_studies"}),
        (["network"], set()),
        ([], set()),
    ],
)
def test_a_run_that_lacks_studies_is_rendered(
    tmp_path: Path, rows: pd.DataFrame, studies: list[str], figures: set[str]
) -> None:
    render(tmp_path, rows[rows["study"].isin(studies)].dropna(axis=1, how="all"), Printed())
    assert names(tmp_path / "figures", "png") == figures
    assert bool(names(tmp_path / "tables", "csv")) == bool(studies)


def test_one_state_and_one_network_are_rendered(tmp_path: Path) -> None:
    rows = make_rows(states=1, networks=1)
    render(tmp_path, rows[rows["study"].isin(["agreement", "q"])], Printed())
    assert names(tmp_path / "figures", "png") == {"figure_agreement", "figure_q"}


def test_every_claim_of_the_paper_is_judged_on_its_part_of_the_rows(rows: pd.DataFrame) -> None:
    papers = [paper for paper in load_papers(CLAIMS_ROOT) if paper.claims.get("shapley_gridworld")]
    if not papers:
        pytest.skip("conf/claims has no claims on shapley_gridworld")
    claims = papers[0].claims["shapley_gridworld"]
    records = {claim.id.partition("/")[2]: judge(claim, rows) for claim in claims}
    assert all(record["verdict"] != "not tested" for record in records.values())
    json.dumps(records, allow_nan=False)
    lacking = {claim.id: judge(claim, rows[rows["study"] == "network"]) for claim in claims}
    assert {record["verdict"] for record in lacking.values()} == {"not tested"}
    assert all(record["note"].startswith("the run has no rows with study=") for record in lacking.values())
