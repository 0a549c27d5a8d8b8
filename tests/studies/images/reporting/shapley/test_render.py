"""Tables and figures of shapley_images from rows whose truth was put in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from igbaselines.reporting.claims import Printed
from igbaselines.studies.images.reporting.shapley.render import render
from igbaselines.studies.images.reporting.shapley.tables import (
    advantage_of,
    against_table,
    consistency_table,
    of_study,
    run_tables,
    setting_of,
    settings,
    sweep_table,
)
from tests.studies.images.reporting.weighted_rows import Row, write_explanation

SIG, CONTROL = "shapley_ig", "ig_absent"
# Level of each method's metric beside SIG's: black is worse in deletion, blur is better, the control no different.
SHIFT = {SIG: 0.0, CONTROL: 0.0, "ig_black": 0.05, "ig_blur": -0.05}
METRICS = ("deletion_auc", "insertion_auc", "overlap_auc")
IMAGES = 12
SWEEPS = {"patch": [16, 32, 112], "coalitions": [4, 8]}


def make_rows(images: int = IMAGES, masks: bool = True) -> pd.DataFrame:
    """A run; the images' own levels are far larger than the differences between methods."""
    rng = np.random.default_rng(0)
    level = rng.uniform(0.2, 0.8, images)
    rows: list[Row] = []

    def add(metric: str, method: str, values: np.ndarray, **known: object) -> None:
        rows.extend(
            {"metric": metric, "method": method, "unit": f"photo_{number}", "value": value} | known
            for number, value in enumerate(values)
        )

    main = {"patch": 32, "coalitions": 8, "players": 49}
    for method, shift in SHIFT.items():
        known = {"study": "methods"} | (main if method == SIG else {})
        for metric in METRICS[: 3 if masks else 2]:
            add(metric, method, level + shift + rng.normal(0, 0.01, images), **known)
        add("consistency", method, 0.5 - shift + rng.normal(0, 0.01, images), study="methods", other_model="net_b")
        add("gradient_points", method, np.full(images, 16.0), **known)
        add("seconds", method, rng.lognormal(-1, 0.1, images), **known)
    for study, values in SWEEPS.items():
        for place, value in enumerate(values):
            setting = main | {study: value} | ({"q": 0.5} if value == 112 else {})
            for metric in METRICS[: 3 if masks else 2]:
                add(metric, SIG, level - 0.03 * place + rng.normal(0, 0.002, images), study=study, **setting)
    of_all = {"unit": "all", "method": "data"}
    rows.append({"metric": "images_used", "value": images} | of_all)
    rows.append({"metric": "images_left_out", "value": 2, "reason": "predicted wrongly"} | of_all)
    run = {"experiment": "shapley_images", "dataset": "sample_photos", "model": "net_a", "seed": 0}
    return pd.DataFrame([run | row for row in rows])


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return make_rows()


def values(rows: pd.DataFrame, metric: str, method: str) -> np.ndarray:
    chosen = (rows["study"] == "methods") & (rows["metric"] == metric) & (rows["method"] == method)
    return rows[chosen].sort_values("unit")["value"].to_numpy(float)


def test_paired_differences_are_scipys(rows: pd.DataFrame) -> None:
    table = against_table(rows).set_index(["metric", "method"])
    assert len(table) == 4 * 3  # metrics, methods beside SIG
    for label, metric in (("AUC of deletion", "deletion_auc"), ("AUC of overlap", "overlap_auc")):
        for method in ("ig_black", "ig_blur", CONTROL):
            a, b = values(rows, metric, SIG), values(rows, metric, method)
            test, line = stats.ttest_rel(a, b), table.loc[[(label, method)]].iloc[0].to_dict()
            assert line["difference"] == pytest.approx((a - b).mean())
            assert line["p_paired_t"] == pytest.approx(test.pvalue)
            assert [line["low"], line["high"]] == pytest.approx(list(test.confidence_interval(0.95)))
            assert line["p_wilcoxon"] == pytest.approx(stats.wilcoxon(a, b).pvalue)


def test_p_values_are_corrected_over_the_whole_table(rows: pd.DataFrame) -> None:
    table = against_table(rows)
    for name in ("p_paired_t", "p_wilcoxon"):
        ordered = table.sort_values(name)
        factors = np.arange(len(table), 0, -1)
        expected = np.minimum(np.maximum.accumulate(ordered[name].to_numpy() * factors), 1)
        np.testing.assert_allclose(ordered[f"{name}_holm"], expected)


