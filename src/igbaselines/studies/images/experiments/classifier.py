"""An image network as the experiments use it: what is explained, what is scored, and how photographs come in."""

import logging
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.engine.chunking import automatic_max_batch
from igbaselines.attribution.engine.path import Function
from igbaselines.models.inference import for_gradients
from igbaselines.running.context import Run
from igbaselines.studies.images.experiments.settings import Explained
from igbaselines.studies.images.networks.network import Bfloat16, ImageNetwork, Probabilities, state_checksum
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.networks.recipe import ImageModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Classifier:
    """A network that explains photographs.

    Args:
        explained: pixels -> the explained output of every class; differentiated by the engine.
        scored: pixels -> the probability of every class, for fitness and metrics.
        predicting: pixels -> the probability of every class, of the network as it is used.
        centre: the colour that normalisation maps to zero.
        preprocessing: from a photograph to pixels.
        minimum_top1: below this the run warns.
        max_batch: gradient points, and pictures scored, in one pass.
        device: where it computes.
    """

    explained: nn.Module
    scored: Function
    predicting: Probabilities
    centre: Float[Tensor, "3 1 1"]
    preprocessing: Preprocessing
    minimum_top1: float
    max_batch: int
    device: torch.device

    @cached_property
    def outputs(self) -> int:
        """How many classes the network has."""
        side = self.preprocessing.size
        with torch.no_grad():
            return len(self.predicting(torch.zeros(1, 3, side, side, device=self.device))[0])

    @torch.no_grad()
    def predict(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
        """Return the probability and the index of the most probable class."""
        probability, predicted = self.predicting(pixels).max(dim=1)
        return probability, predicted

    @torch.no_grad()
    def scored_class(self, pixels: Float[Tensor, "m 3 h w"]) -> Int[Tensor, " m"]:
        """Return the class whose score is followed: another one than explained where pixels are scored as they are."""
        return self.scored(pixels).argmax(dim=1)


def load_classifier(model: ImageModel, attribution: Explained, run: Run, prefix: str = "") -> Classifier:
    """Load a network, on the run's device, made for input gradients; its weights' checksum goes into the run.

    Args:
        model: which network, with which weights.
        attribution: what is explained, and what is scored.
        run: its device, and where the checksums go.
        prefix: of the checksums' names, where a run has several networks.
    """
    network = model.load(run.device)
    run.checksums[f"{prefix}weights"] = state_checksum(network)
    if (checkpoint := model.checksum()) is not None:
        run.checksums[f"{prefix}checkpoint"] = checkpoint
    fast: ImageNetwork = for_gradients(network) if run.fast_paths else network
    probabilities = Probabilities(fast)
    differentiated = fast
    if attribution.precision == "bfloat16":
        log.warning("gradients in bfloat16: attributions differ visibly from those in float32 (docs/speed.md)")
        differentiated = Bfloat16(fast)
    explained: nn.Module = Probabilities(differentiated) if attribution.output == "probability" else differentiated
    if not run.fast_paths:
        explained = nn.Sequential(explained)  # hides the stem
    scored = probabilities if attribution.scored == "normalised" else Probabilities(fast.without_normalisation())
    side = model.preprocessing.size
    point = torch.zeros(1, 3, side, side, device=run.device)
    max_batch = run.max_batch or automatic_max_batch(explained, point)
    log.info("%s: %d pictures at once", model.architecture, max_batch)
    return Classifier(
        explained=explained,
        scored=scored,
        predicting=probabilities,
        centre=fast.mean.view(3, 1, 1),
        preprocessing=model.preprocessing,
        minimum_top1=model.minimum_top1,
        max_batch=max_batch,
        device=run.device,
    )
