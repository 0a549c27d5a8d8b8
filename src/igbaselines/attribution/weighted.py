"""Weighted Gradients: baselines weighted by how well each of them explains the input (2505.03201, section 4)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import BaselineSource, Reference
from igbaselines.attribution.engine.path import Attribution, Function, evaluation_mode, path_attribution
from igbaselines.attribution.engine.quadrature import QuadratureRule
from igbaselines.attribution.fitness import BinarySearch, DeletionSearch, MinimalDeletion
from igbaselines.attribution.perturbation import Score, pixel_ranks
from igbaselines.attribution.weighting import FitnessWeighting, InverseFitness
from igbaselines.tasks.imputers import CornerMean, MaskValue

RANKINGS = ("signed", "magnitude")
PICTURES_AT_ONCE = 8


def pixel_importance(attributions: Float[Tensor, "*batch c h w"], ranking: str) -> Float[Tensor, "*batch h w"]:
    """Sum attributions over the channels: as they are (`signed`), or their magnitudes (`magnitude`).

    Raises:
        ValueError: for another ranking.
    """
    if ranking not in RANKINGS:
        raise ValueError(f"ranking={ranking} is unknown: {' or '.join(RANKINGS)}")
    return (attributions if ranking == "signed" else attributions.abs()).sum(dim=-3)


def class_score(model: Function, targets: Int[Tensor, " n"] | None) -> Score:
    """Make of a network the score of each input's class.

    Args:
        model: (m, c, h, w) -> (m,), or -> (m, classes) where there are targets.
        targets: class index of each input.
    """

    def score(pictures: Float[Tensor, "m c h w"], source: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        output = model(pictures)
        return output if targets is None else output.gather(1, targets[source][:, None]).squeeze(1)

    return score


@dataclass(frozen=True)
class Fitness:
    """How fit a baseline is to explain an input: by the few pixels that its attributions need to bring f down (eq. 7).

    Args:
        search: finds D_alpha.
        mask: what masked pixels become.
        ranking: how pixels are ordered (`pixel_importance`).
    """

    search: DeletionSearch = field(default_factory=BinarySearch)
    mask: MaskValue = field(default_factory=CornerMean)
    ranking: str = "signed"

    def d_alpha(
        self,
        score: Score,
        inputs: Float[Tensor, "n c h w"],
        per_baseline: Float[Tensor, "n k c h w"],
        max_batch: int = PICTURES_AT_ONCE,
    ) -> MinimalDeletion:
        """Search D_alpha of all pairs in lockstep; pair (i, j) stands at i * k + j.

        Args:
            score: the output that has to come down.
            inputs: the explained inputs.
            per_baseline: Integrated Gradients of each pair.
            max_batch: pictures scored at once.
        """
        n, k = per_baseline.shape[:2]
        source = torch.arange(n, device=inputs.device).repeat_interleave(k)
        return self.of_maps(score, inputs, per_baseline.flatten(0, 1), source, max_batch)

    def of_maps(
        self,
        score: Score,
        inputs: Float[Tensor, "n c h w"],
        maps: Float[Tensor, "r c h w"],
        source: Int[Tensor, " r"],
        max_batch: int = PICTURES_AT_ONCE,
    ) -> MinimalDeletion:
        """Search D_alpha of attributions, any number of them for an input.

        Args:
            score: the output that has to come down.
            inputs: the explained inputs.
            maps: attributions.
            source: which input each of them explains.
            max_batch: pictures scored at once.
        """
        ranks = pixel_ranks(pixel_importance(maps, self.ranking))
        return self.search.minimal_deletion(score, inputs, self.mask.fill(inputs), ranks, source, max_batch)


@dataclass(frozen=True)
class WeightedGradients:
    """Integrated Gradients averaged with weights by fitness (2505.03201, eqs. 6 to 8).

    Args:
        baselines: where the baselines come from.
        reference: what they may be made of.
        rule: the quadrature rule.
        fitness: how baselines are judged.
        weighting: from fitness to weights.
        max_batch: gradient points, and pictures scored, in one pass; None chooses the points from the memory there is,
            and scores 8 pictures.
    """

    baselines: BaselineSource
    reference: Reference
    rule: QuadratureRule
    fitness: Fitness = field(default_factory=Fitness)
    weighting: FitnessWeighting = field(default_factory=InverseFitness)
    max_batch: int | None = field(default=None, kw_only=True)

    def attribute(
        self,
        model: Function,
        inputs: Float[Tensor, "n c h w"],
        targets: Int[Tensor, " n"] | None,
        generator: torch.Generator,
    ) -> Attribution:
        """Attribute the model's output (that of `targets`, where it has classes) to the pixels."""
        baselines, _ = self.baselines.draw(inputs, self.reference, generator)
        unweighted, d_alpha = self.judged(model, inputs, baselines, targets, generator)
        return reweighted(unweighted, self.weighting.of_fitness(d_alpha))

    def judged(
        self,
        model: Function,
        inputs: Float[Tensor, "n c h w"],
        baselines: Float[Tensor, "k c h w"] | Float[Tensor, "n k c h w"],
        targets: Int[Tensor, " n"] | None,
        generator: torch.Generator,
    ) -> tuple[Attribution, Int[Tensor, "n k"]]:
        """Return Integrated Gradients of every baseline, equally weighted, and how fit each is: D_alpha."""
        targets = None if targets is None else targets.to(inputs.device, torch.int64)
        unweighted = path_attribution(
            model,
            inputs,
            baselines,
            rule=self.rule,
            target=targets,
            max_batch=self.max_batch,
            keep_per_baseline=True,
            generator=generator,
        )
        assert unweighted.per_baseline is not None
        with evaluation_mode(model):
            found = self.fitness.d_alpha(
                class_score(model, targets), inputs, unweighted.per_baseline, self.max_batch or PICTURES_AT_ONCE
            )
        return unweighted, found.d_alpha.view(unweighted.f_baselines.shape)


def reweighted(attribution: Attribution, weights: Float[Tensor, "n k"]) -> Attribution:
    """Average the kept Integrated Gradients of each baseline with other weights.

    Args:
        attribution: of `path_attribution` with keep_per_baseline.
        weights: of each pair; they sum to one for each input.
    """
    per_baseline = attribution.per_baseline
    assert per_baseline is not None, "keep_per_baseline=True keeps what is averaged here"
    weights = weights.to(per_baseline)
    attributions = torch.einsum("nk,nk...->n...", weights, per_baseline)
    return Attribution(
        attributions,
        per_baseline,
        attribution.f_inputs,
        attribution.f_baselines,
        attribution.completeness_gap,
        weights,
        attribution.gradients,
    )
