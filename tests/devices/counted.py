"""What a GPU would be asked for, counted on a pretended one: `python counted.py photographs|hep|gridworld|precision`.

Run in a process of its own: the pretended device has to be there before the first backward pass. Prints JSON.
"""

import json
import logging
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from pretend_cuda import PretendCuda
from torch import nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.attribution.baselines import Examples, UniformNoise, ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch
from igbaselines.attribution.image_baselines import Constant, CornerMean
from igbaselines.command_line import act
from igbaselines.common.devices import TF32
from igbaselines.metrics.perturbation_curves import ShareGrid
from igbaselines.running.command import run_command
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.hep.networks.recipe import DNNRecipe
from igbaselines.studies.hep.networks.training import _Training
from igbaselines.studies.hep.networks.training_data import TrainingData
from igbaselines.studies.images.data.photographs import Photograph, Photographs
from igbaselines.studies.images.experiments import classifier, weighted_gradients
from igbaselines.studies.images.experiments.settings import ImageAttribution, WeightedGradientsEvaluation
from igbaselines.studies.images.networks.recipe import ImageModel

SIDE, COUNT = 32, 16
PAPER = ImageAttribution(
    method="weighted_gradients",
    protocol=None,
    rule=GaussLegendre(16),
    baselines={
        "black": ZeroBaseline(),
        "white": Constant(1.0),
        "grey": Constant(0.5),
        "uniform": UniformNoise(2),
        "photograph": Examples(1),
    },
    reference_images=32,
    search=BinarySearch(
        tolerance=0.0
    ),  # of noise most scores are near alpha f(x) at once: here searches go to their end
    fitness_mask=CornerMean(),
    filter_below=0.25,
    scored="normalised",
    same_draws=False,
    precision="float32",
)
JUDGED = WeightedGradientsEvaluation(
    mask=CornerMean(),
    grid=ShareGrid(100),
    ranking="signed",
    overlap="paper",
    examples=0,
    insertion=["expected_gradients", "weighted_gradients"],
    removed=[1, 2, 3, 4, 5],
    draws=200,
    ladder=[],
    ladder_photographs=0,
    study="tables",
)


@dataclass
class Small(ImageModel):
    """A network of a few layers: what is counted beside its passes is the suite's own."""

    architecture: str = "small"
    size: int = SIDE
    short_side: int | None = None

    def build(self) -> nn.Module:
        """Three classes."""
        torch.manual_seed(1)
        last = nn.Linear(400, 3)
        last.weight.data *= 20  # sure of its class, so that there is something to lose
        return nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.SiLU(), nn.Flatten(), last)


