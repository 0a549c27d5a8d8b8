"""Tables and figures over several runs: ours beside the paper's, corrected, averaged, and never over two scales."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.claims import load_papers, printed_for
from igbaselines.reporting.image_rows import by_image
from igbaselines.reporting.paired import holm
from igbaselines.reporting.runs import Results
from igbaselines.reporting.weighted_combined import Group, combine, measured_improvements
from igbaselines.reporting.weighted_sweep import Improvement
from tests.reporting.conftest import CLAIMS_ROOT
from tests.reporting.weighted_rows import EG, PERMUTED, WG, make_config, make_rows

PRINTED = printed_for(load_papers(CLAIMS_ROOT), "weighted_gradients")


def results(model: str, scale: str = "demo", gain: float = 0.24, images: int = 30, **attribution: object) -> Results:
    rows = make_rows(images=images, model=model, gain=gain, seed=len(model))
    return Results(f"{model}-{scale}-{gain}", make_config(rows, scale, **attribution), rows)


RUNS = [
    results("resnet50", gain=0.3),
    results("densenet121", gain=0.2),
    results("efficientnet_lite0", gain=0.1),
    results("densenet121", gain=0.05, protocol="released_code"),
    results("densenet121", scale="paper"),
]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {noted.name: noted.table for noted in combine(RUNS, PRINTED).tables}


def test_scales_are_never_mixed(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables["table_1_paper"]["run"]) == {"densenet121-paper-0.24"}
    assert len(tables["table_1_demo"]) == 2 * 4  # metrics x runs
    assert "averages_paper" not in tables  # one network is no average


def test_networks_stand_in_the_papers_order_beside_its_numbers(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["table_1_demo"].query("metric == 'AUC of deletion' and protocol == 'paper'").set_index("model")
    assert list(table.index) == ["densenet121", "resnet50", "efficientnet_lite0"]
    assert table["paper_improvement_%"].to_list()[:2] == [24.40, 35.28]
    assert np.isnan(table["paper_EG"]["efficientnet_lite0"])
    own = by_image(RUNS[0].rows, "deletion_auc", (EG, WG)).mean()
    assert (table["EG"]["resnet50"], table["WG"]["resnet50"]) == pytest.approx((own[EG], own[WG]))


def test_p_values_are_corrected_over_the_table(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("table_1_demo", "table_2_demo"):
        table = tables[name]
        for test in ("p_welch", "p_paired_t", "p_wilcoxon"):
            np.testing.assert_allclose(table[f"{test}_holm"], holm(table[test].to_list()))


def test_the_average_is_over_networks_of_one_setting(tables: dict[str, pd.DataFrame]) -> None:
    (line,) = tables["averages_demo"].query("metric == 'AUC of deletion'").to_dict("records")
    assert (line["protocol"], line["networks"]) == ("paper", 3)
    of_runs = [by_image(of.rows, "deletion_auc", (EG, WG)).mean() for of in RUNS[:3]]
    assert line["improvement_%"] == pytest.approx(np.mean([100 * (1 - own[WG] / own[EG]) for own in of_runs]))
    assert line["low"] < line["improvement_%"] < line["high"]
    assert line["paper_text_%"] == 24.8
    assert line["paper_table_1_%"] == pytest.approx(28.18, abs=0.01)


def test_figures_over_networks() -> None:
    drawn = {figure.name: figure for figure in combine(RUNS, PRINTED).figures}
    assert set(drawn) == {"improvement_demo", "advantage_demo", "figure_2_demo", "improvement_paper"}
    assert "mean of 3 networks (densenet121, resnet50, efficientnet_lite0)" in drawn["figure_2_demo"].caption
    labels = [label.get_text() for label in drawn["improvement_demo"].figure.axes[0].get_yticklabels()]
    assert labels[0].replace("\n", " ") == "DenseNet121, sample_photos, paper"
    assert labels[3].replace("\n", " ") == "DenseNet121, sample_photos, released_code"


def test_the_sweep_has_a_line_for_every_level() -> None:
    drawn = {figure.name: figure.figure for figure in combine(RUNS, PRINTED).figures}
    axes = drawn["advantage_demo"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["protocol", "paper", "released_code"]
    large = [line for line in axes.lines if line.get_markersize() == 7 and len(np.asarray(line.get_xdata())) == 1]
    shown = sorted(float(np.asarray(line.get_xdata())[0]) for line in large if line.get_marker() == "o")
    assert shown == pytest.approx([5, 20], abs=2)  # the mean of 20, 30 and 10 %, and the one of 5 %


def test_permuted_weights_stand_beside() -> None:
    found = measured_improvements(Group(RUNS[:4], []), "deletion_auc")
    values = {(improvement.place, improvement.method): improvement.value for improvement in found}
    assert len(values) == 8
    assert abs(values[0, PERMUTED]) < 5 < values[0, WG]


def test_an_average_over_the_same_images_is_not_taken_for_independent() -> None:
    """Two runs that are the same run say no more than one."""
    alone = measured_improvements(Group(RUNS[:1], []), "deletion_auc")
    twice = measured_improvements(Group([RUNS[0], RUNS[0]], []), "deletion_auc")
    one = Improvement.mean([found for found in alone if found.method == WG])
    both = Improvement.mean([found for found in twice if found.method == WG])
    assert both == pytest.approx(one)


def test_runs_that_lack_pieces_are_combined_as_far_as_they_go() -> None:
    rows = make_rows(images=1, masks=False, baselines=1)
    poor = Results("poor", make_config(rows), rows)
    nothing = Results("nothing", make_config(rows), rows.iloc[:0])
    found = combine([poor, nothing], PRINTED)
    table = {noted.name: noted.table for noted in found.tables}["table_1_demo"]
    assert table["run"].to_list() == ["poor"]
    assert [drawn.name for drawn in found.figures] == ["improvement_demo"]
    assert combine([nothing], PRINTED).figures == []
    assert combine([], PRINTED).tables == []
