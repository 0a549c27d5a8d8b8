"""Tables and figures over several runs: ours beside the paper's, corrected, averaged, and only over what compares."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.claims import printed_for
from igbaselines.reporting.page.runs import Results
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.rows import by_method
from igbaselines.reporting.statistics.paired import holm
from igbaselines.studies.images.reporting.weighted.combined import combine, measured_improvements
from igbaselines.studies.images.reporting.weighted.comparable import Group
from tests.hep_rows import CLAIMS_ROOT
from tests.studies.images.reporting.weighted_rows import EG, PERMUTED, WG, make_config, make_rows

PRINTED = printed_for(load_papers(CLAIMS_ROOT), "weighted_gradients")


def results(
    model: str,
    scale: str = "demo",
    gain: float = 0.24,
    images: int = 30,
    study: str = "tables",
    seed: int = 0,
    **attribution: object,
) -> Results:
    rows = make_rows(images=images, model=model, gain=gain, seed=len(model))
    config = make_config(rows, scale, study, **attribution) | {"seed": seed}
    return Results(f"{model}-{scale}-{study}-{gain}-{seed}", config, rows)


def of_runs(*runs: Results) -> Group:
    return Group(runs, "tables", "demo", "")


RUNS = [
    results("resnet50", gain=0.3),
    results("densenet121", gain=0.2),
    results("efficientnet_lite0", gain=0.1),
    results("densenet121", gain=0.05, protocol="released_code"),
    results("densenet121", scale="paper"),
]


ABLATION = [
    results(model, gain=gain, study="ablation", ranking=ranking, filter_below=below)
    for model, gain, ranking, below in (
        ("vgg16", 0.1, "signed", 0.1),
        ("vgg16", 0.2, "signed", 0.2),
        ("vgg16", 0.3, "magnitude", 0.1),
        ("vgg16", 0.4, "magnitude", 0.2),
    )
]


def tables_of(runs: list[Results]) -> dict[str, pd.DataFrame]:
    return {noted.name: noted.table for noted in combine(runs, PRINTED).tables}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return tables_of(RUNS + ABLATION)


@pytest.mark.slow
def test_scales_protocols_and_studies_are_never_mixed(tables: dict[str, pd.DataFrame]) -> None:
    firsts = {name: set(table["run"]) for name, table in tables.items() if name.startswith("table_1")}
    assert firsts == {
        "table_1_demo_paper": {of.label for of in RUNS[:3]},
        "table_1_demo_released_code": {RUNS[3].label},
        "table_1_paper": {RUNS[4].label},
    }
    assert len(tables["table_1_demo_paper"]) == 2 * 3  # metrics x runs
    assert {name for name in tables if name.startswith("averages")} == {"averages_demo_paper"}  # one is no average


def test_networks_stand_in_the_papers_order_beside_its_numbers(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["table_1_demo_paper"].query("metric == 'AUC of deletion'").set_index("model")
    assert list(table.index) == ["densenet121", "resnet50", "efficientnet_lite0"]
    assert table["paper_improvement_%"].to_list()[:2] == [24.40, 35.28]
    assert np.isnan(table["paper_EG"]["efficientnet_lite0"])
    own = by_method(RUNS[0].rows, "deletion_auc", (EG, WG)).mean()
    assert (table["EG"]["resnet50"], table["WG"]["resnet50"]) == pytest.approx((own[EG], own[WG]))


def test_p_values_are_corrected_over_the_groups_own_table(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("table_1_demo_paper", "table_2_demo_paper", "table_1_demo_released_code"):
        table = tables[name]
        for test in ("p_welch", "p_paired_t", "p_wilcoxon"):
            np.testing.assert_allclose(table[f"{test}_holm"], holm(table[test].to_list()))


@pytest.mark.slow
def test_the_average_is_over_distinct_networks_of_one_setting() -> None:
    """A second run of a network, of another seed, is neither averaged in nor counted; nor is it hidden."""
    again = results("resnet50", gain=0.05, seed=7)
    found = tables_of([*RUNS[:3], again])
    (line,) = found["averages_demo"].query("metric == 'AUC of deletion'").to_dict("records")
    assert (line["protocol"], line["networks"]) == ("paper", 3)
    means = [by_method(of.rows, "deletion_auc", (EG, WG)).mean() for of in RUNS[:3]]
    assert line["improvement_%"] == pytest.approx(np.mean([100 * (1 - own[WG] / own[EG]) for own in means]))
    assert line["low"] < line["improvement_%"] < line["high"]
    assert line["paper_text_%"] == 24.8
    assert line["paper_table_1_%"] == pytest.approx(28.18, abs=0.01)
    assert set(found["table_1_demo_2"]["run"]) == {again.label}
    notes = {noted.name: noted.note for noted in combine([*RUNS[:3], again], PRINTED).tables}
    assert "here: seed 7." in notes["table_1_demo_2"]
    assert "here: seed 0." in notes["averages_demo"]


def test_figures_over_networks() -> None:
    drawn = {figure.name: figure for figure in combine(RUNS, PRINTED).figures}
    assert set(drawn) == {
        *("improvement_demo_paper", "figure_2_demo_paper", "improvement_demo_released_code", "improvement_paper"),
    }
    assert "mean of 3 networks (densenet121, resnet50, efficientnet_lite0)" in drawn["figure_2_demo_paper"].caption
    labels = [label.get_text() for label in drawn["improvement_demo_paper"].figure.axes[0].get_yticklabels()]
    assert labels == ["DenseNet121", "ResNet50", "EfficientNet-Lite0"]
    assert drawn["improvement_demo_released_code"].caption.startswith(
        "Scale demo, sample_photos, protocol released_code."
    )


def test_an_ablation_gives_the_sweep_and_no_table() -> None:
    found = combine(ABLATION, PRINTED)
    assert found.tables == []
    (drawn,) = found.figures
    assert drawn.name == "advantage_demo"
    assert "combinations" not in drawn.caption
    axes = drawn.figure.axes[0]
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert ticks == ["fitness ranking", "signed", "magnitude", "filter below", "0.1", "0.2"]
    large = [line for line in axes.lines if line.get_markersize() == 7 and len(np.asarray(line.get_xdata())) == 1]
    shown = [float(np.asarray(line.get_xdata())[0]) for line in large if line.get_marker() == "o"]
    assert shown == pytest.approx([15, 35, 20, 30], abs=2)  # marginal means of 10, 20, 30 and 40 %


def test_an_incomplete_factorial_is_said_to_be_unbalanced() -> None:
    (drawn,) = combine(ABLATION[:3], PRINTED).figures
    words = "AUC of deletion, AUC of overlap: only 3 of the 4 combinations of network and settings were run"
    assert words in drawn.caption


def test_permuted_weights_stand_beside() -> None:
    found = measured_improvements(of_runs(*RUNS[:4]), "deletion_auc")
    assert found is not None
    assert len(found.values) == 8
    assert abs(found.values[0, PERMUTED]) < 5 < found.values[0, WG]


def test_an_average_over_the_same_images_is_not_taken_for_independent() -> None:
    """Two runs that are the same run say no more than one."""
    alone = measured_improvements(of_runs(*RUNS[:1]), "deletion_auc")
    twice = measured_improvements(of_runs(RUNS[0], RUNS[0]), "deletion_auc")
    assert alone is not None
    assert twice is not None
    assert twice.mean(twice.keys(WG)) == pytest.approx(alone.mean(alone.keys(WG)))


def test_a_missing_value_leaves_out_the_image_and_not_the_network() -> None:
    rows = RUNS[1].rows.copy()
    rows.loc[rows[rows["metric"] == "deletion_auc"].index[0], "value"] = np.nan
    table = tables_of([RUNS[0], Results("gap", RUNS[1].config, rows)])["averages_demo"]
    assert table.set_index("metric")["networks"]["AUC of deletion"] == 2


def test_runs_that_lack_pieces_are_combined_as_far_as_they_go() -> None:
    rows = make_rows(images=1, masks=False, baselines=1)
    poor = Results("poor", make_config(rows), rows)
    nothing = Results("nothing", make_config(rows) | {"model_name": "vgg16"}, rows.iloc[:0])
    found = combine([poor, nothing], PRINTED)
    table = {noted.name: noted.table for noted in found.tables}["table_1_demo"]
    assert table["run"].to_list() == ["poor"]
    assert [drawn.name for drawn in found.figures] == ["improvement_demo"]
    assert combine([nothing], PRINTED).figures == []
    assert combine([], PRINTED).tables == []
