"""The explanation of one photograph: Integrated Gradients from every baseline, how fit each is, and their averages."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution import Attribution, path_attribution
from igbaselines.attribution.baselines import BaselineSource, Reference, Together
from igbaselines.attribution.engine.quadrature import QuadratureRule
from igbaselines.attribution.perturbation import Score
from igbaselines.attribution.weighted import Fitness, class_score, pixel_importance
from igbaselines.common.arrays import write_arrays
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics.maps import relative_gap
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.experiments.classifier import Classifier
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import ImageAttribution

# What a stream of random numbers is for, as the second part of its key; the first is the run's seed.
BASELINES, POINTS, REFERENCE = 2_000_001, 2_000_002, 2_000_003


def image_key(name: str) -> int:
    """A number for a photograph: its random numbers do not depend on which others are explained beside it."""
    return zlib.crc32(name.encode())


@dataclass(frozen=True)
class BaselineGradients:
    """A photograph's Integrated Gradients from named baselines; everything has n = 1 photograph.

    Args:
        pixels: the photograph.
        names: of the baselines.
        baselines: in pixel space.
        attribution: with the Integrated Gradients of every baseline.
    """

    pixels: Float[Tensor, "1 c h w"]
    names: list[str]
    baselines: Float[Tensor, "1 k c h w"]
    attribution: Attribution

    @property
    def per_baseline(self) -> Float[Tensor, "k c h w"]:
        """Integrated Gradients of every baseline."""
        assert self.attribution.per_baseline is not None
        return self.attribution.per_baseline[0]

    def averaged(self, weights: Float[Tensor, "methods k"]) -> Float[Tensor, "methods c h w"]:
        """Average the baselines' Integrated Gradients with the weights of each method."""
        return torch.einsum("mk,kchw->mchw", weights.to(self.per_baseline), self.per_baseline)

    def change(self, weights: Float[Tensor, "methods k"]) -> Float[Tensor, " methods"]:
        """What the attributions should sum to: f(x) - sum_k w_k f(x'_k) (2505.03201, theorem 1), float64."""
        return self.attribution.f_inputs.double() - weights.double() @ self.attribution.f_baselines[0].double()


@dataclass(frozen=True)
class Explanation(BaselineGradients):
    """What a photograph's Integrated Gradients are made into, with how fit each of its k baselines is.

    Args:
        d_alpha: of each baseline.
        reached: whether alpha f(x) was reached.
        score: of the class that fitness and metrics follow.
    """

    d_alpha: Int[Tensor, "1 k"]
    reached: Bool[Tensor, "1 k"]
    score: Score

    def completeness_gap(self, attributions: Tensor, weights: Float[Tensor, "methods k"]) -> Float[Tensor, " methods"]:
        """The relative gap between the sum of each method's attributions and the change that they explain."""
        return relative_gap(attributions, self.change(weights))


def integrated_gradients(
    chosen: Chosen,
    pixels: Float[Tensor, "c h w"],
    sources: Mapping[str, BaselineSource],
    reference: Reference,
    classifier: Classifier,
    rule: QuadratureRule,
    seed: int,
    *key: int,
    instead: str,
) -> BaselineGradients:
    """Attribute a photograph's class to its pixels from every baseline.

    Args:
        chosen: the photograph and its class.
        pixels: the photograph as the network takes it.
        sources: of the baselines, by name.
        reference: what baselines may be made of.
        classifier: the network.
        rule: the quadrature rule.
        seed: of the run.
        key: what the random baselines and nodes depend on beside the seed.
        instead: what the user can choose where the photographs are too few.

    Raises:
        UserError: where the photographs are too few for the baselines.
    """
    one = pixels[None]
    try:
        names, baselines = Together(sources).draw_named(one, reference, generator_for(seed, BASELINES, *key))
    except ValueError as error:
        raise UserError(f"too few photographs: {error}; choose {instead}") from error
    attribution = path_attribution(
        classifier.explained,
        one,
        baselines,
        rule=rule,
        target=torch.tensor([chosen.predicted], device=pixels.device),
        max_batch=classifier.max_batch,
        keep_per_baseline=True,
        generator=generator_for(seed, POINTS, *key),
    )
    return BaselineGradients(one, names, baselines, attribution)


def reference_for(classifier: Classifier, examples: Float[Tensor, "m c h w"]) -> Reference:
    """What a network's baselines may be made of: photographs, and the colour that it takes for zero."""
    return Reference(examples=examples, centre=classifier.centre.expand_as(examples[0]))


