"""Tables of a run of weighted_gradients against sums over its rows, and with pieces missing."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.claims import Printed, printed_for
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.rows import by_method
from igbaselines.studies.images.reporting.weighted.tables import run_tables, table_1_line, table_2_line
from tests.hep_rows import CLAIMS_ROOT
from tests.studies.images.reporting.weighted_rows import BASELINES, EG, FILTERED, WG, make_rows

PAPERS = load_papers(CLAIMS_ROOT)
PRINTED = printed_for(PAPERS, "weighted_gradients")
CLAIM = next(paper for paper in PAPERS if paper.id == "2505.03201").claims["weighted_gradients"][0]


def test_table_1_stands_beside_the_papers(weighted: pd.DataFrame) -> None:
    line = table_1_line(weighted, "deletion_auc", PRINTED, "mobilenet_v2")
    assert line is not None
    table = by_method(weighted, "deletion_auc", (EG, WG))
    assert (line["EG"], line["EG_sd"]) == pytest.approx((table[EG].mean(), table[EG].std()))
    assert line["improvement_%"] == pytest.approx(100 * (1 - table[WG].mean() / table[EG].mean()))
    assert line["improvement_low"] < line["improvement_%"] < line["improvement_high"]
    assert line["p_paired_t"] < line["p_welch"]
    paper = [line[f"paper_{name}"] for name in ("EG", "WG", "improvement_%", "p")]
    assert paper == [0.021, 0.015, 26.21, 0.007]


def test_a_network_that_the_paper_did_not_use_has_no_number_beside(weighted: pd.DataFrame) -> None:
    line = table_1_line(weighted, "overlap_auc", PRINTED, "efficientnet_lite0")
    assert line is not None
    assert np.isnan(line["paper_EG"])
    insertion = table_1_line(weighted, "insertion_auc", PRINTED, "mobilenet_v2")
    assert insertion is not None
    assert not any(key.startswith("paper") for key in insertion)  # the paper argues against it


def test_table_2_is_in_percent(weighted: pd.DataFrame) -> None:
    line = table_2_line(weighted, PRINTED, "mobilenet_v2")
    assert line is not None
    table = by_method(weighted, "deletion_auc", (WG, FILTERED))
    assert line["difference"] == pytest.approx(100 * (table[FILTERED] - table[WG]).mean())
    assert line["low"] < line["difference"] < line["high"]
    assert (line["paper_WG_%"], line["paper_filtered_WG_%"]) == (1.519, 1.497)


def test_every_method_has_its_mean(weighted: pd.DataFrame) -> None:
    table = run_tables(weighted, PRINTED)["methods"].set_index(["metric", "method"])
    own = weighted[(weighted["metric"] == "deletion_auc") & (weighted["method"] == "permuted_weights")]["value"]
    found = {
        column: float(table[column]["AUC of deletion", "permuted_weights"]) for column in table.drop(columns="better")
    }
    assert found["mean"] == pytest.approx(own.mean())
    assert found["low"] < found["mean"] < found["high"]
    assert (found["images"], found["not_finite"]) == (40, 0)


def test_values_that_are_not_finite_are_counted(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    rows.loc[rows[rows["metric"] == "draw_variance"].index[0], "value"] = np.nan
    tables = run_tables(rows, PRINTED)
    counted = tables["methods"].set_index(["metric", "method"])["not_finite"]
    assert counted["variance of the map, over EG's squared norm", EG] == 1
    line = tables["table_1"].set_index("metric").loc["variance of the map, over EG's squared norm"]
    assert (line["images"], line["not_finite"]) == (39, 1)
    finite = rows[rows["unit"] != rows["unit"].iloc[0]]  # the image that lacks EG's value is left out of WG's mean, too
    assert line["WG"] == pytest.approx(by_method(finite, "draw_variance", (EG, WG))[WG].mean())


def test_a_missing_value_does_not_swallow_table_2(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    rows.loc[rows[(rows["metric"] == "deletion_auc") & (rows["method"] == FILTERED)].index[:2], "value"] = np.nan
    line = table_2_line(rows, PRINTED, "mobilenet_v2")
    assert line is not None
    assert (line["images"], line["not_finite"]) == (38, 2)
    assert np.isfinite(line["p_paired_t"])


def test_baselines_and_their_fate(weighted: pd.DataFrame) -> None:
    table = run_tables(weighted, PRINTED)["baselines"].set_index("baseline")
    assert list(table.index) == list(BASELINES)
    assert table["mean_weight"].sum() == pytest.approx(1)
    own = weighted[(weighted["metric"] == "filtered_weight") & (weighted["baseline"] == "noise_1")]["value"]
    assert table["times_filtered_out"]["noise_1"] == int((own == 0).sum())
    assert table["images"].unique() == [40]
    reached = weighted[(weighted["metric"] == "reached") & (weighted["baseline"] == "photo_$1%_<b>")]["value"]
    assert 0 < reached.mean() < 1
    assert table["share_reached"]["photo_$1%_<b>"] == pytest.approx(reached.mean())
    assert table["share_reached"]["black"] == 1
    alone = weighted[(weighted["metric"] == "deletion_auc") & (weighted["baseline"] == "black")]["value"]
    assert table["mean_deletion_auc"]["black"] == pytest.approx(alone.mean())


def test_images_left_out_have_their_reason(weighted: pd.DataFrame) -> None:
    table = run_tables(weighted, PRINTED)["selection"]
    assert table.to_numpy().tolist() == [
        ["images used", "", 40],
        ["images left out", "predicted wrongly", 7],
        ["images left out", "object <too> small", 2],
        ["top1", "", 0.81],
    ]


def test_completeness_has_quantiles(weighted: pd.DataFrame) -> None:
    table = run_tables(weighted, PRINTED)["completeness"].set_index("method")
    own = weighted[(weighted["metric"] == "completeness_gap") & (weighted["method"] == WG)]["value"]
    found = [table[name][WG] for name in ("median", "q95", "max")]
    assert found == pytest.approx(np.quantile(own, [0.5, 0.95, 1]).tolist())
    assert table["max"]["IG from black"] == pytest.approx(0.01)


def test_gaps_of_nothing_over_nothing_are_counted(weighted: pd.DataFrame) -> None:
    """A baseline that is the image itself has the gap 0 / 0 there."""
    rows = weighted.copy()
    black = (rows["metric"] == "completeness_gap") & (rows["baseline"] == "black")
    rows.loc[rows[black].index[:3], "value"] = [np.nan, np.inf, np.nan]
    rows.loc[(rows["metric"] == "completeness_gap") & (rows["baseline"] == "white"), "value"] = np.nan
    table = run_tables(rows, PRINTED)["completeness"].set_index("method")
    found = table[["images", "median", "max", "not_finite"]].T
    assert found["IG from black"].to_list() == [37, 0.01, 0.01, 3]
    assert found["IG from white"][["images", "not_finite"]].to_list() == [0, 40]
    assert np.isnan(table["median"]["IG from white"])


def test_weights_that_do_not_sum_to_one_are_seen(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    rows.loc[rows[(rows["metric"] == "weight_sum_gap") & (rows["method"] == WG)].index[7], "value"] = 0.25
    table = run_tables(rows, PRINTED)["completeness"].set_index("method")
    assert table["largest_weight_sum_gap"][WG] == 0.25
    assert table["largest_weight_sum_gap"][EG] < 1e-6


def test_only_a_networks_exact_name_has_the_papers_numbers(weighted: pd.DataFrame) -> None:
    for model in ("resnet50-IMAGENET1K_V2", "resnet50.a1_in1k", "ResNet50"):
        line = table_1_line(weighted, "deletion_auc", PRINTED, model)
        assert line is not None
        assert np.isnan([line["paper_EG"], line["paper_improvement_%"]]).all()
        assert CLAIM.value_for(model) == CLAIM.paper_value
    line = table_1_line(weighted, "deletion_auc", PRINTED, "resnet50")
    assert line is not None
    assert line["paper_EG"] == 0.045
    assert CLAIM.value_for("resnet50") == "0.045 to 0.029 (p = 0.002)"


def test_what_is_missing_is_left_out() -> None:
    rows = make_rows(images=1, masks=False, baselines=1)
    tables = run_tables(rows, Printed())
    assert "AUC of overlap" not in set(tables["table_1"]["metric"])
    assert tables["table_1"]["p_paired_t"].isna().all()
    assert tables["methods"]["low"].isna().all()
    only_curves = rows[rows["unit"] == "mean"]
    assert all(table.empty for table in run_tables(only_curves, Printed()).values())
    assert all(table.empty for table in run_tables(rows.iloc[:0], Printed()).values())
