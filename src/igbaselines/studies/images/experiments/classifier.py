"""An image network as the experiments use it: what is explained, what is scored, and how photographs come in."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.engine.chunking import automatic_max_batch
from igbaselines.common.devices import has_tf32
from igbaselines.common.errors import UserError
from igbaselines.models.inference import for_gradients
from igbaselines.models.probe import say_how_fast
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.experiments.reading import Reader
from igbaselines.studies.images.experiments.settings import ImageAttribution
from igbaselines.studies.images.networks.network import TF32, Bfloat16, ImageNetwork, Probabilities, state_checksum
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Function, Score, class_score

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotographClassifier:
    """A network whose classes of photographs are explained."""

    explained: nn.Module  # pixels -> the explained output of every class; differentiated by the engine
    scored: Function  # pixels -> the probability of every class, for fitness and metrics
    predicting: Probabilities  # pixels -> the probability of every class, of the network as it is used
    centre: Float[Tensor, "3 1 1"]  # the colour that normalisation maps to zero
    preprocessing: Preprocessing  # from a photograph to pixels
    minimum_top1: float  # below this the run warns
    max_batch: int  # gradient points, and pictures scored, in one pass
    device: torch.device  # where it computes
    published: Mapping[str, Any] = field(default_factory=dict)  # what timm says of the weights
    labels: Sequence[str] | None = None  # the user's names of its classes
    readers: int = 0  # processes that decode photographs ahead of their turn
    as_they_are: bool = False  # whether `scored` takes pixels as they are, without the normalisation that is explained

    @cached_property
    def reader(self) -> Reader:
        """What reads photographs for it."""
        return Reader(self.preprocessing, self.device, self.readers)

    @cached_property
    def outputs(self) -> int:
        """How many classes the network has; a UserError says if its output is none of classes."""
        side = self.preprocessing.size
        with torch.no_grad():
            output = self.predicting(torch.zeros(1, 3, side, side, device=self.device))
        if output.ndim != 2 or output.shape[1] < 2:
            shape = tuple(output.shape)
            raise UserError(f"the network makes {shape} of a photograph: a classifier gives (1, classes), two or more")
        return int(output.shape[1])

    @torch.no_grad()
    def predict(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
        """Return the probability and the index of the most probable class."""
        probability, predicted = self.predicting(pixels).max(dim=1)
        return probability, predicted

    @torch.no_grad()
    def score(self, pixels: Float[Tensor, "n 3 h w"], targets: Int[Tensor, " n"]) -> Score:
        """The probability that deletion and fitness follow.

        That of the explained class; of pixels as they are that of their own top class, which can be another.
        """
        return class_score(self.scored, self.scored(pixels).argmax(dim=1) if self.as_they_are else targets)


def load_classifier(
    model: ImageModel, attribution: AttributionSettings, run: Run, prefix: str = ""
) -> PhotographClassifier:
    """Load a network, on the run's device, made for input gradients; its weights' checksum goes into the run.

    `prefix` begins the checksums' names, where a run has several networks. What is scored, and in which precision
    gradients are taken: the normalised photograph and float32 where the attribution does not say.

    Raises:
        UserError: where the device does not have that precision.
    """
    precision_of(attribution, run.device)  # asked before a network is loaded, or fetched
    network = model.load(run.device)
    run.checksums[f"{prefix}weights"] = state_checksum(network)
    if (checkpoint := model.checksum()) is not None:
        run.checksums[f"{prefix}checkpoint"] = checkpoint
    classifier = classifier_of(network, model, attribution, run)
    if run.device.type == "cuda":
        side = classifier.preprocessing.size
        say_how_fast(classifier.explained, torch.zeros(1, 3, side, side, device=run.device), classifier.max_batch)
    return classifier


def precision_of(attribution: AttributionSettings, device: torch.device) -> str:
    """In which gradients are taken: float32 where the attribution does not say.

    Raises:
        UserError: where the device does not have it.
    """
    precision = attribution.precision if isinstance(attribution, ImageAttribution) else "float32"
    if precision == "tf32" and not has_tf32(device):
        raise UserError(
            f"attribution.precision=tf32: device={device} has no TF32, which NVIDIA GPUs have from compute capability "
            "8.0 (Ampere) on; float32 and bfloat16 are to be had here"
        )
    return precision


def classifier_of(
    network: ImageNetwork, model: ImageModel, attribution: AttributionSettings, run: Run
) -> PhotographClassifier:
    """Make a classifier of a network that is on the run's device, made for input gradients.

    The model says how photographs come in.
    """
    of_images = attribution if isinstance(attribution, ImageAttribution) else None
    as_they_are = of_images is not None and of_images.scored == "as_they_are"
    side = model.preprocessing.size
    point = torch.zeros(1, 3, side, side, device=run.device)
    fast = for_gradients(network) if run.fast_paths else network
    if not isinstance(fast, ImageNetwork):
        fast = network  # it could not be copied
    with torch.no_grad():
        fast(point)  # its first call checks it, and parts of it are taken below
    probabilities = Probabilities(fast)
    differentiated = fast
    precision = precision_of(attribution, run.device)
    if precision != "float32":
        log.warning("gradients in %s: attributions differ visibly from those in float32 (docs/speed.md)", precision)
        differentiated = {"bfloat16": Bfloat16, "tf32": TF32}[precision](fast)
    explained: nn.Module = Probabilities(differentiated) if attribution.output == "probability" else differentiated
    if not run.fast_paths:
        explained = nn.Sequential(explained)  # hides the stem
    scored = Probabilities(fast.without_normalisation()) if as_they_are else probabilities
    max_batch = run.max_batch or automatic_max_batch(explained, point)
    log.info("%s: %d pictures at once", model.architecture, max_batch)
    return PhotographClassifier(
        explained=explained,
        scored=scored,
        predicting=probabilities,
        centre=fast.mean.view(3, 1, 1),
        preprocessing=model.preprocessing,
        minimum_top1=model.minimum_top1,
        max_batch=max_batch,
        device=run.device,
        published=getattr(network.network, "pretrained_cfg", None) or {},
        labels=model.class_labels(),
        readers=run.workers if run.device.type == "cuda" else 0,
        as_they_are=as_they_are,
    )
