"""A calibrated background: observed examples near a neutral output, weighted so that they have it on average.

That is the idea of CBaseline (Hentschel 2026).

Attributions then explain f(x) - f_0, for an f_0 that was chosen and not for what an average of examples happens to
have. Weights stay as near to equal ones as that allows: w_j is proportional to exp(lambda . f(b_j)), the distribution
of least Kullback-Leibler divergence of given mean (Csiszar 1975). The package `cbaseline` weights by a kernel in f as
well; here the examples that are nearest in f count alike.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, Inputs
from igbaselines.attribution.sources.asking import Asked
from igbaselines.tasks import Background

MOST_ROUNDS = 100
MISSES = 1e-9  # of the outputs' spread: weights of so small a miss are calibrated


@dataclass(frozen=True)
class Calibrated:
    """Examples near f_0 and their weights, the same for all inputs.

    f_0 is the mean output of the background, "the prediction without any information"; where inputs are of several
    classes, it is one for each, and weights meet all of them: of more than `count` can meet, the principal directions
    of the outputs. f at the examples is asked once for all inputs, which does not count as spent on each.

    Args:
        count: examples: those few without which no average is f_0, and the nearest.
    """

    baselines_an_input: ClassVar[int] = 1  # of a count of 1
    count: int = 20

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count of calibrated examples must be at least 1, got {self.count}")

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Find them."""
        asked, examples = Asked(background), background.examples
        outputs = asked.outputs(examples).double()
        if asked.targets is not None:
            outputs = outputs[:, asked.targets.to(outputs.device, torch.int64).unique()]
        outputs = outputs.view(len(examples), -1)
        share = torch.ones_like(outputs[:, 0])
        if background.example_weight is not None:
            share = background.example_weight.to(share)
        away = outputs - (share / share.sum()) @ outputs
        spread = away.square().mean(dim=0).sqrt()
        away = away / torch.where(spread > 0, spread, 1)
        distance, count = away.norm(dim=1), min(self.count, len(examples))
        if away.shape[1] > count - 1:
            away = away @ torch.linalg.svd(away, full_matrices=False).Vh[: count - 1].T
        needed = fewest_weights(away, distance)
        distance[needed > 0] = 0
        chosen = distance.argsort(stable=True)[:count]
        weights = calibrated_weights(away[chosen])
        return examples[chosen], needed[chosen] if weights is None else weights


def fewest_weights(away: Float[Tensor, "m d"], cost: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """Return weights that sum to one and make the mean of `away` zero, of at most d + 1 examples, at the least cost.

    A vertex of the linear programme has no more (Dantzig 1951); that all examples have such weights is given.
    """
    if not away.shape[1]:
        return torch.zeros_like(cost).index_fill(0, cost.argmin(), 1.0)
    from scipy.optimize import linprog  # takes a while to import

    conditions = torch.cat([away, torch.ones_like(away[:, :1])], dim=1).T.cpu().numpy()
    wanted = [0.0] * away.shape[1] + [1.0]
    found = linprog(cost.cpu().numpy(), A_eq=conditions, b_eq=wanted, method="highs-ds")
    if found.x is None:
        raise ValueError(f"no weights of the examples give the neutral output: {found.message}")
    weights = torch.from_numpy(found.x).to(away).clamp_min(0)
    return weights / weights.sum()


def calibrated_weights(away: Float[Tensor, "k d"]) -> Float[Tensor, " k"] | None:
    """Return the most equal weights that sum to one and make the mean of `away` zero; None where there are none.

    The dual, log sum exp(away . lambda), is convex: Newton's steps, halved until they go down.
    """
    dual = away.new_zeros(away.shape[1])
    for _ in range(MOST_ROUNDS):
        weights = (away @ dual).softmax(dim=0)
        mean = weights @ away
        if not len(mean) or mean.abs().max() <= MISSES:
            return weights
        centred = away - mean
        covariance = (weights[:, None] * centred).T @ centred
        ridge = 1e-12 * torch.eye(len(mean), dtype=away.dtype, device=away.device)
        step = torch.linalg.solve(covariance + ridge, mean)
        now, size = (away @ dual).logsumexp(dim=0), 1.0
        while (away @ (dual - size * step)).logsumexp(dim=0) > now and size > 1e-6:
            size /= 2
        dual = dual - size * step
    return None