def explain_photograph(
    chosen: Chosen,
    pixels: Float[Tensor, "c h w"],
    examples: Float[Tensor, "m c h w"],
    classifier: Classifier,
    settings: ImageAttribution,
    seed: int,
) -> Explanation:
    """Attribute a photograph's class to its pixels from every baseline, and judge the baselines.

    Args:
        chosen: the photograph and its class.
        pixels: the photograph as the network takes it.
        examples: photographs that baselines may be made of.
        classifier: the network.
        settings: baselines, rule and fitness.
        seed: of the run.

    Raises:
        UserError: where the photographs are too few for the baselines.
    """
    own = () if settings.same_draws else (image_key(chosen.photograph.name),)
    reference = reference_for(classifier, examples)
    gradients = integrated_gradients(
        chosen,
        pixels,
        settings.baselines,
        reference,
        classifier,
        settings.rule,
        seed,
        *own,
        instead="other baselines, such as attribution/baselines=constants",
    )
    one, attribution = gradients.pixels, gradients.attribution
    assert attribution.per_baseline is not None
    target = torch.tensor([chosen.predicted], device=pixels.device)
    scored_class = target if settings.scored == "normalised" else classifier.scored_class(one)
    score = class_score(classifier.scored, scored_class)
    fitness = Fitness(settings.search, settings.fitness_mask, settings.ranking)
    found = fitness.d_alpha(score, one, attribution.per_baseline, classifier.max_batch)
    return Explanation(
        one, gradients.names, gradients.baselines, attribution, found.d_alpha[None], found.reached[None], score
    )


def save_explanation(
    path: Path,
    explanation: Explanation,
    maps: dict[str, Float[Tensor, "c h w"]],
    weights: Float[Tensor, " k"],
    mask: Bool[Tensor, "h w"] | None,
    label: str,
    probability: float,
    keep_channels: bool = False,
) -> None:
    """Write what a figure of an explanation needs.

    Args:
        path: the file.
        explanation: of the photograph.
        maps: attributions by method.
        weights: of the baselines in the method that the figure is about.
        mask: of the object.
        label: name of the explained class.
        probability: of the explained class.
        keep_channels: keep the attributions of every channel too.
    """
    of_baselines = {
        "baseline_names": np.array(explanation.names),
        "baselines": _bytes(explanation.baselines[0]),
        "baseline_maps": _numbers(pixel_importance(explanation.per_baseline, "signed")),
        "d_alpha": explanation.d_alpha[0].cpu().numpy(),
        "weights": weights.double().cpu().numpy(),
    }
    save_maps(path, explanation.pixels[0], maps, mask, label, probability, keep_channels, **of_baselines)


def save_maps(
    path: Path,
    pixels: Float[Tensor, "c h w"],
    maps: dict[str, Float[Tensor, "c h w"]],
    mask: Bool[Tensor, "h w"] | None,
    label: str,
    probability: float,
    keep_channels: bool = False,
    **more: np.ndarray,
) -> None:
    """Write a photograph with the maps of several methods.

    Args:
        path: the file.
        pixels: the photograph.
        maps: attributions by method.
        mask: of the object.
        label: name of the explained class.
        probability: of the explained class.
        keep_channels: keep the attributions of every channel too.
        more: fields of `ExplainedPhotograph`; without them, nothing is told of baselines and patches.
    """
    height, width = pixels.shape[1:]
    attributions = torch.stack(list(maps.values()))
    no_baselines = {
        "baseline_names": np.array([], dtype=str),
        "baselines": np.zeros((0, height, width, 3), dtype=np.uint8),
        "baseline_maps": np.zeros((0, height, width), dtype=np.float32),
        "d_alpha": np.zeros(0, dtype=np.int64),
        "weights": np.zeros(0),
    }
    photograph = ExplainedPhotograph(
        image=_bytes(pixels),
        methods=np.array(list(maps)),
        maps=_numbers(pixel_importance(attributions, "signed")),
        label=label,
        probability=probability,
        mask=None if mask is None else mask.cpu().numpy(),
        attributions=_numbers(attributions) if keep_channels else None,
        **(no_baselines | more),
    )
    write_arrays(path, photograph)


def _bytes(pixels: Float[Tensor, "*batch c h w"]) -> np.ndarray:
    """Pixels as pictures are kept: 0..255, channels last."""
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).cpu().numpy()


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
