"""Events: Pythia's collisions with jets and features against Pythia alone, synthetic ones."""

import math
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir

from benchmarks.turns import Candidate, Job, Work
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate

OURS, LIMIT = "igbaselines", "limit: Pythia and its vetoes alone"
EVENTS, LEAST_PT_HAT = 20, 250.0  # a batch; GeV, as in the demo's second stratum


def jobs(quick: bool) -> list[Job]:
    """Both generators."""
    batches, events = (1, 500) if quick else (5, 10_000)
    pythia = [Candidate(OURS, partial(collisions, True)), Candidate(LIMIT, partial(collisions, False))]
    synthetic = Candidate("igbaselines, 1 process", partial(made, events))
    title = f"Pythia: {batches * EVENTS} collisions of tt1l from {LEAST_PT_HAT:.0f} GeV that are not vetoed, features"
    return [
        Job("pythia", title, f"batches of {EVENTS}", batches, pythia, limit=LIMIT),
        Job("synthetic-events", f"Synthetic collisions: {events:,} selected events", "all events", 1, [synthetic]),
    ]


def collisions(features: bool) -> Work:
    """Collisions, and with `features` all that is made of them."""
    from igbaselines.studies.hep.data.pythia.collisions import PythiaCollisions
    from igbaselines.studies.hep.data.pythia.detector import see
    from igbaselines.studies.hep.data.pythia.features import pythia_features

    dataset, rng = _dataset("hep_pythia"), np.random.default_rng(0)
    source = PythiaCollisions("tt1l", (LEAST_PT_HAT, math.inf), dataset.beam, dataset.detector, dataset.selection, (0,))
    source.batch(1)  # the first event takes what is made once

    def work(batches: int) -> None:
        for _ in range(batches):
            batch = source.batch(EVENTS)
            if features:
                seen, _ = see(rng, batch, dataset.detector, dataset.selection, source.prescale)
                pythia_features(seen, dataset.detector.fat_jet_radius)

    return work


def made(events: int) -> Work:
    """Events made anew, written and read."""
    dataset = _dataset("hep_synthetic", f"dataset.n_events={events}", "dataset.cross_section_error=0.3")

    def work(_: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            dataset.load(Path(folder), workers=1)

    return work


def _dataset(name: str, *overrides: str) -> Any:  # noqa: ANN401 (as the configuration says)
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return instantiate(compose("config", [f"dataset={name}", *overrides]).dataset)
