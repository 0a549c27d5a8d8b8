"""A run of shapley_gridworld as its experiment leaves it, with a truth that was put in."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.common.arrays import write_arrays
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.data.features import FEATURES as ALL_FEATURES

REFERENCES = ("zero", "mean", "background")
SAMPLERS = ("shapley_sampling", "shapley_sampling_paired")
SIGS = ("shapley_ig", "shapley_ig_paired")
METRICS = ("cosine", "proportions_l1", "spearman", "kendall", "top1", "sign_agreement", "efficiency_gap")
MAIN, PLAYERS = 256, 10
FEATURES = ALL_FEATURES[:PLAYERS]
# 1 - cosine that stays however much is spent: plain IG from the same reference is nearer than SIG is.
BIAS = {
    "zero": {"ig_zero": 0.10, "ig_mean": 0.30, "expected_gradients": 0.36, "shapley_ig": 0.17},
    "mean": {"ig_zero": 0.28, "ig_mean": 0.05, "expected_gradients": 0.24, "shapley_ig": 0.10},
    "background": {"ig_zero": 0.31, "ig_mean": 0.13, "expected_gradients": 0.08, "shapley_ig": 0.12},
}
ANYWHERE = {"ig_uniform": 0.42, "ig_gaussian": 0.33, "ig_max_distance": 0.55}
ANYWHERE |= {"shapley_ig_uniform": 0.2, "shapley_sampling": 0.0, "shapley_sampling_paired": 0.0, "kernel_shap": 0.0}
NOISE = {"shapley_ig": 2.0, "shapley_sampling": 8.0, "kernel_shap": 1.5, "expected_gradients": 2.0}  # falls with budget
METHODS = (*BIAS["zero"], "shapley_ig_paired", *ANYWHERE)


def error(method: str, reference: str, budget: float) -> float:
    """1 - cosine of a method; pairs halve the noise."""
    known = method.removesuffix("_paired")
    noise = NOISE.get(known, 0.0) / budget / (2 if known != method else 1)
    return (BIAS[reference] | ANYWHERE)[known] + noise + 1e-4


class Maker:
    """Collects rows; a state is as hard for all methods as it is for one, so that only paired tests see differences."""

    def __init__(self, states: int, networks: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.units = [f"world_{number}" for number in range(states)]
        self.networks = networks
        self.hard = np.random.default_rng(7).lognormal(0, 0.5, (states, 1))
        self.frames: list[pd.DataFrame] = []

    def add(self, metrics: tuple[str, ...], size: float, networks: int | None = None, **known: Any) -> None:
        count = networks or self.networks
        errors = self.hard * size * self.rng.lognormal(0, 0.25, (len(self.units), count))
        for metric in metrics:
            values = measured(metric, np.clip(errors, 0, 1.9), self.rng)
            self.frame(metric, values, [f"network_{number}" for number in range(count)], **known)

    def frame(self, metric: str, values: np.ndarray, networks: list[str | None], **known: Any) -> None:
        found = {"metric": metric, "value": values.ravel(), "unit": np.repeat(self.units, len(networks))}
        found |= {"network": np.array(networks * len(self.units), dtype=object)}
        self.frames.append(pd.DataFrame(found | known))


def measured(metric: str, errors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The metrics of an attribution whose cosine is 1 - error."""
    noise = rng.normal(0, 0.02, errors.shape) * (errors > 0.001)
    if metric == "cosine":
        return np.asarray(1 - errors)
    if metric == "proportions_l1":
        return np.asarray(np.clip(1.3 * np.sqrt(errors), 0, 2))
    if metric == "top1":
        return (rng.uniform(size=errors.shape) > errors).astype(float)
    if metric == "efficiency_gap":
        return np.abs(noise)
    return np.clip(1 - {"spearman": 0.9, "kendall": 1.3, "sign_agreement": 0.4}[metric] * errors + noise, -1, 1)


