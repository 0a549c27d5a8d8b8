"""Tables and figures of 2412.13864 on rows with a known order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.claims import printed_for
from igbaselines.reporting.papers import load_papers
from igbaselines.studies.hep.reporting.baselines import (
    performance_figure,
    ranking,
    ranking_metric,
    render,
    run_tables,
    thin_points,
)
from tests.hep_rows import BASELINES, CLAIMS_ROOT, FEATURES, K, of_which_retrained


def test_features_stand_in_the_order_of_their_mean(rows: pd.DataFrame) -> None:
    table = ranking(rows, "attribution", "background")
    assert table["feature"][0] == "HT"
    assert table["mean"].is_monotonic_decreasing
    assert len(table) == len(FEATURES)
    own = rows[(rows["metric"] == "attribution") & (rows["method"] == "background") & (rows["feature"] == "MET")]
    found = table.set_index("feature").loc["MET"]
    assert found["mean"] == pytest.approx(own["value"].mean())
    assert found["sd"] == pytest.approx(np.std(own["value"], ddof=1))
    assert table["rank_min"].min() == 1
    assert (table["rank_min"] <= table["rank_mean"]).all()


def test_the_ranking_that_the_run_used_is_recognised(rows: pd.DataFrame) -> None:
    assert ranking_metric(rows, BASELINES) == "attribution"
    renamed = rows.replace({"metric": {"attribution": "attribution_magnitude", "attribution_magnitude": "attribution"}})
    assert ranking_metric(renamed, BASELINES) == "attribution_magnitude"


def test_thin_points_are_those_with_little_background(rows: pd.DataFrame) -> None:
    assert thin_points(rows, "background") == {1}
    assert thin_points(rows, "nobody") == frozenset()


def test_the_performance_figure_draws_the_means(rows: pd.DataFrame) -> None:
    figure = performance_figure(rows, "accuracy")
    assert figure is not None
    expected = rows[(rows["metric"] == "accuracy") & (rows["method"] == "zero_physical")].groupby("k")["value"].mean()
    first = figure.axes[0].lines[2]  # after the two edges of its band
    np.testing.assert_allclose(np.asarray(first.get_ydata(), dtype=float), expected)


def test_every_table_is_written(run_folder: Path) -> None:
    tables = {path.name for path in (run_folder / "tables").iterdir()}
    names = ("claims", "completeness", "curves", "events", "premises", "rankings")
    assert tables == {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")}


def test_contents_of_the_tables(run_folder: Path, rows: pd.DataFrame) -> None:
    def table(name: str) -> pd.DataFrame:
        return pd.read_csv(run_folder / "tables" / f"{name}.csv")

    assert table("rankings")["method"].value_counts().to_dict() == dict.fromkeys(BASELINES, 20)
    curves = table("curves").set_index(["method", "k"])

    def curve(method: str, k: int, column: str) -> float:
        return float(curves[column][method, k])

    accuracy = rows[(rows["metric"] == "accuracy") & (rows["method"] == "background") & (rows["k"] == 3)]["value"]
    assert curve("background", 3, "accuracy") == pytest.approx(accuracy.mean())
    assert curve("background", 3, "significance_low") < curve("background", 3, "significance_high")
    assert curve("random_0", K[-1], "background_n_eff") > 10
    assert curve("random_0", K[-1], "significance_mc_error") == 0.5
    events = table("events").set_index("process")
    assert (events["selected_events"]["signal"], events["cross_section"]["signal"]) == (5000, 0.237)
    assert list(events.columns) == ["selected_events", "n_eff", "cross_section"]
    assert events["n_eff"]["tt1l"] == 1234.5
    assert len(table("completeness")) == len(BASELINES) * 5


def test_tables_say_of_how_many_networks_they_are(rows: pd.DataFrame) -> None:
    """All five rank features; three have curves."""
    mixed = of_which_retrained(rows, 3)
    rankings = {"background": ranking(mixed, "attribution", "background")}
    tables = run_tables(mixed, rankings, 20)
    counted = {name: set(tables[name]["networks"]) for name in ("rankings", "premises", "curves")}
    assert counted == {"rankings": {5}, "premises": {5}, "curves": {3}}


def test_every_figure_is_written(run_folder: Path) -> None:
    names = ("1", "2a", "2b", "3", "4", "5")
    files = {path.name for path in (run_folder / "figures").iterdir()}
    assert files == {f"figure_{name}.{suffix}" for name in names for suffix in ("png", "pdf", "svg")}


def test_errors_of_cross_sections_are_listed_where_they_are_known(rows: pd.DataFrame, tmp_path: Path) -> None:
    printed = printed_for(load_papers(CLAIMS_ROOT), "hep_baselines")
    counts = rows[rows["method"] == "data"]
    errors = counts[counts["metric"] == "cross_section"].assign(metric="cross_section_error", value=0.125)
    render(tmp_path, pd.concat([counts, errors]), printed)
    events = pd.read_csv(tmp_path / "tables" / "events.csv")
    assert list(events.columns) == ["process", "selected_events", "n_eff", "cross_section", "cross_section_error"]
    assert (events["cross_section_error"] == 0.125).all()
