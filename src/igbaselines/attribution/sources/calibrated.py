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

from igbaselines.attribution.baselines import Drawn, Inputs, TooFewExamplesError
from igbaselines.attribution.sources.asking import Asked
from igbaselines.tasks import Background

MOST_ROUNDS = 100
MISSES = 1e-9  # of the outputs' spread: weights of so small a miss are calibrated


@dataclass(frozen=True)
class Calibrated:
    """Examples near f_0 and their weights, the same for all inputs.

    f_0 is the mean output of the background, "the prediction without any information"; where inputs are of several
    classes, it is one for each, and weights meet all of them. f at the examples is asked once for all inputs, which
    does not count as spent on each.

    Args:
        count: examples, of which it takes 2 at least; twice as many, and so on, while none of their averages is f_0.
    """

    baselines_an_input: ClassVar[int] = 1  # of a count of 1
    count: int = 20

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Find them.

        Raises:
            TooFewExamplesError: where the background has one example.
        """
        asked, examples = Asked(background), background.examples
        outputs = asked.outputs(examples).double()
        if asked.targets is not None:
            outputs = outputs[:, asked.targets.to(outputs.device, torch.int64).unique()]
        outputs = outputs.view(len(examples), -1)
        if len(examples) < 2:
            raise TooFewExamplesError("a calibrated background needs 2 examples at least, found 1")
        share = torch.ones_like(outputs[:, 0])
        if background.example_weight is not None:
            share = background.example_weight.to(share)
        neutral = (share / share.sum()) @ outputs
        spread = outputs.std(dim=0)
        away = (outputs - neutral) / torch.where(spread > 0, spread, 1)
        order = away.norm(dim=1).argsort(stable=True)
        count = max(2, min(self.count, len(order)))
        while (weights := calibrated_weights(away[order[:count]])) is None and count < len(order):
            count = min(2 * count, len(order))
        chosen = order[:count]
        if weights is None:  # all of them, by whose weights f_0 was made
            weights = share[chosen] / share.sum()
        return examples[chosen], weights


def calibrated_weights(away: Float[Tensor, "k d"]) -> Float[Tensor, " k"] | None:
    """Return the most equal weights that sum to one and make the mean of `away` zero; None where there are none.

    The dual, log sum exp(away . lambda), is convex: Newton's steps, halved until they go down.
    """
    dual = away.new_zeros(away.shape[1])
    for _ in range(MOST_ROUNDS):
        weights = (away @ dual).softmax(dim=0)
        mean = weights @ away
        if mean.abs().max() <= MISSES:
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
