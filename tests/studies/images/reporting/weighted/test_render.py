"""A run of weighted_gradients, and one of explain, rendered as a whole; and runs that lack something."""

import json
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.reporting.render import render_run
from tests.hep_rows import CLAIMS_ROOT
from tests.studies.images.reporting.weighted_rows import WG, complete_run, make_config, make_rows, write_explanation


def names(folder: Path, suffix: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*.{suffix}")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("outputs")
    for name in ("a", "b"):
        write_explanation(root / "weighted_gradients" / "run" / "examples" / f"{name}.npz")
    rows = make_rows(beside=True)
    return complete_run(root, "run", rows, make_config(rows))


def test_every_table_and_figure_is_written(folder: Path) -> None:
    assert names(folder / "figures", "png") == names(folder / "figures", "pdf")
    figures = {"figure_1_1", "figure_1_2", "figure_2", "deletion_curves", "weights", "masks"}
    assert names(folder / "figures", "png") == figures
    tables = {"table_1", "table_2", "methods", "baselines", "completeness", "selection", "masks", "claims"}
    assert (
        names(folder / "tables", "csv") == names(folder / "tables", "md") == names(folder / "tables", "tex") == tables
    )


def test_every_claim_is_judged_beside_the_networks_value(folder: Path) -> None:
    records = {record["id"].partition("/")[2]: record for record in json.loads((folder / "claims.json").read_text())}
    assert {record["verdict"] for record in records.values()} <= {"reproduced", "not reproduced", "inconclusive"}
    assert records["better/deletion_auc"]["paper_value"] == "0.021 to 0.015 (p = 0.007)"  # of MobileNetV2
    assert records["removal/minimum"]["paper_value"] == "3 removed"
    for claim in (
        "better/deletion_auc",
        "better/overlap_auc",
        "removal/minimum",
        "variance/map",
        "completeness",
        "masks/overlap_auc",
        "masks/circle/deletion_auc",
    ):
        assert records[claim]["verdict"] == "reproduced", claim  # that is how the rows were made


@pytest.mark.slow
@pytest.mark.parametrize(("images", "masks", "baselines"), [(1, True, 6), (2, False, 2), (5, True, 1), (3, False, 6)])
def test_a_run_that_lacks_something_is_rendered(tmp_path: Path, images: int, masks: bool, baselines: int) -> None:
    rows = make_rows(images=images, masks=masks, baselines=baselines)
    render_run(tmp_path, rows, make_config(rows), CLAIMS_ROOT)
    records = json.loads((tmp_path / "claims.json").read_text())
    overlap = [record for record in records if "overlap" in record["id"]]
    if not masks:
        assert {record["verdict"] for record in overlap} == {"not tested"}
        assert {record["note"] for record in overlap if "spread" not in record["id"]} <= {
            "the run has no 'overlap_auc' of method 'weighted_gradients'",
            "the run has no 'overlap_auc' of method 'expected_gradients'",
            "the run has no 'overlap_auc' of method 'ig'",
            "the run has no 'overlap_auc' of method 'first_crossing'",
            "nothing was measured by masks: evaluation/masks=three names some",
        }
    if images == 1:
        assert {record["verdict"] for record in records} == {"not tested"}
    assert (baselines > 1) == (tmp_path / "figures" / "figure_2.png").exists()


def test_rows_of_nothing_are_rendered(tmp_path: Path) -> None:
    rows = make_rows(images=2)
    render_run(tmp_path, rows.iloc[:0], make_config(rows), CLAIMS_ROOT)
    records = json.loads((tmp_path / "claims.json").read_text())
    assert {record["verdict"] for record in records} == {"not tested"}
    assert records[0]["paper_value"] == "lower for all six networks"


def test_explanations_become_figures_of_the_same_name(tmp_path: Path) -> None:
    for name in ("my dog", "IMG.1"):
        write_explanation(tmp_path / "explanations" / f"{name}.npz", mask=False, methods=(WG,), baselines=1)
    render_run(tmp_path, pd.DataFrame(), {"experiment": "explain"}, CLAIMS_ROOT)
    assert names(tmp_path / "figures", "png") == {"my dog", "IMG.1"}
    assert json.loads((tmp_path / "claims.json").read_text()) == []
    assert not (tmp_path / "tables").exists()


def test_an_explain_run_without_explanations_is_rendered(tmp_path: Path) -> None:
    render_run(tmp_path, pd.DataFrame(), {"experiment": "explain"}, CLAIMS_ROOT)
    assert not (tmp_path / "figures").exists()
