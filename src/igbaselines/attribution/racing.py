"""Weighted Gradients whose least fit baselines drop out early, before most of their gradients are computed.

The filter of 2505.03201 (Table 2) drops baselines after all of their work is done. Which ones it will drop shows after
a few quadrature steps and a few scores: here those get no more. It is for the filtered method alone; the others need
every baseline.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.engine.path import Attribution, Function, evaluation_mode, path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule
from igbaselines.attribution.fitness import BinarySearch, DeletionSearch
from igbaselines.attribution.weighted import PICTURES_AT_ONCE, WeightedGradients, class_score, reweighted
from igbaselines.attribution.weighting import InverseFitness


@dataclass(frozen=True)
class Racing:
    """Filtered Weighted Gradients by a heat for all baselines and a final for those which may survive the filter.

    It saves where the filter drops more work than the heat costs: with s steps of k baselines, h steps in the heat and
    a share d of the baselines dropped there, the gradients go from k s to k (h + (1 - d) s). The filter of the released
    code (a quarter of the mean weight) drops a tenth to a quarter of six baselines: with 16 steps racing then loses.
    It is for many steps and a strict filter.

    A baseline drops out in the heat where its weight is below margin times what the filter asks for. In the final the
    filter takes the survivors' D_alpha, and for the sum of the weights the heat's D_alpha of the others. Those keep the
    heat's Integrated Gradients and completeness gap, and weight 0.

    Args:
        method: Weighted Gradients with a filter; without racing it gives the same but for what the heat gets wrong.
        rule: the heat's quadrature rule.
        search: the heat's search for D_alpha, with the alpha of the method's own.
        margin: in [0, 1]; 1 drops whatever the filter would drop on the heat's evidence, 0 nothing.

    Raises:
        ValueError: for a method without a filter, and a margin out of bounds.
    """

    method: WeightedGradients
    rule: QuadratureRule = field(default_factory=lambda: GaussLegendre(2))
    search: DeletionSearch = field(default_factory=lambda: BinarySearch(tolerance=0.05))
    margin: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.method.weighting, InverseFitness) or self.method.weighting.filter_below == 0:
            raise ValueError("racing needs a filter: weighting=InverseFitness(filter_below) with filter_below over 0")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin is a share of what the filter asks for, in [0, 1], got {self.margin}")

    def attribute(
        self,
        model: Function,
        inputs: Float[Tensor, "n c h w"],
        targets: Int[Tensor, " n"] | None,
        generator: torch.Generator,
    ) -> Attribution:
        """Attribute the model's output (that of `targets`, where it has classes) to the pixels."""
        method = self.method
        baselines, _ = method.baselines.draw(inputs, method.reference, generator)
        heat = replace(method, rule=self.rule, fitness=replace(method.fitness, search=self.search))
        found, d_alpha = heat.judged(model, inputs, baselines, targets, generator)
        survivors = self.survivors(d_alpha)
        row, column = survivors.nonzero(as_tuple=True)
        targets = None if targets is None else targets.to(inputs.device, torch.int64)
        final = path_attribution(
            model,
            inputs[row],
            baselines.expand(len(inputs), *baselines.shape[-4:])[row, column].unsqueeze(1),
            rule=method.rule,
            target=None if targets is None else targets[row],
            max_batch=method.max_batch,
            keep_per_baseline=True,
            generator=generator,
        )
        assert found.per_baseline is not None
        assert final.per_baseline is not None
        maps, score = final.per_baseline[:, 0], class_score(model, targets)
        with evaluation_mode(model):
            judged = method.fitness.of_maps(score, inputs, maps, row, method.max_batch or PICTURES_AT_ONCE)
        d_alpha[survivors] = judged.d_alpha
        found.per_baseline[survivors] = maps
        found.completeness_gap[survivors] = final.completeness_gap[:, 0]
        assert found.gradients is not None
        assert final.gradients is not None
        found.gradients[survivors] += final.gradients[:, 0]
        weights = method.weighting.of_fitness(d_alpha) * survivors
        # The final may put every survivor below a baseline that the heat has dropped: then all survivors stay.
        unfiltered = survivors / d_alpha.double().clamp_min(1)
        weights = torch.where(weights.sum(dim=1, keepdim=True) > 0, weights, unfiltered)
        return reweighted(found, weights / weights.sum(dim=1, keepdim=True))

    def survivors(self, d_alpha: Int[Tensor, "n k"]) -> Bool[Tensor, "n k"]:
        """Whether each baseline goes on to the final.

        Args:
            d_alpha: of the heat.
        """
        assert isinstance(self.method.weighting, InverseFitness)
        return InverseFitness(self.margin * self.method.weighting.filter_below).of_fitness(d_alpha) > 0
