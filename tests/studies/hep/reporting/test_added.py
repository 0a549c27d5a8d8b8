"""A fifth baseline and a metric of one's own stand in every table and figure of the event classifier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.claims import printed_for
from igbaselines.reporting.labels import printed_as
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.style import GREY
from igbaselines.running.rows import Names
from igbaselines.studies.hep.reporting.baselines import STYLES, performance_figure, ranking, render, run_tables
from igbaselines.studies.hep.reporting.rankings.figures import FIGURES
from igbaselines.studies.hep.reporting.rankings.render import run_tables as ranking_tables
from tests.hep_rows import CLAIMS_ROOT, as_rows, series
from tests.reporting.added import METHOD, METRIC, says, with_method, with_metric, words_of

RANKED = ("background", "background_weighted", "best_single", METHOD)
VARIANTS = ("logit_signed", "logit_magnitude")


@pytest.fixture(scope="module")
def added(rows: pd.DataFrame) -> pd.DataFrame:
    return with_method(rows, "background")


@pytest.mark.parametrize("metric", ["accuracy", "significance", METRIC])
def test_a_fifth_baseline_has_a_curve_of_its_own_colour(added: pd.DataFrame, metric: str) -> None:
    figure = performance_figure(with_metric(added, "accuracy"), metric)
    assert figure is not None
    assert METHOD in words_of(figure)
    (mark,) = (line for line in figure.axes[0].lines if line.get_label() == METHOD)
    assert mark.get_color() not in {GREY, *(style["color"] for style in STYLES.values())}
    colours = {line.get_color() for line in figure.axes[1].lines}
    assert mark.get_color() in colours  # it has its paired differences, too


@pytest.mark.parametrize("name", ["rankings", "completeness", "curves"])
def test_a_fifth_baseline_stands_in_every_table(added: pd.DataFrame, name: str) -> None:
    tables = run_tables(added, {METHOD: ranking(added, "attribution", METHOD)}, 5)
    assert METHOD in says(tables[name])


def test_a_metric_of_ones_own_stands_in_the_tables(added: pd.DataFrame) -> None:
    for like, table in (("accuracy", "curves"), ("n_eff", "events")):
        assert METRIC in run_tables(with_metric(added, like), {}, 5)[table]
    scores = as_rows(series(METRIC, METHOD, {"network_0": 0.5, "network_1": 0.7}))
    told = Names(metrics={METRIC: {"label": "my label", "unit": "1", "better": "lower"}})
    with printed_as(told):
        (line,) = run_tables(pd.concat([added, scores]), {}, 5)["other_metrics"].to_dict("records")
    assert (line["metric"], line["better"], line["method"]) == ("my label", "lower", METHOD)
    assert line["mean"] == pytest.approx(0.6)
    assert line["networks"] == 2


@pytest.mark.slow
def test_a_fifth_baseline_has_its_bars(added: pd.DataFrame, tmp_path: Path) -> None:
    render(tmp_path, added, printed_for(load_papers(CLAIMS_ROOT), "hep_baselines"))
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert names == {f"figure_{name}" for name in ("1", "2a", "2b", "3", "4", "5", "others")}
    for name in ("rankings", "curves"):
        assert METHOD in set(pd.read_csv(tmp_path / "tables" / f"{name}.csv")["method"])


def ranking_rows(experiment: str) -> pd.DataFrame:
    """Everything that any study of rankings measures, in two networks."""
    rng = np.random.default_rng(0)
    variants = {"hep_sample_counts": ("5", "10"), "hep_stability": ("seed", "both")}.get(experiment, VARIANTS)
    rows: list[dict[str, object]] = []
    for method in RANKED:
        for variant in variants:
            known: dict[str, object] = {"method": method, "variant": variant}
            for other in RANKED if experiment == "hep_weightings" else variants:
                rows += [known | {"metric": name, "other": other} for name in ("spearman", "top_overlap")]
            rows += [known | {"metric": name, "k": k} for name in ("accuracy", METRIC) for k in (1, 5)]
            rows += [known | {"metric": name} for name in ("seconds", "gradient_points")]
            rows += [known | {"metric": "rank", "feature": feature} for feature in ("HT", "MET")]
        rows.append({"method": method, "metric": "effective_baselines"})
    found = [
        row | {"unit": unit, "value": rng.uniform(0.5, 0.9)} for row in rows for unit in ("network_0", "network_1")
    ]
    return pd.DataFrame(found).astype({"k": "Int64"})


@pytest.mark.parametrize("experiment", FIGURES)
def test_a_ranking_of_ones_own_is_drawn_and_listed(experiment: str) -> None:
    tables = ranking_tables(experiment, ranking_rows(experiment))
    assert all(METHOD in says(table) for table in tables.values())
    assert METRIC in says(tables["other_metrics"])
    figure, caption = FIGURES[experiment](tables)
    assert len(caption) > 100
    if experiment != "hep_architectures":
        assert METHOD in words_of(figure)
    else:
        assert [axes.get_title() for axes in figure.axes].count("my method") == 1  # type: ignore[union-attr]
