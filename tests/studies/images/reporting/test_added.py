"""A method and a metric of one's own stand in every table and figure about photographs."""

from pathlib import Path

import pandas as pd
import pytest

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.claims import printed_for
from igbaselines.reporting.combination import Combination
from igbaselines.reporting.page.runs import Results
from igbaselines.reporting.papers import load_papers
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import example_figure
from igbaselines.studies.images.reporting.shapley import figures as shapley_figures
from igbaselines.studies.images.reporting.shapley import tables as shapley_tables
from igbaselines.studies.images.reporting.weighted.combined import combine
from igbaselines.studies.images.reporting.weighted.figures import curves_figure
from igbaselines.studies.images.reporting.weighted.removal import Removal, removal_figure
from igbaselines.studies.images.reporting.weighted.tables import run_tables
from tests.hep_rows import CLAIMS_ROOT
from tests.reporting.added import METHOD, METRIC, says, with_method, with_metric, words_of
from tests.studies.images.reporting.shapley.test_render import make_rows as make_shapley_rows
from tests.studies.images.reporting.weighted_rows import EG, WG, make_config, make_rows, write_explanation

PRINTED = printed_for(load_papers(CLAIMS_ROOT), "weighted_gradients")


def added(model: str = "resnet50", images: int = 12) -> pd.DataFrame:
    return with_metric(with_method(make_rows(images=images, model=model), WG), "deletion_auc")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return run_tables(added(), PRINTED)


@pytest.fixture(scope="module")
def together() -> Combination:
    def run(model: str, study: str, ranking: str = "signed") -> Results:
        rows = added(model)
        return Results(f"{model}-{study}-{ranking}", make_config(rows, "demo", study, ranking=ranking), rows)

    runs = [run("resnet50", "tables"), run("vgg16", "tables")]
    return combine([*runs, run("vgg16", "ablation"), run("vgg16", "ablation", "magnitude")], PRINTED)


@pytest.fixture(scope="module")
def shapley() -> pd.DataFrame:
    return with_metric(with_method(make_shapley_rows(), "ig_black"), "overlap_auc")


@pytest.mark.parametrize("name", ["methods", "completeness"])
def test_every_table_of_methods_has_it(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert METHOD in says(tables[name])


@pytest.mark.parametrize("name", ["table_1", "methods"])
def test_every_table_of_metrics_has_it(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert METRIC in says(tables[name])


def test_a_metric_of_the_single_baselines_is_averaged() -> None:
    assert f"mean_{METRIC}" in run_tables(with_metric(make_rows(images=6), "d_alpha"), PRINTED)["baselines"]


def test_a_metric_without_a_direction_has_no_improvement(tables: dict[str, pd.DataFrame]) -> None:
    line = tables["table_1"].set_index("metric").loc["my metric"]
    assert line["better"] == ""
    assert pd.isna(line["improvement_%"])
    assert line["p_paired_t"] < 0.05


@pytest.mark.parametrize("name", ["deletion", "removal"])
def test_every_figure_of_a_run_has_it(name: str) -> None:
    rows, removal = added(), Removal.of_run(added())
    assert removal is not None
    drawn = curves_figure(rows) if name == "deletion" else removal_figure(removal, {})
    assert METHOD in words_of(drawn)


def test_averages_and_figures_over_networks_have_it(together: Combination) -> None:
    tables = {noted.name: noted.table for noted in together.tables}
    assert METHOD in says(tables["averages_demo"])
    assert METRIC in says(tables["other_metrics_demo"])
    figures = {drawn.name: drawn.figure for drawn in together.figures}
    assert set(figures) == {"improvement_demo", "figure_2_demo", "advantage_demo"}
    assert all(METHOD in words_of(figure) for figure in figures.values())


@pytest.mark.parametrize("name", ["methods", "against_shapley_ig", "consistency"])
def test_every_table_beside_shapley_ig_has_it(shapley: pd.DataFrame, name: str) -> None:
    assert METHOD in says(shapley_tables.run_tables(shapley)[name])


@pytest.mark.parametrize("name", ["methods", "against_shapley_ig", "patches", "coalitions"])
def test_every_table_beside_shapley_ig_has_the_metric(shapley: pd.DataFrame, name: str) -> None:
    table = shapley_tables.run_tables(shapley)[name]
    assert METRIC in says(table)
    if "result" in table:
        assert set(table.loc[table["metric"] == "my metric", "result"]) <= {"SIG higher", "SIG lower", "not resolved"}


@pytest.mark.parametrize("draw", [shapley_figures.methods_figure, shapley_figures.advantages_figure])
def test_every_figure_beside_shapley_ig_has_both(shapley: pd.DataFrame, draw: object) -> None:
    assert callable(draw)
    words = words_of(draw(shapley)[0])
    assert METHOD in words
    assert "my metric" in words


def test_what_was_varied_is_drawn_by_the_metric(shapley: pd.DataFrame) -> None:
    assert "my metric" in words_of(shapley_figures.sweeps_figure(shapley)[0])


@pytest.mark.parametrize("name", ["overlays", "grid"])
def test_its_map_is_drawn(tmp_path: Path, name: str) -> None:
    path = write_explanation(tmp_path / "a.npz", methods=(EG, WG, "a", "b", METHOD), baselines=2)
    shown = read_arrays(ExplainedPhotograph, path)
    figure = example_figure(shown) if name == "overlays" else shapley_figures.grid_figure(shown, "a", 8)[0]
    assert METHOD in words_of(figure)
