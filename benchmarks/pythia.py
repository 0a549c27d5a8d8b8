"""How many selected events a core makes a second: Pythia's generation against the trial that the suite began from.

    python -m benchmarks.pythia [--seconds 20]

CPU time of one process; selection and least pTHat as in that trial (H_T > 600, p_T^l > 40, p_T^J > 300 GeV).
"""

import argparse
import dataclasses
import math
import time

import numpy as np
from hydra import compose, initialize_config_dir

from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.hep.data.pythia.collisions import PythiaCollisions
from igbaselines.studies.hep.data.pythia.dataset import HepPythia
from igbaselines.studies.hep.data.pythia.detector import see
from igbaselines.studies.hep.data.pythia.features import pythia_features
from igbaselines.studies.hep.data.reconstruction import EventSelection

SELECTION = EventSelection(ht=600.0, lepton_pt=40.0, fat_jet_pt=300.0, met=30.0, jets=3, b_tags=1)
TRIAL = {"signal": (0.0, 122), "tt1l": (250.0, 41), "wj": (300.0, 5)}  # least pTHat [GeV], selected events / s / core
BATCH = 200


def main() -> None:
    """Print one line a process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="CPU time for each process")
    seconds = parser.parse_args().seconds
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        dataset: HepPythia = instantiate(compose("config", ["dataset=hep_pythia"]).dataset)
    for name in TRIAL:
        rate, cross_section, error = measure(dataclasses.replace(dataset, selection=SELECTION), name, seconds)
        trial = TRIAL[name][1]
        print(
            f"{name:<7} {rate:6.1f} selected events per CPU second ({rate / trial:.1f} times the trial's {trial}), "
            f"{cross_section:.4g} +- {error:.2g} fb"
        )


def measure(dataset: HepPythia, name: str, seconds: float) -> tuple[float, float, float]:
    """Selected events per CPU second, and their cross-section with its counting error [fb]."""
    rng = np.random.default_rng(0)
    pt_hat = TRIAL[name][0], math.inf
    collisions = PythiaCollisions(name, pt_hat, dataset.beam, dataset.detector, dataset.selection, (0,))
    collisions.batch(1)  # the first event takes what is made once
    start, weights = time.process_time(), [np.zeros(0)]
    while time.process_time() - start < seconds:
        seen, _ = see(rng, collisions.batch(BATCH), dataset.detector, dataset.selection, collisions.prescale)
        pythia_features(seen, dataset.detector.fat_jet_radius)
        weights.append(seen.weight)
    spent = time.process_time() - start
    weight = np.concatenate(weights) * collisions.cross_section / collisions.accepted
    return len(weight) / spent, float(weight.sum()), float(np.sqrt((weight**2).sum()))


if __name__ == "__main__":
    main()
