"""States of GridWorld beside the attributions of their value: exact Shapley values, and some methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.gridworld.reporting.figures import look_of
from igbaselines.studies.gridworld.reporting.rows import EXACT, PLAIN_IG, SAMPLING, SIG

MOST_STATES = 4
MOST_METHODS = 3  # beside the exact values
FEATURE = 0.34  # inches of a feature's bars


@dataclass(frozen=True)
class ExplainedState:
    """A state with its attributions, as the experiment left them.

    Args:
        title: what the state is.
        world: a picture of it.
        features: (d,) names.
        values: (d,) of the features in this state.
        attributions: method -> (d,).
        reference: of the attributions.
    """

    title: str
    world: UInt8[np.ndarray, "h w 3"]
    features: list[str]
    values: Float[np.ndarray, " d"]
    attributions: dict[str, Float[np.ndarray, " d"]]
    reference: str

    @property
    def shown(self) -> list[str]:
        """The methods drawn beside the exact values: plain IG of the reference, SIG and sampling before any others."""
        wanted = [PLAIN_IG.get(self.reference, ""), SIG, SAMPLING]
        found = [*(name for name in wanted if name in self.attributions), *self.attributions]
        return [name for name in dict.fromkeys(found) if name != EXACT][:MOST_METHODS]


def load_state(path: Path) -> ExplainedState:
    """Read an example; nothing in the file is run."""
    with np.load(path, allow_pickle=False) as file:
        return ExplainedState(
            title=str(file["title"]),
            world=file["world"],
            features=[str(name) for name in file["feature_names"]],
            values=file["feature_values"].astype(float),
            attributions={
                str(method): values.astype(float)
                for method, values in zip(file["methods"], file["attributions"], strict=True)
            },
            reference=str(file["reference"]),
        )


def states_figure(states: Sequence[ExplainedState]) -> Figure:
    """Draw each state: its picture on the left, the attributions of its features on the right.

    Args:
        states: at least one; more than two stand in two columns.
    """
    columns = 1 if len(states) <= 2 else 2
    lines = -(-len(states) // columns)
    height = 1.1 + FEATURE * max(len(state.features) for state in states)
    with page_style():
        figure = new_figure(8.4 * columns, height * lines)
        blocks = figure.subfigures(lines, columns, squeeze=False).flat
        for block, state in zip(blocks, states, strict=False):
            block.suptitle(plot_label(state.title), fontsize=12)
            picture, bars = block.subplots(1, 2, width_ratios=[2, 3])
            picture.imshow(state.world, interpolation="nearest")
            picture.axis("off")
            _bars(bars, state)
    return figure


def states_caption(states: Sequence[ExplainedState]) -> str:
    """Say what a figure of states shows."""
    references = ", ".join(dict.fromkeys(state.reference for state in states))
    return (
        "States of GridWorld, and what is attributed to their features (the title says of which output): exact Shapley "
        f"values (grey) and the methods' estimates, with the reference {references}. The agent is a blue disc, the key "
        "gold, the goal green; traps are red. These are examples: means over all states are in figure_agreement."
    )


def _bars(axes: Axes, state: ExplainedState) -> None:
    """Draw the exact value of a feature as a wide bar, and the methods as narrow ones on it."""
    places, width = np.arange(len(state.features)), 0.8 / MOST_METHODS
    if EXACT in state.attributions:
        exact = state.attributions[EXACT]
        axes.barh(places, exact, height=0.9, color="#CFCFCF", edgecolor="#777777", linewidth=0.8, label="exact")
    for place, method in enumerate(state.shown):
        heights = places + width * (place - (len(state.shown) - 1) / 2)
        values = state.attributions[method]
        axes.barh(heights, values, height=0.7 * width, color=look_of(method)["color"], label=plot_label(method))
    words = [
        f"{plot_label(_words(name))} = {value:g}" for name, value in zip(state.features, state.values, strict=True)
    ]
    axes.set_yticks(places, words)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(state.features) - 0.4, -0.6)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"attribution (reference: {state.reference})")
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")


def _words(name: str) -> str:
    return name.replace("_", " ")
