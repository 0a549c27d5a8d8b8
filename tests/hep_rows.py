"""Rows as an experiment writes them, with a truth that is known because it was put in."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PROJECT_ROOT = Path(__file__).parents[1]
CLAIMS_ROOT = PROJECT_ROOT / "conf" / "claims"

BASELINES = ("zero_physical", "zero_standardised", "background", "background_weighted")
CONTROLS = (
    "single_feature_auc",
    "permutation_importance",
    "random_0",
    "random_1",
    "background_absolute",
    "background_magnitude",
)
K = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
FEATURES = (
    *("HT", "MET", "pT_l", "pT_j1", "pT_b", "pT_J", "tau21_b1", "tau32_b2", "dR_l_j1", "dR_j1_J"),
    *("m_j1", "m_j2", "m_j3", "m_b", "m_J", "m_l_j1", "m_j1_J", "m_l_j1_j2", "g_J", "Var_J"),
    *(f"Skew_{name}" for name in ("j1", "j2", "j3", "b", "J")),
    *(f"Kurt_{name}" for name in ("j1", "j2", "j3", "b")),
    "user_$50%<b>",
)
COLUMNS = (
    "experiment",
    "dataset",
    "model",
    "method",
    "metric",
    "unit",
    "seed",
    "value",
    "feature",
    "k",
    "process",
    "variant",
)

Row = dict[str, object]


def as_rows(rows: list[Row]) -> pd.DataFrame:
    known = {"experiment": "hep_baselines", "dataset": "hep_synthetic", "model": "swish_dnn", "seed": 0}
    return pd.DataFrame([known | row for row in rows], columns=list(COLUMNS)).astype({"k": "Int64", "value": float})


def series(metric: str, method: str, values: Mapping[str, object], **more: object) -> list[Row]:
    """One row for each unit."""
    return [{"metric": metric, "method": method, "unit": unit, "value": value} | more for unit, value in values.items()]


def curve_rows(metric: str, method: str, curves: Mapping[str, list[float]], ks: tuple[int, ...] = K) -> pd.DataFrame:
    """One curve for each unit."""
    return as_rows(
        [
            {"metric": metric, "method": method, "unit": unit, "k": k, "value": value}
            for unit, curve in curves.items()
            for k, value in zip(ks, curve, strict=True)
        ]
    )


def saturating(method: str, plateau: float) -> np.ndarray:
    """Performance against k that rises at a method's own pace and is the same with all features."""
    pace = {"zero_physical": 2.5, "zero_standardised": 3.0, "background": 2.0, "background_weighted": 1.9}
    curve = plateau * (1 - 0.12 * np.exp(-np.array(K) / pace.get(method, 6.0)))
    curve[-1] = plateau
    return np.asarray(curve)