class LeftHalf:
    """The object of every photograph."""

    def mask(self, photograph: object, predicted: int) -> np.ndarray:
        """A half."""
        return np.arange(SIDE)[None] < np.full((SIDE, 1), SIDE // 2)


@dataclass(frozen=True)
class Noise:
    """Photographs without a file."""

    found: list[Photograph] = field(default_factory=list)

    def checksum(self) -> None:
        """Of no file."""

    def photographs(self) -> Photographs:
        """Of noise."""
        noise = np.random.default_rng(1).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
        return Photographs([Photograph(f"p{i}", Image.fromarray(one), None, LeftHalf()) for i, one in enumerate(noise)])


def photographs(device: str, folder: Path) -> Any:
    """The rows of a run of `weighted_gradients` at the paper's settings."""
    rows = Rows("e", "d", "m", 0)
    # The pretended device has no use for a copy made for gradients.
    run = Run(rows, folder / "checkpoints", folder, folder, torch.device(device), 0, None, 1, fast_paths=False)
    weighted_gradients.run(run, Noise(), Small(), PAPER, JUDGED)
    return rows.frame()


def count_photographs(folder: Path) -> dict[str, float]:
    """Of a photograph waits and launches; passes of all photographs; the largest difference of rows."""
    probe = patch.object(classifier, "say_how_fast")  # has passes of its own
    with probe, PretendCuda(total_memory=2**33, program="igbaselines") as cuda, cuda.recorded() as seen:
        found = photographs("cuda", folder / "cuda")
    expected = photographs("cpu", folder / "cpu")
    assert found.drop(columns="value").equals(expected.drop(columns="value"))
    difference = (found["value"] - expected["value"]).abs().max()
    return {
        "waits": seen.waits() / COUNT,
        "launches": seen.launches / COUNT,
        "passes": sum(times for (name, _), times in seen.rows.items() if "convolution" in name),
        "difference": float(difference),
    }


@dataclass
class Noting(Small):
    """The small network, which notes whether TF32 is allowed in its passes, with a gradient and without."""

    def build(self) -> nn.Module:
        """Three classes."""
        network = super().build()
        network.register_forward_hook(lambda *_: note("forward" if torch.is_grad_enabled() else "scored"))
        network.register_full_backward_hook(lambda *_: note("backward"))
        return network


noted: dict[str, list[bool]] = {"forward": [], "backward": [], "scored": []}


def note(place: str) -> None:
    """Whether TF32 is allowed just now."""
    noted[place].append(all(getattr(of, name) == yes for of, name, _, yes in TF32))


def count_precision(folder: Path) -> dict[str, Any]:
    """Where TF32 is allowed while a photograph is explained and scored; what the log says of layouts."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("igbaselines").addHandler(handler)
    logging.getLogger("igbaselines").setLevel(logging.INFO)
    with PretendCuda(total_memory=2**33, program="igbaselines"):
        device = torch.device("cuda")
        run = Run(Rows("e", "d", "m", 0), folder, folder, folder, device, 0, 4, 1, fast_paths=False)
        of = classifier.load_classifier(Noting(), replace(PAPER, precision="tf32"), run)
        for places in noted.values():
            places.clear()
        x, target = torch.rand(1, 3, SIDE, SIDE).to(device), torch.tensor([1]).to(device)
        path_attribution(of.explained, x, 0.0, rule=GaussLegendre(8), target=target, max_batch=4)
        with torch.no_grad():
            of.scored(x)
    return {**{name: sorted(set(places)) for name, places in noted.items()}, "said": said}


def count_hep(folder: Path) -> dict[str, float]:
    """Of an epoch of eight networks: launches a network and step, and waits."""
    networks, features, events = 8, 20, 8192
    recipe = DNNRecipe(
        hidden=[128, 128],
        dropout=0.2,
        learning_rate=2e-3,
        weight_decay=1e-4,
        batch_size=512,
        epoch_events=6144,
        max_epochs=5,
        patience=3,
        networks_at_once=networks,
    )
    with PretendCuda(total_memory=2**33, program="igbaselines") as cuda:
        x, order = torch.randn(events, features).to("cuda"), torch.arange(events).to("cuda")
        data = TrainingData(x, (x[:, 0] > 0).float(), order[:6144], order[6144:])
        training = _Training(data, torch.ones(networks, features, dtype=torch.bool), recipe, (1,))
        with cuda.recorded() as seen:
            training.epoch()
    return {"launches": seen.launches / networks / 12, "waits": seen.waits()}


def count_gridworld(folder: Path) -> dict[str, float]:
    """Of a run at smoke scale."""
    words = ["experiment=shapley_gridworld", "scale=smoke", "device=cuda", f"output_root={folder}"]
    with PretendCuda(total_memory=2**33, program="igbaselines") as cuda, cuda.recorded() as seen:
        code = run_command(words, act)
    return {"code": code, "waits": seen.waits(), "launches": seen.launches}


if __name__ == "__main__":
    counts = {
        "photographs": count_photographs,
        "hep": count_hep,
        "gridworld": count_gridworld,
        "precision": count_precision,
    }
    with tempfile.TemporaryDirectory() as temporary:
        found = counts[sys.argv[1]](Path(temporary))
    print(json.dumps(found))
