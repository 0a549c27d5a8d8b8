"""A run's folder, rendered as a whole; and runs that lack something."""

import json
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.common.errors import UserError
from igbaselines.reporting.render import render_run
from tests.hep_rows import CLAIMS_ROOT, make_rows


def test_claims_are_written_as_the_contract_says(run_folder: Path) -> None:
    records = json.loads((run_folder / "claims.json").read_text())
    assert {record["paper"] for record in records} == {"2412.13864"}
    assert len(pd.read_csv(run_folder / "tables" / "claims.csv")) == len(records)


@pytest.mark.slow
def test_a_run_of_one_network_without_cross_sections_is_rendered(tmp_path: Path) -> None:
    rows = make_rows(networks=1)
    rows = rows[~rows["metric"].isin(["significance", "background_n_eff", "cross_section"])]
    rows = rows[rows["method"] != "zero_standardised"]
    render_run(tmp_path, rows, {"experiment": "hep_baselines"}, CLAIMS_ROOT)
    assert (tmp_path / "figures" / "figure_2a.png").exists()
    assert not (tmp_path / "figures" / "figure_2b.png").exists()
    assert {record["verdict"] for record in json.loads((tmp_path / "claims.json").read_text())} == {"not tested"}


def test_an_unknown_experiment_is_refused(tmp_path: Path, rows: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=r"'guess' is unknown: .*hep_baselines"):
        render_run(tmp_path, rows, {"experiment": "guess"}, CLAIMS_ROOT)