def test_words_follow_the_direction_of_the_metric(rows: pd.DataFrame) -> None:
    result = against_table(rows).set_index(["metric", "method"])["result"]
    assert result["AUC of deletion", "ig_black"] == "SIG better"  # black's is higher, and lower is better
    assert result["AUC of deletion", "ig_blur"] == "baseline better"
    assert result["AUC of overlap", "ig_black"] == "baseline better"
    assert result["consistency between networks", "ig_black"] == "SIG better"
    assert set(result.xs(CONTROL, level="method")) == {"not resolved"}


def test_an_advantage_is_turned_to_where_more_is_better(rows: pd.DataFrame) -> None:
    found = of_study(rows, "methods")
    for metric, sign in (("deletion_auc", -1), ("overlap_auc", 1)):
        one = advantage_of(found, metric, "ig_black")
        assert one is not None
        mean, low, high = one
        assert low < mean < high
        assert mean == pytest.approx(sign * (values(rows, metric, SIG) - values(rows, metric, "ig_black")).mean())
    assert advantage_of(found, "pointing_game", "ig_black") is None


def test_methods_have_mean_and_interval(rows: pd.DataFrame) -> None:
    table = run_tables(rows)["methods"].set_index(["metric", "method"])
    measured = values(rows, "insertion_auc", CONTROL)
    interval = stats.ttest_1samp(measured, 0).confidence_interval(0.95)
    line = table.loc[[("AUC of insertion", CONTROL)]].iloc[0].to_dict()
    assert [line["mean"], line["low"], line["high"]] == pytest.approx([measured.mean(), *interval])
    assert (table.xs("gradient points")["mean"] == 16).all()


def test_a_sweep_is_compared_with_the_control(rows: pd.DataFrame) -> None:
    assert settings(rows, "patch") == SWEEPS["patch"]
    table = sweep_table(rows, "patch")
    assert table["patch"].unique().tolist() == SWEEPS["patch"]
    assert (table["coalitions"] == 8).all()
    assert table.loc[table["patch"] == 112, "q"].eq(0.5).all()
    assert table.loc[table["patch"] < 112, "q"].isna().all()
    line = table[(table["metric"] == "AUC of deletion") & (table["patch"] == 112)].iloc[0]
    control = values(rows, "deletion_auc", CONTROL)
    chosen = setting_of(rows, "patch", 112)
    swept = chosen[(chosen["metric"] == "deletion_auc") & (chosen["method"] == SIG)].sort_values("unit")["value"]
    assert line["mean"] == pytest.approx(swept.mean())
    assert line["over_plain_ig"] == pytest.approx((control - swept.to_numpy()).mean())
    assert line["over_plain_ig_low"] > 0.05  # deletion falls by 0.06 there, and lower is better


def test_the_most_consistent_method_comes_first(rows: pd.DataFrame) -> None:
    table = consistency_table(rows)
    assert table["method"].tolist()[0] == "ig_blur"
    assert table["method"].tolist()[-1] == "ig_black"
    assert set(table["other_model"]) == {"net_b"}


def test_everything_is_written_and_drawn(rows: pd.DataFrame, tmp_path: Path) -> None:
    write_explanation(tmp_path / "examples" / "photo_0.npz", baselines=0, methods=tuple(SHIFT))
    render(tmp_path, rows, Printed())
    tables = {path.stem for path in (tmp_path / "tables").glob("*.csv")}
    assert tables == {"methods", "against_shapley_ig", "patches", "coalitions", "consistency", "selection"}
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert drawn == {"figure_overlays_1", "figure_methods", "figure_advantages", "figure_sweeps"}
    for path in (tmp_path / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
            caption = picture.info["Description"]
        assert len(caption) > 50
        assert ("patches of 32 px" in caption) == (path.stem == "figure_overlays_1")


def test_one_image_without_a_mask_is_drawn_all_the_same(tmp_path: Path) -> None:
    render(tmp_path, make_rows(1, masks=False), Printed())
    table = pd.read_csv(tmp_path / "tables" / "against_shapley_ig.csv")
    assert "AUC of overlap" not in set(table["metric"])
    assert set(table["result"]) == {"not resolved"}
    assert table["low"].isna().all()


def test_rows_without_a_study_give_the_selection_alone(rows: pd.DataFrame, tmp_path: Path) -> None:
    render(tmp_path, rows[rows["method"] == "data"].drop(columns=["study", "patch", "coalitions"]), Printed())
    assert [path.stem for path in (tmp_path / "tables").glob("*.csv")] == ["selection"]
