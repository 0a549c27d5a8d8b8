"""Small datasets that several test modules share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from igbaselines.studies.hep.data.generated import SIGNAL
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection
from igbaselines.studies.hep.data.synthetic.dataset import HepSynthetic, Process
from igbaselines.studies.hep.data.synthetic.detector import Observed, observe
from igbaselines.studies.hep.data.synthetic.detector import least_parton_ht as least
from igbaselines.studies.hep.data.synthetic.processes import CHAINS, generate

CONFIG = Path(__file__).parents[4] / "conf" / "dataset" / "hep_synthetic.yaml"


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    """Values of the dataset's YAML file."""
    values = yaml.safe_load(CONFIG.read_text())
    values.pop("defaults", None)
    return dict(values)


@pytest.fixture(scope="session")
def detector(settings: dict[str, Any]) -> Detector:
    """The detector of the YAML file."""
    return Detector(**settings["detector"])


@pytest.fixture(scope="session")
def make_dataset(settings: dict[str, Any]) -> Callable[..., HepSynthetic]:
    """Build the dataset of the YAML file, small unless told otherwise.

    `keep` names its processes, `ht` and the like change its selection, anything else changes its fields.
    """
    cuts = tuple(settings["selection"])

    def make(*, keep: tuple[str, ...] = ("signal", "tt1l"), **overrides: Any) -> HepSynthetic:
        processes = {name: dict(settings["processes"][name]) for name in keep}
        backgrounds = [name for name in keep if name != SIGNAL]
        for name in backgrounds:
            processes[name]["share"] = 1 / len(backgrounds)
        values = settings | {
            "n_events": 300,
            "cross_section_error": 0.3,
            "selection": EventSelection(
                **settings["selection"] | {name: overrides.pop(name) for name in cuts if name in overrides}
            ),
            "reference_selection": EventSelection(**settings["reference_selection"]),
            "detector": Detector(**settings["detector"]),
            "processes": {name: Process(**process) for name, process in processes.items()},
        }
        return HepSynthetic(**(values | overrides))

    return make


@pytest.fixture(scope="session")
def observed(make_dataset: Callable[..., HepSynthetic]) -> Observed:
    """Signal events that pass the default selection."""
    dataset = make_dataset()
    chain, rng = replace(CHAINS["signal"], batch=6000), np.random.default_rng(3)
    state = generate(rng, chain, 0.0, least(dataset.selection))
    return observe(rng, state, dataset.detector, dataset.selection, 1.0)
