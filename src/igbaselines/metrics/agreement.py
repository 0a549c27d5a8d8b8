"""How near attributions come to exact Shapley values (arXiv:2310.04821): in direction, proportions, order and signs.

Every function compares rows (n, players) and returns one value a row, float64. Attributions are judged up to their
scale, except by `efficiency_gap`. A row where a comparison has no meaning, such as the direction of a vector of zeros,
gives NaN. Shapes that differ and values that are not finite raise a ValueError.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Float, Float64, Int8
from torch import Tensor

from igbaselines.metrics.base import KNOWN, Maps, Quantity, Scores
from igbaselines.tasks import Task

# For order and signs a value below this share of the row's largest is zero: a player that does nothing gets what a
# float32 network rounds by, and the order and the signs of that mean nothing.
NEGLIGIBLE = 1e-6

Values: TypeAlias = Float[Tensor, "n p"]


def cosine(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """Cosine of the angle between both, in [-1, 1]; NaN where either is zero."""
    return _cosine(*_scaled(attribution, exact))


def proportions_l1(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """Distance sum_i | |a_i| / sum |a| - |b_i| / sum |b| | of the proportions, in [0, 2]; NaN where either is zero."""
    a, b = (values.abs() for values in _scaled(attribution, exact))
    return (a / a.sum(1, keepdim=True) - b / b.sum(1, keepdim=True)).abs().sum(1)


def spearman(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """Spearman's rank correlation of the signed values, ties at their average rank; NaN where either is constant."""
    return _cosine(*(_centred_ranks(_without_negligible(values)) for values in _checked(attribution, exact)))


