"""States of GridWorld beside the attributions of their value: exact Shapley values, and some methods."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import name_lines
from igbaselines.reporting.style import Drawing, looks, new_figure, page_style
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.reporting.figures import LOOKS
from igbaselines.studies.gridworld.reporting.rows import EXACT, PLAIN_IG

MOST_STATES = 4
FEATURE = 0.34  # inches of a feature's bars


def states_figure(states: Sequence[ExplainedState]) -> Drawing:
    """Draw the first states: a picture on the left, the attributions of its features on the right."""
    states = states[:MOST_STATES]
    if not states:
        return None, ""
    columns = 1 if len(states) <= 2 else 2
    lines = -(-len(states) // columns)
    height = 1.1 + FEATURE * max(len(state.feature_names) for state in states)
    with page_style():
        figure = new_figure(8.4 * columns, height * lines)
        blocks = figure.subfigures(lines, columns, squeeze=False).flat
        for block, state in zip(blocks, states, strict=False):
            block.suptitle(plot_label(state.title), fontsize=12)
            picture, bars = block.subplots(1, 2, width_ratios=[2, 3])
            picture.imshow(state.world, interpolation="nearest")
            picture.axis("off")
            _bars(bars, state)
    references = ", ".join(dict.fromkeys(state.reference for state in states))
    return figure, (
        "States of GridWorld, and what is attributed to their features (the title says of which output): exact Shapley "
        f"values (grey) and the methods' estimates, with the reference {references}. The agent is a blue disc, the key "
        "gold, the goal green; traps are red. These are examples: means over all states are in figure_agreement."
    )


def _bars(axes: Axes, state: ExplainedState) -> None:
    """Draw the exact value of a feature as a wide bar, and the methods as narrow ones on it."""
    places = np.arange(len(state.feature_names))
    found = {str(method): values for method, values in zip(state.methods, state.attributions, strict=True)}
    exact = found.pop(EXACT, None)
    for other in set(PLAIN_IG.values()) - {PLAIN_IG.get(state.reference)}:
        found.pop(other, None)  # what it explains starts from another reference
    if exact is not None:
        axes.barh(places, exact, height=0.9, color="#CFCFCF", edgecolor="#777777", linewidth=0.8, label="exact")
    width = 0.8 / max(len(found), 1)
    for place, (method, look) in enumerate(looks(found, LOOKS).items()):
        heights = places + width * (place - (len(found) - 1) / 2)
        axes.barh(heights, found[method], height=0.7 * width, color=look["color"], label=plot_label(method))
    named = zip(state.feature_names, state.feature_values, strict=True)
    name_lines(axes, [f"{plot_label(str(name).replace('_', ' '))} = {value:g}" for name, value in named])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"attribution (reference: {state.reference})")
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
