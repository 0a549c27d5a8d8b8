"""Attribution methods as objects: a source of baselines and a quadrature rule, ready to explain a model.

The methods of coalitions have all their defaults in `igbaselines.attribution.shapley.estimators` and are named here
too, so that every method is found in one place.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import BaselineSource, Reference
from igbaselines.attribution.engine.path import Attribution, Function, path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule, RandomPoint
from igbaselines.attribution.shapley.estimators import ShapleyIG as ShapleyIG
from igbaselines.attribution.shapley.estimators import ShapleySampling as ShapleySampling
from igbaselines.attribution.weighted import Fitness, WeightedGradients
from igbaselines.attribution.weighting import InverseFitness


@runtime_checkable
class Method(Protocol):
    """An attribution method, ready to explain a model."""

    def attribute(
        self,
        model: Function,
        inputs: Float[Tensor, "n *features"],
        targets: Int[Tensor, " n"] | None,
        generator: torch.Generator,
    ) -> Attribution:
        """Attribute the model's output (that of `targets`, where it has classes) to the features.

        Args:
            model: (m, *features) -> (m,), or -> (m, classes) where there are targets.
            inputs: the inputs to explain.
            targets: class index of each input.
            generator: of everything random, on the CPU.
        """
        ...


@dataclass(frozen=True)
class AveragedGradients:
    """Integrated Gradients averaged over weighted baselines.

    With one baseline it is Integrated Gradients (Sundararajan et al. 2017); with many it is expected
    gradients (Erion et al. 2021), the averaged baseline of 2412.13864, eq. 2.

    Args:
        baselines: where the baselines and their weights come from.
        reference: what they may be made of.
        rule: the quadrature rule.
        max_batch: gradient points in one pass; None chooses it from the memory there is.
    """

    baselines: BaselineSource
    reference: Reference
    rule: QuadratureRule
    max_batch: int | None = field(default=None, kw_only=True)

    def attribute(
        self,
        model: Function,
        inputs: Float[Tensor, "n *features"],
        targets: Int[Tensor, " n"] | None,
        generator: torch.Generator,
    ) -> Attribution:
        """Attribute the model's output (that of `targets`, where it has classes) to the features."""
        baselines, weights = self.baselines.draw(inputs, self.reference, generator)
        return path_attribution(
            model, inputs, baselines, weights, self.rule, targets, self.max_batch, generator=generator
        )


def ig(
    baseline: BaselineSource,
    reference: Reference,
    rule: QuadratureRule | None = None,
    max_batch: int | None = None,
) -> AveragedGradients:
    """Integrated Gradients from one baseline, by Gauss-Legendre quadrature unless another rule is given."""
    return AveragedGradients(baseline, reference, rule or GaussLegendre(32), max_batch=max_batch)


def expected_gradients(
    baselines: BaselineSource,
    reference: Reference,
    rule: QuadratureRule | None = None,
    max_batch: int | None = None,
) -> AveragedGradients:
    """Expected gradients over many baselines, by one random point a path unless a rule is given."""
    return AveragedGradients(baselines, reference, rule or RandomPoint(), max_batch=max_batch)


def weighted_gradients(
    baselines: BaselineSource,
    reference: Reference,
    rule: QuadratureRule | None = None,
    fitness: Fitness | None = None,
    max_batch: int | None = None,
) -> WeightedGradients:
    """Weighted Gradients (2505.03201), by Gauss-Legendre quadrature unless another rule is given."""
    return WeightedGradients(
        baselines, reference, rule or GaussLegendre(32), fitness or Fitness(), InverseFitness(), max_batch=max_batch
    )


def filtered_weighted_gradients(
    baselines: BaselineSource,
    reference: Reference,
    rule: QuadratureRule | None = None,
    fitness: Fitness | None = None,
    max_batch: int | None = None,
    filter_below: float = 0.25,
) -> WeightedGradients:
    """Weighted Gradients without the baselines whose weight is below a multiple of the mean (2505.03201, Table 2)."""
    plain = weighted_gradients(baselines, reference, rule, fitness, max_batch)
    return replace(plain, weighting=InverseFitness(filter_below))
