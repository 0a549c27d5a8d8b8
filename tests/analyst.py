"""An analyst's ntuples, as they come: three backgrounds and a signal, with everything that makes them real.

MeV, jets as lists, -999 where a tau is not there, 8 % negative weights beyond leading order, a category, booleans, and
the numbers of runs and events. What tells the signal apart was put in: `meff` most, then `met`, and nothing else.
"""

from pathlib import Path
from typing import Any

import numpy as np

# events generated (all of them in the files), cross-section [fb], share of negative weights, shift of meff and met
PROCESSES: dict[str, tuple[int, float, float, float, float]] = {
    "ttbar": (6000, 450.0, 0.08, 0.0, 0.0),
    "wjets": (5000, 900.0, 0.12, -0.3, -0.2),
    "diboson": (4000, 40.0, 0.0, 0.2, 0.1),
    "signal": (6000, 2.0, 0.08, 2.2, 1.0),
}
LUMINOSITY = 140.0  # 1/fb


def branches(name: str, events: int, seed: int) -> dict[str, Any]:
    """The branches of so many events of a process."""
    import awkward as ak

    rng = np.random.default_rng((seed, list(PROCESSES).index(name)))
    _, _, negative, of_meff, of_met = PROCESSES[name]
    jets = rng.integers(1, 6, events)
    sign = np.where(rng.random(events) < negative, -1.0, 1.0)
    has_tau = rng.random(events) < 0.7

    def of_jets(values: np.ndarray) -> Any:
        return ak.unflatten(values.astype(np.float32), jets)

    total = int(jets.sum())
    return {
        "meff": (1e5 * (6 + of_meff + rng.normal(size=events))).astype(np.float32),  # MeV
        "met": (1e4 * (10 + 2 * of_met + 2 * rng.normal(size=events))).astype(np.float32),  # MeV
        "lep_pt": (1e3 * rng.exponential(40, events) + 25e3).astype(np.float32),
        "lep_eta": rng.uniform(-2.5, 2.5, events).astype(np.float32),
        "lep_type": rng.choice([11, 13], events).astype(np.int32),
        "is_tight": rng.random(events) < 0.8,
        "n_vertices": rng.poisson(30, events).astype(np.int32),
        "tau_score": np.where(has_tau, rng.random(events), -999).astype(np.float32),
        "dphi": rng.uniform(0, np.pi, events),
        "jet_pt": of_jets(1e3 * (25 + rng.exponential(60, total))),
        "jet_eta": of_jets(rng.uniform(-2.5, 2.5, total)),
        "jet_btag": of_jets(rng.random(total)),
        "mc_weight": sign * 17.5 * (1 + 0.2 * rng.random(events)),
        "eventNumber": np.arange(events, dtype=np.int64) + 10_000_000,
        "runNumber": np.full(events, 284500, dtype=np.int32),
    }


def write_root(folder: Path, scale: float = 1.0, seed: int = 0) -> None:
    """Write a ROOT file of each process, of ttbar two, each with a tree `nominal`."""
    import uproot

    for name, (events, *_) in PROCESSES.items():
        count = round(events * scale)
        found = branches(name, count, seed)
        parts = {"_0": slice(0, count // 2), "_1": slice(count // 2, count)} if name == "ttbar" else {"": slice(None)}
        for suffix, part in parts.items():
            with uproot.recreate(folder / f"{name}{suffix}.root") as file:
                file.mktree("nominal", {branch: _kind(values) for branch, values in found.items()})
                file["nominal"].extend({branch: values[part] for branch, values in found.items()})


def _kind(values: Any) -> Any:
    return values.dtype if isinstance(values, np.ndarray) else "var * float32"


CONFIGURATION = """
# my_conf/dataset/stops.yaml
defaults: [hep_ntuple, _self_]
folder: ntuples
weight: mc_weight
processes:
  ttbar: {files: [ttbar_*.root], cross_section: 450.0}
  wjets: {files: [wjets.root], cross_section: 900.0}
  diboson: {files: [diboson.root], cross_section: 40.0}
  signal: {files: [signal.root], cross_section: 2.0, signal: true}
jagged: {jet_*: 2}
categories: [lep_type]
exclude: [njet_*]
derived: {ht: sum(jet_pt), met_over_meff: met / meff}
missing: impute
negative_weights: pairwise
"""
