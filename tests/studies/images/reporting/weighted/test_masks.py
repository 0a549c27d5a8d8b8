"""Fitness mask by metric mask: the table, the figure and the claims, of rows whose answer was put in."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Verdict
from igbaselines.studies.images.reporting.claim_tests import lead_across_masks, lead_by_the_circle
from igbaselines.studies.images.reporting.rows import of_images
from igbaselines.studies.images.reporting.weighted.masks import Crossed, crossed, masks_figure, masks_table
from tests.studies.images.reporting.weighted_rows import EG, MASKS, OTHER_GAIN, OWN_GAIN, WG, make_rows

DELETION, INSERTION, OVERLAP = (f"{name}_auc_by_mask" for name in ("deletion", "insertion", "overlap"))
POSITIVE = Region(more_than=0.0)


@pytest.fixture(scope="module")
def weighted() -> pd.DataFrame:
    return make_rows(beside=True)


@pytest.mark.parametrize("metric", [DELETION, INSERTION])
def test_leads_are_paired_by_image_and_turned_so_that_more_is_better(weighted: pd.DataFrame, metric: str) -> None:
    found = Crossed.of(weighted.sample(frac=1, random_state=1), metric)
    assert sorted(found.fitness) == sorted(found.eg) == sorted(MASKS)
    for fitness in MASKS:
        for mask in MASKS:
            gain = OWN_GAIN if fitness == mask else OTHER_GAIN
            relative = found.leads[fitness, mask] / found.eg[mask]
            np.testing.assert_allclose(relative, gain, rtol=0.25)
            of = found.improvement((fitness, mask))
            assert of["low"] < of["mean"] < of["high"]
            assert of["mean"] == pytest.approx(100 * gain, rel=0.1)


@pytest.mark.parametrize("metric", [DELETION, INSERTION])
def test_the_circle_is_told_from_a_lead(weighted: pd.DataFrame, metric: str) -> None:
    elsewhere = lead_across_masks(weighted, POSITIVE, metric=metric, same=False)
    assert elsewhere.verdict == Verdict.NOT_REPRODUCED
    assert "mean over 6 pairs of masks; as claimed for 0 of 6" in elsewhere.note
    own = lead_across_masks(weighted, POSITIVE, metric=metric, same=True)
    assert own.verdict == Verdict.REPRODUCED
    circle = lead_by_the_circle(weighted, POSITIVE, metric=metric)
    assert circle.verdict == Verdict.REPRODUCED
    assert circle.estimate.value == pytest.approx(own.estimate.value - elsewhere.estimate.value)
    assert circle.estimate.n == weighted.loc[weighted["metric"] == metric, "unit"].nunique()


def test_a_pair_that_speaks_against_it_is_named(weighted: pd.DataFrame) -> None:
    every = lead_across_masks(weighted, POSITIVE, metric=DELETION)
    rows = weighted.copy()
    turned = (rows["metric"] == DELETION) & (rows["method"] == WG) & (rows["fitness_mask"] == rows["metric_mask"])
    rows.loc[turned, "value"] *= 0.01
    found = lead_across_masks(rows, POSITIVE, metric=DELETION)
    assert found.estimate.value > every.estimate.value
    assert found.verdict == Verdict.PARTLY
    assert "black judged by blur" in found.note
    assert "black judged by black" not in found.note


def test_overlap_masks_nothing(weighted: pd.DataFrame) -> None:
    found = lead_across_masks(weighted, POSITIVE, metric=OVERLAP)
    assert found.estimate.value == pytest.approx(0.04, abs=0.005)
    assert "mean over 3 masks of the fitness; as claimed for 3 of 3" in found.note
    with pytest.raises(NotTestable, match="one mask"):
        lead_by_the_circle(weighted, POSITIVE, metric=OVERLAP)


def test_the_table_has_masks_both_ways_and_marks_its_diagonal(weighted: pd.DataFrame) -> None:
    table = masks_table(crossed(weighted))
    assert list(table) == ["metric", "fitness_mask", *MASKS, "nothing"]
    assert table["metric"].tolist() == ["AUC of deletion"] * 3 + ["AUC of insertion"] * 3 + ["AUC of overlap"] * 3
    for line in table.to_dict("records"):
        marked = [mask for mask in MASKS if line[mask].endswith("*")]
        assert marked == ([] if line["metric"] == "AUC of overlap" else [line["fitness_mask"]])
        assert bool(line["nothing"]) == (line["metric"] == "AUC of overlap")
    value = float(str(table.loc[0, "corner_mean"]).partition(" ")[0])
    assert value == pytest.approx(100 * OWN_GAIN, abs=3)


def test_each_pair_is_drawn_and_the_circle_filled(weighted: pd.DataFrame) -> None:
    figure = masks_figure(crossed(weighted))
    assert figure is not None
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    assert len(marks) == 3 * 3 * 2 + 3
    assert sum(line.get_markerfacecolor() != "white" for line in marks) == 6
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[0] == "deletion, mask: corner mean"
    assert labels[-1] == "overlap"


def test_without_masks_there_is_nothing_and_a_few_images_have_no_interval(weighted: pd.DataFrame) -> None:
    without = weighted[~weighted["metric"].str.endswith("_by_mask")].drop(columns=["fitness_mask", "metric_mask"])
    assert crossed(without) == {}
    assert masks_table({}).empty
    assert masks_figure({}) is None
    with pytest.raises(NotTestable, match="evaluation/masks=three"):
        lead_across_masks(without, POSITIVE, metric=DELETION)
    with pytest.raises(NotTestable, match="no 'overlap_auc_by_mask'"):
        lead_across_masks(weighted[weighted["metric"] != OVERLAP], POSITIVE, metric=OVERLAP)
    few = str(masks_table(crossed(make_rows(images=2, beside=True))).loc[0, "corner_mean"])
    assert few.endswith("*")
    assert "(" not in few


def test_one_mask_and_missing_values_are_not_tested(weighted: pd.DataFrame) -> None:
    one = weighted[weighted["fitness_mask"].isin(["black"]) | (weighted["method"] == EG)]
    one = one[one["metric_mask"].isin(["black"])]
    for test, more in ((lead_across_masks, {"same": False}), (lead_by_the_circle, {})):
        with pytest.raises(NotTestable, match="one mask"):
            test(one, POSITIVE, metric=DELETION, **more)
    broken = weighted.drop(index=weighted[(weighted["metric"] == DELETION) & (weighted["method"] == WG)].index[0])
    with pytest.raises(NotTestable, match="missing"):
        lead_across_masks(broken, POSITIVE, metric=DELETION)


def test_what_was_measured_by_masks_is_no_image_of_another_table(weighted: pd.DataFrame) -> None:
    found = of_images(weighted)
    assert not found["metric"].str.endswith("_by_mask").any()
    assert not found.duplicated(["metric", "method", "unit"]).any()