def make_rows(states: int = 40, networks: int = 3, seed: int = 0) -> pd.DataFrame:
    """The rows of a run: sampling is unbiased, SIG is not, and plain IG from the same reference is nearer than SIG."""
    make = Maker(states, networks, seed)
    two = METRICS[:2]
    main: dict[str, Any] = {"players": PLAYERS, "interactions": True}
    for method in METHODS:
        for reference in REFERENCES:
            known: dict[str, Any] = {"reference": reference, "method": method, **main}
            make.add(METRICS, error(method, reference, MAIN), **known, study="agreement", evaluations=MAIN)
            for budget in (16, 32, 64, 128, 256, 512, 1024) if reference != "background" else ():
                # One smooth path has converged with 64 points, and more are not spent.
                spent = min(budget, 64) if method.startswith("ig_") and method != "ig_uniform" else budget
                if method != "kernel_shap" or budget > PLAYERS:
                    make.add(two, error(method, reference, spent), **known, study="cost", evaluations=spent)
    for method in SIGS + SAMPLERS:
        for q in (0.01, 0.03, 0.1, 0.3, 1.0):
            size = 1e-6 if q == 1 and method in SAMPLERS else error(method, "mean", 60 * q * 10)
            known = {"reference": "mean", "method": method, **main}
            make.add(two, size, **known, study="q", q=q, evaluations=q * 2**PLAYERS * 4)
    few: dict[str, Any] = {"reference": "mean", "evaluations": MAIN, "networks": min(2, networks)}
    for method in ("ig_zero", "ig_mean", "shapley_ig", "shapley_sampling"):
        for players in (8, 12, 14):
            size = error(method, "mean", MAIN) * players / PLAYERS
            make.add(two, size, **few, method=method, study="players", players=players, interactions=True)
        size = 0.28 if method == "ig_zero" else 1e-9
        make.add(two, size, **few, method=method, study="interactions", players=PLAYERS, interactions=False)
    for method in ("exact", *METHODS):
        size = 0.03 + (error(method, "mean", MAIN) / 3 if method != "exact" else 0)
        values = 1 - make.hard * size * make.rng.lognormal(0, 0.2, make.hard.shape)
        known = {"study": "stability", "method": method, "reference": "mean"}
        make.frame("stability_cosine", values, [None], **known)
        make.frame("stability_spearman", values - 0.02, [None], **known)
    frames = [*make.frames, pd.DataFrame(network_rows(networks, make.rng) + time_rows(networks, make.rng))]
    common: dict[str, Any] = {
        "experiment": "shapley_gridworld",
        "dataset": "gridworld",
        "model": "grid_value_mlp",
        "seed": 0,
    }
    return pd.concat(frames, ignore_index=True).assign(**common).astype({"players": "Int64", "value": float})


@cache
def small_run() -> pd.DataFrame:
    """A run of ten states and three networks, made once for all tests: none may change it."""
    return make_rows(states=10, networks=3)


@cache
def small_tables() -> dict[str, pd.DataFrame]:
    """Its tables, likewise."""
    from igbaselines.studies.gridworld.reporting.tables import run_tables

    return run_tables(small_run())


def network_rows(networks: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    metrics = {"r2_value": 0.94, "r2_action": 0.93, "greedy_success": 0.88, "optimal_success": 0.97}
    kinds = [(PLAYERS, True, networks), (8, True, min(2, networks)), (PLAYERS, False, min(2, networks))]
    known = {"study": "network", "method": "network"}
    return [
        known
        | {"metric": metric, "value": value + rng.normal(0, 0.005), "unit": f"network_{number}"}
        | {"players": players, "interactions": interactions}
        for players, interactions, count in kinds
        for number in range(count)
        for metric, value in metrics.items()
    ]


def time_rows(networks: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    seconds = {
        "ig_mean": 0.0003,
        "ig_uniform": 0.001,
        "shapley_ig": 0.0013,
        "shapley_sampling": 0.0006,
        "kernel_shap": 0.02,
    }
    return [
        {"study": "time", "method": method, "metric": metric, "unit": f"network_{number}"}
        | {"value": share * value * rng.lognormal(0, 0.05)}
        for method, value in seconds.items()
        for number in range(networks)
        for metric, share in (("seconds", 1.0), ("seconds_per_point", 1 / MAIN))
    ]


def write_example(path: Path, methods: tuple[str, ...] = ("exact", "ig_mean", "shapley_ig", "kernel_shap")) -> Path:
    """A state as the experiment leaves it; every world has its own picture and attributions."""
    rng = np.random.default_rng(len(path.stem) + ord(path.stem[-1]))
    picture = np.full((7, 7, 3), 245, dtype=np.uint8)
    picture[[0, -1]] = picture[:, [0, -1]] = picture[:, 3] = (60, 60, 70)
    for cell, colour in ((rng.integers(1, 6), (200, 40, 40)), (rng.integers(1, 6), (30, 90, 200))):
        picture[cell, rng.integers(1, 3)] = colour
    exact = rng.normal(0, 0.2, len(FEATURES)) * np.linspace(2, 0.3, len(FEATURES))
    attributions = [exact + rng.normal(0, 0.03 * place, len(FEATURES)) for place in range(len(methods))]
    example = ExplainedState(
        world=np.repeat(np.repeat(picture, 24, axis=0), 24, axis=1),
        feature_names=np.array(FEATURES),
        feature_values=np.array([3.0, -2, 0, 4, 1, 1, 1, 0, -1, 2]),
        methods=np.array(methods),
        attributions=np.array(attributions),
        reference="mean",
        title=f"{path.stem}: predicted value 0.62",
    )
    write_arrays(path, example)
    return path
