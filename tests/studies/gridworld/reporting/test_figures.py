"""Figures of a run of shapley_gridworld, read back from their axes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import Drawing
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.reporting.figures import (
    FLOOR,
    LOOKS,
    agreement_figure,
    cost_figure,
    counts_of,
    looks_of,
    q_figure,
    studies_figure,
)
from igbaselines.studies.gridworld.reporting.states import states_figure
from tests.studies.gridworld.reporting.shapley_rows import FEATURES, METHODS, small_tables, write_example


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return small_tables()


def axes_of(drawing: Drawing) -> list[Axes]:
    figure, _ = drawing
    assert figure is not None
    return figure.axes


def y_of(axes: Axes, method: str, points: int) -> np.ndarray:
    """The heights of a method's curve, found by its look."""
    look = LOOKS[method]
    (line,) = (
        line
        for line in axes.lines
        if line.get_color() == look["color"]
        and line.get_marker() == look["marker"]
        and line.get_markerfacecolor() == look.get("markerfacecolor", look["color"])
        and len(np.asarray(line.get_xdata())) == points
    )
    return np.asarray(line.get_ydata(), float)


def test_every_method_has_a_look_of_its_own() -> None:
    assert set(METHODS) <= set(LOOKS)
    looks = {(look["color"], look["marker"], look.get("markerfacecolor")) for look in LOOKS.values()}
    assert len(looks) == len(LOOKS)
    mine = looks_of(pd.DataFrame({"method": ["mine", "exact", "another"]}))
    assert list(mine) == ["exact", "mine", "another"]
    assert not {(look["color"], look["marker"]) for name, look in mine.items() if name not in LOOKS} & {
        (look["color"], look["marker"]) for look in LOOKS.values()
    }


def test_cost_is_drawn_as_a_distance(tables: dict[str, pd.DataFrame]) -> None:
    cost = tables["cost"]
    figure, _ = cost_figure(cost)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["reference: zero", "reference: mean", "", ""]
    own = cost[(cost["method"] == "shapley_ig") & (cost["reference"] == "mean")]
    cosine, distance = (own.loc[own["metric"] == metric, "mean"] for metric in ("cosine", "proportions_l1"))
    np.testing.assert_allclose(y_of(figure.axes[1], "shapley_ig", 7), 1 - cosine)
    np.testing.assert_allclose(y_of(figure.axes[3], "shapley_ig", 7), distance)
    assert {axes.get_xscale() + axes.get_yscale() for axes in figure.axes} == {"loglog"}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == sorted(plot_label(method) for method in METHODS)


def test_exact_methods_stay_on_the_axis(tables: dict[str, pd.DataFrame]) -> None:
    """A similarity of one, or of one and a rounding, has no logarithm of its distance."""
    cost = tables["cost"]
    own = (cost["method"] == "kernel_shap") & (cost["metric"] == "cosine")
    cost = cost.assign(**{edge: cost[edge].mask(own, 1 + 1e-12) for edge in ("mean", "low", "high")})
    assert set(y_of(axes_of(cost_figure(cost))[0], "kernel_shap", 7)) == {FLOOR}


def test_q_is_drawn_in_percent(tables: dict[str, pd.DataFrame]) -> None:
    figure, _ = q_figure(tables["q"])
    assert figure is not None
    table = tables["q"]
    own = table[(table["method"] == "shapley_ig_paired") & (table["metric"] == "cosine")]
    np.testing.assert_allclose(y_of(figure.axes[0], "shapley_ig_paired", 5), own["mean"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1", "3", "10", "30", "100"]


def test_methods_are_sorted_and_plain_ig_is_ringed(tables: dict[str, pd.DataFrame]) -> None:
    figure, _ = agreement_figure(tables["agreement"])
    assert figure is not None
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    cosine = tables["agreement"].query("metric == 'cosine'").groupby("method")["mean"].mean()
    assert names == [plot_label(str(method)) for method in cosine.sort_values(ascending=False).index]
    for axes, ringed in zip(figure.axes, ("IG, zero", "IG, mean", "EG"), strict=True):
        (ring,) = (line for line in axes.lines if line.get_markersize() == 13)
        assert names[int(np.asarray(ring.get_ydata())[0])] == ringed


def test_a_panel_for_each_study(tables: dict[str, pd.DataFrame]) -> None:
    def titles(**shown: pd.DataFrame) -> list[str]:
        figure, _ = studies_figure(shown)
        return [] if figure is None else [axes.get_title() for axes in figure.axes]

    every = ["number of players", "interactions between features", "stability over the networks' seeds"]
    assert titles(**tables) == every
    assert titles(stability=tables["stability"]) == every[2:]
    assert titles(agreement=tables["agreement"]) == []


def test_counts_say_what_the_means_are_of(tables: dict[str, pd.DataFrame]) -> None:
    assert counts_of(tables["agreement"]) == "10 states, each averaged over 3 networks"
    assert counts_of(tables["stability"]) == "10 states"
    assert counts_of(tables["agreement"].assign(states=[9] + [10] * (len(tables["agreement"]) - 1))).startswith(
        "9 to 10"
    )


def test_a_state_is_drawn_with_its_picture_and_its_features(tmp_path: Path) -> None:
    states = [read_arrays(ExplainedState, write_example(tmp_path / f"{name}.npz")) for name in "abc"]
    figure, caption = states_figure(states)
    assert figure is not None
    pictures, bars = figure.axes[0::2], figure.axes[1::2]
    assert len(pictures) == len(bars) == 3
    assert np.array_equal(pictures[0].images[0].get_array(), states[0].world)  # type: ignore[arg-type]
    labels = [label.get_text() for label in bars[0].get_yticklabels()]
    assert labels[:2] == ["goal row = 3", "goal column = -2"]
    assert len(labels) == len(FEATURES)
    widths = [patch.get_width() for patch in bars[0].patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(widths[: len(FEATURES)], states[0].attributions[0])
    np.testing.assert_allclose(widths[len(FEATURES) : 2 * len(FEATURES)], states[0].attributions[1])
    assert "reference mean" in caption


def test_a_state_without_the_usual_methods_shows_those_it_has(tmp_path: Path) -> None:
    state = read_arrays(ExplainedState, write_example(tmp_path / "a.npz", methods=("exact", "mine_$1", "ig_zero")))
    figure, _ = states_figure([state])
    assert figure is not None
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["exact", r"mine_\$1"]
