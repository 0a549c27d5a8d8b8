"""Small collisions for the tests of the Pythia dataset: what they need, and settings that are quick to fulfil."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from igbaselines.studies.hep.data.pythia.dataset import HepPythia, PythiaShare
from igbaselines.studies.hep.data.pythia.processes import Beam
from igbaselines.studies.hep.data.pythia.shards import EXTRA
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection

CONFIG = Path(__file__).parents[5] / "conf" / "dataset" / "hep_pythia.yaml"
SETTINGS: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
NEEDED = "needs pip install -e '.[pythia]'"
needs_pythia = pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in EXTRA), reason=NEEDED)

DETECTOR = Detector(**SETTINGS["detector"])
SURE = 1 - 1e-12  # the probabilities of a detector lie below one
PERFECT = replace(
    DETECTOR,
    tag_bottom=SURE,
    tag_charm=1e-12,
    tag_light=1e-12,
    lepton_efficiency=SURE,
    stochastic=0.0,
    constant=0.0,
    soft_met=0.0,
)
SELECTION = EventSelection(**SETTINGS["selection"])
LOOSE = EventSelection(ht=300.0, lepton_pt=30.0, fat_jet_pt=200.0, met=30.0, jets=3, b_tags=1)
BEAM = Beam(energy=14_000.0, mpi=False, prescale=0.2)


def small_dataset(**overrides: Any) -> HepPythia:
    """Signal and two ranges of a background, loosely selected: a few seconds of one core."""
    values: dict[str, Any] = {
        "n_events": 24,
        "signal_fraction": 0.5,
        "seed": 0,
        "shard_events": 6,
        "beam": BEAM,
        "selection": LOOSE,
        "detector": DETECTOR,
        "processes": {
            "signal": PythiaShare(1.0, [0.0], [1.0]),
            "tt1l": PythiaShare(1.0, [300.0, 500.0], [0.5, 0.5]),
        },
    }
    return HepPythia(**(values | overrides))
