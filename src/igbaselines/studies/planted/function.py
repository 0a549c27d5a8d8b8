"""Planted functions as networks: sums and products of one-feature responses, with coefficients drawn by a seed.

    f(x) = bias + sum_i a_i u_i(x_i) + sum_G c_G prod_{i in G} u_i(x_i),    u_i(x_i) = sin(w_i x_i + p_i)

G are groups of two or three features. The response of a feature that saturates stays at its crest: the phase is clamped
to [-pi/2, pi/2], a smooth relative of 1 - relu(1 - x), by which Sundararajan et al. (2017, section 2.1) show that a
gradient can be zero where a contribution is not.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from igbaselines.studies.planted.inputs import Distribution
from igbaselines.studies.planted.settings import Kind

SPREAD, POSITIVE = 2.0, 0.25  # standard deviation of f over its inputs, and the share of them where f is positive


class PlantedFunction(nn.Module):
    """The function, (m, p) -> (m,), frozen, float64.

    Args:
        frequency, phase: w and p of the responses.
        amplitude: a, zero of features that do nothing.
        groups: features of each product; p stands for no third one.
        coefficient: c.
        saturates: whether a feature's response stays at its crest.
    """

    bias: Tensor
    groups: Tensor
    largest: Tensor

    def __init__(
        self,
        frequency: Float[Tensor, " p"],
        phase: Float[Tensor, " p"],
        amplitude: Float[Tensor, " p"],
        groups: Int[Tensor, "q 3"],
        coefficient: Float[Tensor, " q"],
        saturates: Bool[Tensor, " p"],
    ) -> None:
        super().__init__()
        self.frequency, self.phase, self.amplitude, self.coefficient, self.bias = (
            nn.Parameter(values.double(), requires_grad=False)
            for values in (frequency, phase, amplitude, coefficient, torch.zeros(()))
        )
        self.register_buffer("groups", groups)
        self.register_buffer("largest", torch.where(saturates, math.pi / 2, math.inf).double())

    def forward(self, x: Float[Tensor, "m p"]) -> Float[Tensor, " m"]:
        """Evaluate f."""
        responses = self.responses(x)
        products = self.factors(responses).prod(dim=-1)
        value: Tensor = self.bias + responses @ self.amplitude + products @ self.coefficient
        return value

    def responses(self, x: Float[Tensor, "*m p"]) -> Float[Tensor, "*m p"]:
        """Evaluate u, feature by feature."""
        angle = self.frequency * x + self.phase
        return torch.sin(torch.clamp(angle, -self.largest, self.largest))

    def factors(self, responses: Float[Tensor, "*m p"]) -> Float[Tensor, "*m q 3"]:
        """The factors of each product; 1 for no third one."""
        return nn.functional.pad(responses, (0, 1), value=1.0)[..., self.groups]


def draw_function(
    kind: Kind, distribution: Distribution, sample: Float[Tensor, "m p"], generator: torch.Generator
) -> PlantedFunction:
    """Draw the coefficients of a function, and scale it to the logit of a class that is the rarer one.

    Over the sample it varies by SPREAD and is positive for a share POSITIVE; its sign is such that the sample's mean is
    no better than others: a positive input whose features all become the mean then loses half of its probability, as
    deletion and D_alpha have it. `interactions` and `correlated` have the same coefficients up to that scale.
    """
    count = len(distribution.location)

    def uniform(size: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(size, dtype=torch.float64, generator=generator)

    def signed(size: int, low: float, high: float) -> Tensor:
        return uniform(size, low, high) * (2 * torch.randint(2, (size,), generator=generator) - 1)

    frequency, phase = uniform(count, 0.5, 1.5), uniform(count, -math.pi, math.pi)
    amplitude = signed(count, 0.5, 1.5) * distribution.matters
    saturates = (torch.arange(count) % 3 == 0) & kind.saturates
    frequency = torch.where(saturates, frequency + 2, frequency)  # which more than half of the inputs saturate
    phase = torch.where(saturates, -frequency * distribution.location, phase)  # steepest at the mean
    groups = _draw_groups(distribution.matters, generator) if kind.interacts else torch.empty(0, 3, dtype=torch.int64)
    coefficient = signed(len(groups), 1.0, 2.0)
    function = PlantedFunction(frequency, phase, amplitude, groups, coefficient, saturates)
    values, at_mean = function(sample), function(sample.mean(dim=0, keepdim=True))
    scale = (-SPREAD if at_mean > values.mean() else SPREAD) / values.std()
    function.amplitude.mul_(scale)
    function.coefficient.mul_(scale)
    function.bias.sub_(function(sample).quantile(1 - POSITIVE))
    return function


def _draw_groups(matters: Bool[Tensor, " p"], generator: torch.Generator) -> Int[Tensor, "q 3"]:
    """Pairs and triples of features that matter: a pair for each two of these, a triple for each four."""
    relevant = matters.nonzero().squeeze(1)
    pairs, triples = len(relevant) // 2, len(relevant) // 4
    drawn = [relevant[torch.randperm(len(relevant), generator=generator)[:3]] for _ in range(pairs + triples)]
    groups = torch.stack(drawn)
    groups[:pairs, 2] = len(matters)  # no third one
    return groups
