"""Maps of one photograph by Shapley Integrated Gradients (2310.04821) and its competitors, all at the same cost."""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import Examples, Given
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.common.randomness import generator_for
from igbaselines.studies.images.experiments.classifier import Classifier
from igbaselines.studies.images.experiments.explanations import image_key, integrated_gradients, reference_for
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import EXPECTED, IG_ABSENT, SHAPLEY_IG, ShapleyImagesAttribution
from igbaselines.tasks import Imputer
from igbaselines.tasks.players import Patches

COALITIONS, ABSENT = 2_000_021, 2_000_022
FEW_PLAYERS = 10  # up to here the share of all coalitions is worth a number

T = TypeVar("T")


@dataclass(frozen=True)
class Sampling:
    """How coalitions of a square photograph's patches are sampled.

    Args:
        side: of the photograph [px].
        patch: side of a patch [px].
        coalitions: how many are drawn.
    """

    side: int
    patch: int
    coalitions: int

    def columns(self) -> dict[str, int | float]:
        """What a row says of it; `q` is the share of all coalitions, where there are few players."""
        players = (-(-self.side // self.patch)) ** 2
        known: dict[str, int | float] = {"patch": self.patch, "coalitions": self.coalitions, "players": players}
        few = players <= FEW_PLAYERS and self.coalitions <= 2**players  # more than all would be no share
        return known | ({"q": self.coalitions / 2**players} if few else {})


@dataclass(frozen=True)
class MethodMap:
    """The map that a method gives of a photograph.

    Args:
        method: its name.
        attributions: of the pixels.
        change: f(x) - f(baseline), averaged over the method's baselines, which a complete attribution sums to; of
            Shapley Integrated Gradients the absent values are the baseline.
        gradient_points: gradients taken.
        seconds: wall time of the attribution.
        players: what each patch gets, where patches are the players.
    """

    method: str
    attributions: Float[Tensor, "c h w"]
    change: float
    gradient_points: int
    seconds: float
    players: Float[Tensor, " p"] | None = None


@dataclass(frozen=True)
class MapMaker:
    """Explains photographs for one network by every method.

    Args:
        classifier: the network.
        settings: methods and their cost.
        examples: photographs that baselines are made of.
        seed: of the run; with the photograph's name it makes all draws, which are the same for every network.
    """

    classifier: Classifier
    settings: ShapleyImagesAttribution
    examples: Float[Tensor, "m c h w"]
    seed: int

    @property
    def sampling(self) -> Sampling:
        """The main setting of Shapley Integrated Gradients."""
        return Sampling(self.classifier.preprocessing.size, self.settings.patch, self.settings.coalitions)

    def every_method(self, chosen: Chosen, pixels: Float[Tensor, "c h w"]) -> list[MethodMap]:
        """Explain a photograph's class by Shapley Integrated Gradients and by each of its competitors."""
        points, examples = self.settings.gradient_points, self.settings.example_baselines
        control = self.control(chosen, pixels)
        maps = [self.shapley(chosen, pixels, self.sampling, control.change), control]
        maps += [
            self._averaged(chosen, pixels, method, source, points) for method, source in self.settings.baselines.items()
        ]
        return [*maps, self._averaged(chosen, pixels, EXPECTED, Examples(examples), points // examples)]

    def control(self, chosen: Chosen, pixels: Float[Tensor, "c h w"]) -> MethodMap:
        """Explain a photograph's class by plain Integrated Gradients from the value that absent pixels take."""
        absent = self._absent(chosen, pixels)
        return self._averaged(chosen, pixels, IG_ABSENT, absent, self.settings.gradient_points)

    def shapley(self, chosen: Chosen, pixels: Float[Tensor, "c h w"], sampling: Sampling, change: float) -> MethodMap:
        """Explain a photograph's class by Shapley Integrated Gradients.

        Args:
            chosen: the photograph and its class.
            pixels: the photograph as the network takes it.
            sampling: of coalitions.
            change: f(x) - f(absent).
        """
        method = ShapleyIG(
            self._absent(chosen, pixels),
            reference_for(self.classifier, self.examples),
            players=Patches(sampling.patch, sampling.patch),
            coalitions=sampling.coalitions,
            paired=self.settings.paired,
            rule=GaussLegendre(self.settings.shapley_nodes),
            max_batch=self.classifier.max_batch,
        )
        target = torch.tensor([chosen.predicted], device=pixels.device)
        generator = generator_for(self.seed, COALITIONS, image_key(chosen.photograph.name))
        found, seconds = self._timed(
            lambda: method.attribute(self.classifier.explained, pixels[None], target, generator)
        )
        points = int(found.evaluations[0])
        return MethodMap(SHAPLEY_IG, found.attributions[0], change, points, seconds, found.players[0])

    def _absent(self, chosen: Chosen, pixels: Float[Tensor, "c h w"]) -> Given:
        """What pixels outside a coalition become in this photograph: once drawn, the same for the control."""
        generator = generator_for(self.seed, ABSENT, image_key(chosen.photograph.name))
        drawn, _ = self.settings.absent.draw(pixels[None], reference_for(self.classifier, self.examples), generator)
        return Given(drawn.reshape(1, *pixels.shape))

    def _averaged(
        self, chosen: Chosen, pixels: Float[Tensor, "c h w"], method: str, source: Imputer, nodes: int
    ) -> MethodMap:
        """Integrated Gradients, averaged over the baselines of the method."""
        key = (image_key(chosen.photograph.name), zlib.crc32(method.encode()))
        reference, rule = reference_for(self.classifier, self.examples), GaussLegendre(nodes)
        explain = partial(integrated_gradients, instead="a smaller attribution.example_baselines")
        found, seconds = self._timed(
            lambda: explain(chosen, pixels, {method: source}, reference, self.classifier, rule, self.seed, *key)
        )
        baselines = len(found.names)
        weights = torch.full((1, baselines), 1 / baselines, dtype=torch.float64, device=pixels.device)
        change = found.change(weights).item()
        return MethodMap(method, found.averaged(weights)[0], change, baselines * nodes, seconds)

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """Do the work, to its end on the device, and say how long it took [s]."""
        start = time.perf_counter()
        done = work()
        if self.classifier.device.type == "cuda":
            torch.cuda.synchronize(self.classifier.device)
        return done, time.perf_counter() - start