def kendall(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """Kendall's tau-b of the signed values; NaN where either is constant."""
    a, b = _pairwise_signs(attribution, exact)
    concordance = (a * b).sum((1, 2), dtype=torch.float64)
    untied = [signs.abs().sum((1, 2), dtype=torch.float64) for signs in (a, b)]
    return (concordance / (untied[0] * untied[1]).sqrt()).clamp(-1, 1)


def top1(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """1 where the same player has the largest magnitude (of tied ones any), else 0; NaN where either is zero."""
    a, b = (values.abs() for values in _scaled(attribution, exact))  # the largest magnitude is 1
    same = ((a == 1) & (b == 1)).any(1).double()
    return same.masked_fill((a.isnan() | b.isnan()).any(1), torch.nan)


def sign_agreement(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """Share of equal signs among the players whose exact value is not negligible; NaN where the exact ones are zero."""
    a, b = (_without_negligible(values).sign() for values in _checked(attribution, exact))
    return ((a == b) & (b != 0)).sum(1).double() / (b != 0).sum(1)


def efficiency_gap(attribution: Values, exact: Values) -> Float64[Tensor, " n"]:
    """|sum a - sum b| / sum |b|: by how much the sum misses that of the exact ones; NaN where those are zero."""
    a, b = _checked(attribution, exact)
    total = b.abs().sum(1)
    return (a.sum(1) - b.sum(1)).abs() / total.masked_fill(total == 0, torch.nan)


AGREEMENT: dict[str, Callable[[Values, Values], Float64[Tensor, " n"]]] = {
    measure.__name__: measure
    for measure in (cosine, proportions_l1, spearman, kendall, top1, sign_agreement, efficiency_gap)
}
QUANTITIES = {
    "cosine": Quantity("cosine", "cosine similarity", better="higher", question=KNOWN),
    "proportions_l1": Quantity("proportions_l1", "L1 distance of proportions", better="lower", question=KNOWN),
    "spearman": Quantity("spearman", "Spearman correlation", better="higher", question=KNOWN),
    "kendall": Quantity("kendall", "Kendall correlation", better="higher", question=KNOWN),
    "top1": Quantity("top1", "same first feature", better="higher", question=KNOWN),
    "sign_agreement": Quantity("sign_agreement", "agreement of signs", better="higher", question=KNOWN),
    "efficiency_gap": Quantity("efficiency_gap", "relative efficiency gap", better="lower", question=KNOWN),
}


@dataclass(frozen=True)
class KnownAgreement:
    """Agreement with player values that are known to be right, such as exact Shapley values.

    It can be fooled by the choice of the imputer that makes the known values: it is right for that question alone.

    Args:
        measure: one of `AGREEMENT`.
        known: which of the task's known values; None takes the first.
        name: in the rows; empty for that of the measure.
    """

    measure: str = "cosine"
    known: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.measure not in AGREEMENT:
            raise ValueError(f"measure={self.measure} is unknown: {' or '.join(AGREEMENT)}")

    @property
    def quantity(self) -> Quantity:
        """That of the measure, under its own name if it has one."""
        quantity = QUANTITIES[self.measure]
        return replace(quantity, name=self.name, label=f"{quantity.label} ({self.known})") if self.name else quantity

    def why_not(self, task: Task) -> str | None:
        """Only tasks with known values can be judged."""
        if self.known is None or not task.known:
            return None if task.known else "no player values are known"
        known = self.known in task.known
        return None if known else f"no player values are known by the name of {self.known}: {', '.join(task.known)}"

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Compare the players' sums with the known values."""
        known = task.known[self.known or next(iter(task.known))]
        return AGREEMENT[self.measure](task.player_map.sums(attributions.double()), known.double())


def _cosine(a: Float64[Tensor, "n p"], b: Float64[Tensor, "n p"]) -> Float64[Tensor, " n"]:
    norms = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    value: Tensor = (a * b).sum(1) / norms
    return value.clamp(-1, 1)


def _checked(attribution: Tensor, exact: Tensor) -> tuple[Float64[Tensor, "n p"], Float64[Tensor, "n p"]]:
    """Both as float64, with shapes that fit and finite: a comparison would turn what is not into a wrong number."""
    if attribution.shape != exact.shape or attribution.dim() != 2:
        shapes = f"{tuple(attribution.shape)} and {tuple(exact.shape)}"
        raise ValueError(f"attributions and exact values need one shape (n, players), got {shapes}")
    a, b = attribution.double(), exact.double()
    if not (torch.isfinite(a) & torch.isfinite(b)).all():  # the host waits for a GPU once
        raise ValueError(f"{'exact values' if torch.isfinite(a).all() else 'attributions'} must be finite")
    return a, b


def _scaled(attribution: Tensor, exact: Tensor) -> tuple[Float64[Tensor, "n p"], Float64[Tensor, "n p"]]:
    """Both with a largest magnitude of 1 in every row, so that no square underflows; NaN where a row is zero."""
    a, b = _checked(attribution, exact)
    return a / a.abs().amax(1, keepdim=True), b / b.abs().amax(1, keepdim=True)


def _without_negligible(values: Float64[Tensor, "n p"]) -> Float64[Tensor, "n p"]:
    magnitude = values.abs()
    return values.masked_fill(magnitude <= NEGLIGIBLE * magnitude.amax(1, keepdim=True), 0)


def _centred_ranks(values: Float64[Tensor, "n p"]) -> Float64[Tensor, "n p"]:
    """Twice the distance of each value's rank from the average rank: how many are below it less how many above."""
    ordered = values.sort(dim=1).values
    below, not_above = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (below + not_above - values.shape[1]).double()


def _pairwise_signs(attribution: Tensor, exact: Tensor) -> tuple[Int8[Tensor, "n p p"], Int8[Tensor, "n p p"]]:
    """Sign of value_i - value_j for all pairs, in bytes: pictures have hundreds of players."""
    kept = [_without_negligible(values) for values in _checked(attribution, exact)]
    pairs = ((some.unsqueeze(2), some.unsqueeze(1)) for some in kept)
    a, b = ((one > other).to(torch.int8) - (one < other).to(torch.int8) for one, other in pairs)
    return a, b
