"""Adaptive quadrature: each path gets nodes until its completeness gap is small.

Completeness (Sundararajan et al. 2017, proposition 1) says what the integral of f's slope along a path must be,
f(x) - f(x'), so the error of every path can be seen, whatever the rule. Rules whose nodes are nested use all earlier
gradients again: those of Patterson (1968), "The optimum addition of points to quadrature formulae", Mathematics of
Computation 22, start from Gauss-Legendre with 3 nodes and add n + 1 nodes to n, each time as well as that can be done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.blocks import chunks
from igbaselines.attribution.engine.quadrature import Nodes

COUNTS = (3, 7, 15, 31, 63)  # nodes of each level
# The nodes above zero, on [-1, 1], that each level adds (the first one has 0 as well); the others mirror them.
PATTERSON = """
0.7745966692414834

0.43424374934680254 0.9604912687080203

0.2233866864289669 0.6211029467372264 0.888459232872257 0.993831963212755

0.11248894313318662 0.3311353932579768 0.5313197436443756 0.7024962064915271
0.8367259381688688 0.9296548574297401 0.9815311495537401 0.9990981249676676

0.05634431304659279 0.16823525155220748 0.2777498220218243 0.38335932419873037
0.48361802694584105 0.5771957100520458 0.6629096600247806 0.7397560443526947
0.8069405319502176 0.8639079381936905 0.9103711569570043 0.9463428583734029
0.9721828747485818 0.9886847575474295 0.997206259372222 0.9998728881203576
"""

Gradients = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Adaptive:
    """Gauss-Patterson rules of 3, 7, 15, 31 and 63 nodes, of which each path takes the first that is good enough.

    Good enough is a completeness gap of at most `tolerance` times the total variation of f along the path, the integral
    of the absolute slope by the same nodes. That is |f(x) - f(x')| where f rises or falls all the way, and more where
    it turns: it does not vanish where f(x) = f(x') by chance. A path that is never good enough ends with the most
    nodes: `Attribution.gradients` and `Attribution.completeness_gap` show it.

    A small gap bounds the error of the sum over the features, not that of each: see docs/speed_adaptive.md.

    Args:
        tolerance: at least 0; with 0 only paths of no gap at all stop early.
        n_steps: number of nodes at most, at least 3; rules of more nodes are left out.
    """

    tolerance: float = 1e-3
    n_steps: int = COUNTS[-1]

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise ValueError(f"the tolerance of an Adaptive rule must be at least 0, got {self.tolerance}")
        if self.n_steps < COUNTS[0]:
            raise ValueError(f"an Adaptive quadrature rule needs at least {COUNTS[0]} steps, got {self.n_steps}")

    @property
    def counts(self) -> tuple[int, ...]:
        """Nodes of each level."""
        return tuple(count for count in COUNTS if count <= self.n_steps)

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights of the last level, float64; a level's nodes are the first of them."""
        nodes, weights = self.levels()
        return nodes, weights[-1]

    def levels(self) -> tuple[Float[Tensor, " s"], Float[Tensor, "levels s"]]:
        """Return all nodes and the weights of every level, float64; those of nodes that come later are zero."""
        nodes, weights = _patterson()
        levels, most = len(self.counts), self.counts[-1]
        return torch.from_numpy(nodes[:most]), torch.from_numpy(weights[:levels, :most])


@cache
def _patterson() -> tuple[np.ndarray, np.ndarray]:
    levels = [np.array(level.split(), float) for level in PATTERSON.split("\n\n")]
    added = [np.array([0.0])] + [np.concatenate([above, -above]) for above in levels]
    nodes = np.concatenate(added)
    weights = np.zeros((len(COUNTS), len(nodes)))
    for level, count in enumerate(COUNTS):
        # The weights integrate the Legendre polynomials below the number of nodes, of which only P_0 = 1 has an area.
        polynomials = np.polynomial.legendre.legvander(nodes[:count], count - 1).T
        weights[level, :count] = np.linalg.solve(polynomials, np.eye(count)[0])
    return (nodes + 1) / 2, weights


def integrate_adaptively(
    gradients: Gradients,
    starts: Float[Tensor, "p *hidden"],
    moves: Float[Tensor, "p *hidden"],
    changes: Float[Tensor, " p"],
    rows: Int[Tensor, " p"],
    rule: Adaptive,
    max_batch: int,
) -> tuple[Float[Tensor, "p *hidden"], Int[Tensor, " p"]]:
    """Integrate f's gradient along paths from `starts` to `starts + moves`, each with as many nodes as it needs.

    Paths that go on are packed together before each level. No gradient is kept: each is added at once to the sums of
    all levels that are to come, whose weights differ.

    Args:
        gradients: of f at points (m, *hidden), path by path; the second argument gives the input of each path.
        starts: where the paths start.
        moves: from there to where they end.
        changes: f at the end of each path minus f at its start.
        rows: the input of each path.
        rule: says when a path is good enough.
        max_batch: points in one call of `gradients`.

    Returns:
        The integrals, and on the CPU the number of nodes that each path took.
    """
    nodes, weights = (tensor.to(moves) for tensor in rule.levels())
    integrals, taken = torch.empty_like(moves), torch.empty(len(moves), dtype=torch.int64)
    active = torch.arange(len(moves))
    sums = moves.new_zeros(len(moves), len(weights), moves[0].numel())
    slopes = moves.new_zeros(len(moves), len(nodes))
    before = 0
    for count, coefficients in zip(rule.counts, weights, strict=True):
        chosen = active.to(moves.device, non_blocking=True)
        some_starts, some_moves, some_rows = starts[chosen], moves[chosen], rows[chosen]
        for pairs, steps in chunks(len(active), slice(before, count), max_batch):
            a = nodes[steps].reshape(1, -1, *[1] * (moves.dim() - 1))
            points = torch.addcmul(some_starts[pairs].unsqueeze(1), a, some_moves[pairs].unsqueeze(1)).flatten(0, 1)
            found = gradients(points, some_rows[pairs])
            # Not a view: networks in channels_last give gradients in channels_last.
            gradient = found.reshape(-1, steps.stop - steps.start, sums.shape[2])
            sums[pairs] += weights[-sums.shape[1] :, steps] @ gradient
            slopes[pairs, steps] = (gradient @ some_moves[pairs].flatten(1).unsqueeze(2)).squeeze(2)
        integrals[chosen] = sums[:, 0].view_as(some_moves)
        taken[active] = count
        gap = slopes @ coefficients - changes[chosen]
        goes_on = gap.abs() > rule.tolerance * (slopes.abs() @ coefficients)
        going = goes_on.cpu().nonzero().squeeze(1)  # the one time a level that the host waits for the device
        if count == len(nodes) or not len(going):
            break
        kept = going.to(moves.device, non_blocking=True)
        active, sums, slopes = active[going], sums[kept, 1:], slopes[kept]
        before = count
    return integrals, taken
