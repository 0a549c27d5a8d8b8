"""Rows of a comparison made by hand: what each method is worth by each metric, and noise around it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from igbaselines.metrics.base import KNOWN, MOVES, STABLE
from igbaselines.running.rows import Names

QUESTIONS = {
    "deletion": ("lower", MOVES),
    "insertion": ("higher", MOVES),
    "cosine": ("higher", KNOWN),
    "stability": ("higher", STABLE),
    "sparseness": ("higher", ""),  # asks nothing
    "cost": ("lower", ""),
    "seconds": ("lower", ""),
}
NAMES = Names(
    {"good": r"$G_{\mathrm{best}}$", "random_map": "random map"},
    {
        name: {"label": name.capitalize(), "unit": "1", "better": better, "question": question}
        for name, (better, question) in QUESTIONS.items()
    },
)
Worth = Mapping[str, Mapping[str, float]]  # method -> metric -> mean


def rows_of(
    worth: Worth,
    *,
    domain: str = "tables",
    budget: int | None = 64,
    data: Sequence[str] = ("wine",),
    networks: int = 1,
    inputs: int = 40,
    noise: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """A row for each data set, network, input, method and metric; a method that has no `cost` spends 64."""
    rng = np.random.default_rng(seed)
    units = [
        (of, f"{of} network_{at}", f"{of}_{unit}") for of in data for at in range(networks) for unit in range(inputs)
    ]
    tables = []
    for method, means in worth.items():
        fixed = {"cost": 64.0, "seconds": 0.002}
        for metric, mean in (fixed | dict(means)).items():
            spread = 0.0 if metric in fixed else noise
            found = pd.DataFrame(units, columns=["data", "network", "unit"])
            values = mean + spread * rng.normal(size=len(found))
            tables.append(found.assign(method=method, metric=metric, value=values, domain=domain, budget=budget))
    return pd.concat(tables, ignore_index=True)
