"""Studies of small photographs and networks with closed forms, which no file is read for."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from igbaselines.common.randomness import generator_for
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.networks.network import ImageNetwork, Probabilities
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.tasks import photograph_task
from igbaselines.tasks import Background, Task

SIDE, MEAN = 12, (0.4, 0.5, 0.6)


class Linear(nn.Module):
    """Classes that are linear in the pixels; it counts the pictures that it was differentiated at."""

    def __init__(self, curvature: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3, SIDE, SIDE, generator=generator_for(5)), requires_grad=False)
        self.curvature = curvature
        self.gradients = 0

    def forward(self, z: Tensor) -> Tensor:
        self.gradients += len(z) * z.requires_grad
        return torch.einsum("mchw,kchw->mk", z, self.weight) + self.curvature * (z**2).sum(dim=(1, 2, 3))[:, None]


def small_classifier(network: nn.Module, as_they_are: bool = False) -> PhotographClassifier:
    """The network behind a normalisation; its logits are explained."""
    pixels = ImageNetwork(network, MEAN, (0.2, 0.2, 0.2)).eval()
    scored = Probabilities(pixels.without_normalisation()) if as_they_are else Probabilities(pixels)
    return PhotographClassifier(
        explained=pixels,
        scored=scored,
        predicting=Probabilities(pixels),
        centre=pixels.mean,
        preprocessing=Preprocessing(SIDE, None, "bilinear"),
        minimum_top1=0.0,
        max_batch=3,
        device=torch.device("cpu"),
        as_they_are=as_they_are,
    )


def small_study(
    attribution: AttributionSettings, *networks: nn.Module, examples: Tensor | None = None, **named: Any
) -> PhotographStudy:
    """A study of one photograph, with six others as its background.

    Args:
        attribution: gives the methods.
        networks: the first is explained.
        examples: of the background.
        named: the run's methods and metrics.
    """
    nowhere = Path("nowhere")
    run = Run(Rows("e", "d", "m", 0), nowhere, nowhere, nowhere, torch.device("cpu"), 0, None, 1, **named)
    classifiers = [small_classifier(network) for network in networks]
    examples = torch.rand(6, 3, SIDE, SIDE, generator=generator_for(6)) if examples is None else examples
    background = Background(examples, classifiers[0].centre.expand_as(examples[0]))
    methods = attribution.methods() | dict(run.methods)
    return PhotographStudy(run, attribution, classifiers, background, [CHOSEN], methods, run.metrics)


CHOSEN = Chosen(Photograph("a.jpg", Path("a.jpg"), 1, None), predicted=1, probability=0.5, label="one")


def small_task(study: PhotographStudy, pixels: Tensor, name: str = "a.jpg", mask: Tensor | None = None) -> Task:
    """The task of pixels (c, h, w) in place of a file's, for the study's first network."""
    return photograph_task(name, pixels[None], torch.tensor([1]), mask, study.classifiers[0], study.background)