def attribution_rows(method: str, networks: int, rng: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    strength = 2.0 * np.exp(-np.arange(len(FEATURES)) / 6) - 0.05
    for network in range(networks):
        values = strength * rng.uniform(0.8, 1.2, len(FEATURES))
        values[0] += 1  # HT leads in every network
        order = np.argsort(-values)
        ranks = np.empty(len(order))
        ranks[order] = np.arange(1, len(order) + 1)
        for name, value, rank in zip(FEATURES, values, ranks, strict=True):
            known = {"method": method, "unit": f"network_{network}", "feature": name}
            rows += [
                known | {"metric": "attribution", "value": value},
                known | {"metric": "attribution_magnitude", "value": abs(value) + rng.uniform()},
                known | {"metric": "rank", "value": rank},
            ]
    return rows


def performance_rows(method: str, networks: int, replicates: int, noise: Mapping[str, np.ndarray]) -> list[Row]:
    rows: list[Row] = []
    for network in range(networks):
        for metric, plateau in (("accuracy", 0.95), ("balanced_accuracy", 0.94), ("roc_auc", 0.98)):
            for k, value, shift in zip(K, saturating(method, plateau), noise["network"][network], strict=True):
                known = {"metric": metric, "method": method, "unit": f"network_{network}", "k": k}
                rows.append(known | {"value": value + shift})
    curve = saturating(method, 12.0)
    for place, k in enumerate(K):
        known = {"method": method, "unit": "pooled", "k": k}
        rows += [
            known | {"metric": "significance", "value": curve[place]},
            known | {"metric": "significance_mc_error", "value": 0.5},
            known | {"metric": "background_n_eff", "value": 25.0 + 5 * place - (20 if k == 1 else 0)},
        ]
        for replicate in range(replicates):
            value = curve[place] + noise["replicate"][replicate, place]
            rows.append(known | {"metric": "significance", "unit": f"bootstrap_{replicate:03d}", "value": value})
    return rows


def make_rows(networks: int = 5, replicates: int = 40, seed: int = 0) -> pd.DataFrame:
    """The rows of a small run of hep_baselines.

    HT leads everywhere; both averaged baselines beat both blank ones at every k; the noise that a network (or
    a replicate) brings to all methods is larger than the differences, so only a paired test sees them. N_eff
    is 5 at k = 1 and more than 10 beyond.
    """
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    shared = {"network": rng.normal(0, 0.01, (networks, 1)), "replicate": rng.normal(0, 0.5, (replicates, 1))}
    for method in (*BASELINES, *CONTROLS):
        rows += attribution_rows(method, networks, rng) if method in BASELINES else []
        noise = {name: shift + rng.normal(0, 0.0005, (len(shift), len(K))) for name, shift in shared.items()}
        for name, shift in shared.items():
            noise[name][:, -1] = shift[:, 0]  # with all features every ranking gives the same network
        rows += performance_rows(method, networks, replicates, noise)
        for part, value in (("median", 1e-6), ("q95", 1e-4), ("max", 1e-3)):
            units = {f"network_{network}": value for network in range(networks)}
            rows += series(f"completeness_gap_{part}", method, units) if method in BASELINES else []
    for place, feature in enumerate(FEATURES):
        worth = {f"network_{network}": 0.9 - 0.01 * place + rng.normal(0, 1e-3) for network in range(networks)}
        rows += series("feature_auc", "single_feature_auc", worth, feature=feature)
    every = [f"network_{network}" for network in range(networks)]
    for method, share in (("zero_physical", 0.99), ("zero_standardised", 0.2)):
        rows += series("share_nearer", method, {unit: share + rng.normal(0, 1e-3) for unit in every})
        rows += series("features_out_of_range", method, dict.fromkeys(every, round(5 * share)))
    for place, feature in enumerate(FEATURES):
        higher = {unit: 0.9 - 0.02 * place + rng.normal(0, 1e-3) for unit in every}
        rows += series("higher_in_signal", "events", higher, feature=feature)
    for count, agreement in (("1", 0.4), ("20", 0.9), ("200", 0.98)):
        found = {unit: agreement + rng.normal(0, 1e-3) for unit in every}
        rows += series("draw_agreement", "single_events", found, variant=count)
    raised = {unit: rng.normal(-0.3, 1e-2) for unit in every}
    rows += series("raised_attribution", "single_events", raised, feature="HT")
    for process, events, effective, cross_section in (
        ("signal", 5000.0, 5000.0, 0.237),
        ("tt1l", 4000.0, 1234.5, 1098.0),
        ("a|b_<c>", 99.0, 98.0, 1.5),
    ):
        known = {"method": "data", "unit": "all", "process": process}
        rows += [
            known | {"metric": "selected_events", "value": events},
            known | {"metric": "n_eff", "value": effective},
            known | {"metric": "cross_section", "value": cross_section},
        ]
    return as_rows(rows)


def of_which_retrained(rows: pd.DataFrame, networks: int) -> pd.DataFrame:
    """The rows of a run of which only the first networks were retrained: the others have no curves."""
    others = ~rows["unit"].isin([f"network_{network}" for network in range(networks)])
    return rows[~(others & rows["unit"].str.startswith("network_") & rows["k"].notna())]


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    return make_rows()


@pytest.fixture(scope="session")
def run_folder(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run's folder, rendered once for all tests."""
    folder = tmp_path_factory.mktemp("outputs") / "hep_baselines" / "demo-0123abcd"
    folder.mkdir(parents=True)
    return complete_run(folder, rows)


@pytest.fixture(scope="session")
def weighted() -> pd.DataFrame:
    """The rows of a run of weighted_gradients."""
    from tests.studies.images.reporting.weighted_rows import make_rows as make_weighted_rows

    return make_weighted_rows()


def complete_run(folder: Path, rows: pd.DataFrame) -> Path:
    from igbaselines.reporting.render import render_run

    render_run(folder, rows, {"experiment": "hep_baselines"}, CLAIMS_ROOT)
    (folder / "config.yaml").write_text("experiment: hep_baselines\n")
    (folder / "provenance.json").write_text('{"git_commit": "abc"}')
    (folder / "status.json").write_text('{"state": "complete"}')
    return folder
