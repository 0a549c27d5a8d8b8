"""Agreement with exact values: against SciPy with and without ties, by hand, and what must not change it."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.shapley.estimators import ShapleySampling, exact_shapley_values
from igbaselines.metrics.agreement import (
    AGREEMENT,
    NEGLIGIBLE,
    QUANTITIES,
    KnownAgreement,
    cosine,
    efficiency_gap,
    kendall,
    proportions_l1,
    sign_agreement,
    spearman,
    top1,
)
from igbaselines.tasks import FeatureMask
from tests.small_tasks import task_of

UP_TO_SCALE = sorted(set(AGREEMENT) - {"efficiency_gap"})
PERFECT = {name: 0.0 if name in ("proportions_l1", "efficiency_gap") else 1.0 for name in AGREEMENT}
PERFECT_BY_NAME = [pytest.param(name, value, id=name) for name, value in PERFECT.items()]

# Numbers whose differences are far above rounding, with ties and zeros among them.
VALUES = arrays(np.float64, (3, 5), elements=st.integers(-6, 6).map(float))


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


@pytest.fixture(params=["no ties", "ties"])
def pair(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Two rows of seven values a case, loosely related, 40 times."""
    a = rng.normal(size=(40, 7))
    b = a + rng.normal(size=(40, 7))
    if request.param == "ties":
        a, b = np.round(a), np.round(b)
        constant = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
        a, b = a[~constant], b[~constant]
        assert len(a) > 35
    return torch.from_numpy(a), torch.from_numpy(b)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(spearman, scipy.stats.spearmanr), (kendall, scipy.stats.kendalltau)], ids=["rho", "tau"]
)
def test_rank_correlations_are_scipys(
    ours: Callable[[Tensor, Tensor], Tensor], theirs: Callable[..., tuple[float, float]], pair: tuple[Tensor, Tensor]
) -> None:
    a, b = pair
    expected = [theirs(x, y)[0] for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(ours(a, b).numpy(), expected, atol=1e-12)


def test_cosine_and_proportions_are_those_of_scipy(pair: tuple[Tensor, Tensor]) -> None:
    a, b = (part.numpy() for part in pair)
    angles = [1 - scipy.spatial.distance.cosine(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(cosine(*pair).numpy(), angles, atol=1e-12)
    shares = [np.abs(x) / np.linalg.norm(x, 1, axis=1, keepdims=True) for x in (a, b)]
    distances = [scipy.spatial.distance.cityblock(x, y) for x, y in zip(*shares, strict=True)]
    np.testing.assert_allclose(proportions_l1(*pair).numpy(), distances, atol=1e-12)


def test_by_hand() -> None:
    a, b = row(3, -1, 0, 1), row(2, 1, -1, 0)
    assert cosine(a, b).item() == pytest.approx(5 / 66**0.5)
    assert proportions_l1(a, b).item() == pytest.approx(0.1 + 0.05 + 0.25 + 0.2)
    assert spearman(a, b).item() == pytest.approx(1 - 6 * (0 + 4 + 1 + 1) / (4 * 15))
    assert kendall(a, b).item() == pytest.approx((4 - 2) / 6)
    assert top1(a, b).item() == 1
    assert sign_agreement(a, b).item() == pytest.approx(1 / 3)  # the last has no sign to agree with
    assert efficiency_gap(a, b).item() == pytest.approx(1 / 4)


def test_proportions_of_different_players_are_two_apart() -> None:
    assert proportions_l1(row(5, 0, 0), row(0, -1, 3)).item() == pytest.approx(2)


def test_the_first_player_is_by_magnitude_and_any_of_tied_ones() -> None:
    exact = row(-3, 2, 1)
    assert top1(row(1, 0, 0), exact).item() == 1
    assert top1(row(1, 2, 0), exact).item() == 0
    assert top1(row(1, -1, 0), exact).item() == 1
    assert top1(row(0, -1, 1), exact).item() == 0


def test_what_is_negligible_has_neither_order_nor_sign() -> None:
    small = NEGLIGIBLE / 10
    exact = row(1, -small, small, -0.5)
    for rounding in (small, -small, 0.0):
        attribution = row(1, rounding, -rounding, -0.5)
        for name in ("spearman", "kendall", "sign_agreement"):
            assert AGREEMENT[name](attribution, exact).item() == pytest.approx(1)
    assert sign_agreement(row(0, 0, 0, 0), exact).item() == 0


@pytest.mark.parametrize(("name", "perfect"), PERFECT_BY_NAME)
def test_the_exact_values_agree_with_themselves(name: str, perfect: float, rng: np.random.Generator) -> None:
    exact = torch.from_numpy(rng.normal(size=(20, 6)))
    expected = torch.full((20,), perfect, dtype=torch.float64)
    torch.testing.assert_close(AGREEMENT[name](exact, exact), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", AGREEMENT)
def test_what_has_no_meaning_is_nan(name: str) -> None:
    some, zero, constant = row(1, 2, -1), row(0, 0, 0), row(2, 2, 2)
    compare = AGREEMENT[name]
    assert compare(some, zero).isnan().all()
    needs_both = name not in ("sign_agreement", "efficiency_gap")
    assert compare(zero, some).isnan().item() == needs_both
    undefined = name in ("spearman", "kendall")
    assert compare(constant, some).isnan().item() == compare(some, constant).isnan().item() == undefined


@pytest.mark.parametrize("name", AGREEMENT)
def test_a_row_does_not_depend_on_the_others(name: str, rng: np.random.Generator) -> None:
    a, b = (torch.from_numpy(rng.normal(size=(6, 4))) for _ in range(2))
    a[2] = 0
    together = AGREEMENT[name](a, b)
    alone = torch.cat([AGREEMENT[name](a[i : i + 1], b[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, equal_nan=True)


@pytest.mark.parametrize("name", AGREEMENT)
def test_works_in_double_precision_where_the_values_are(name: str, device: torch.device) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(8, 5, generator=generator).to(device) for _ in range(2))
    found = AGREEMENT[name](a, b)
    assert (found.dtype, found.device.type, found.shape) == (torch.float64, device.type, (8,))
    torch.testing.assert_close(found.cpu(), AGREEMENT[name](a.cpu().double(), b.cpu().double()))


@given(a=VALUES, b=VALUES, scale=st.floats(1e-30, 1e30), exact_scale=st.floats(1e-30, 1e30))
@settings(max_examples=50, deadline=None)
def test_neither_scale_matters(a: np.ndarray, b: np.ndarray, scale: float, exact_scale: float) -> None:
    one, other = torch.from_numpy(a), torch.from_numpy(b)
    for name in UP_TO_SCALE:
        expected = AGREEMENT[name](one, other)
        torch.testing.assert_close(AGREEMENT[name](scale * one, exact_scale * other), expected, equal_nan=True)


@given(a=VALUES, b=VALUES, order=st.permutations(range(5)))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_players_does_not_matter(a: np.ndarray, b: np.ndarray, order: list[int]) -> None:
    one, other = torch.from_numpy(a), torch.from_numpy(b)
    for compare in AGREEMENT.values():
        torch.testing.assert_close(compare(one[:, order], other[:, order]), compare(one, other), equal_nan=True)


@given(a=VALUES, b=VALUES)
@settings(max_examples=50, deadline=None)
def test_lies_within_its_bounds(a: np.ndarray, b: np.ndarray) -> None:
    lowest = {"cosine": -1, "spearman": -1, "kendall": -1}
    highest = {"proportions_l1": 2 + 1e-12, "efficiency_gap": torch.inf}
    for name, compare in AGREEMENT.items():
        found = compare(torch.from_numpy(a), torch.from_numpy(b))
        assert ((found >= lowest.get(name, 0)) & (found <= highest.get(name, 1)) | found.isnan()).all()


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("name", AGREEMENT)
def test_refuses_what_it_cannot_compare(name: str) -> None:
    values = row(1, 2, 3)
    with pytest.raises(ValueError, match=r"one shape \(n, players\), got \(1, 3\) and \(1, 2\)"):
        AGREEMENT[name](values, values[:, :2])
    with pytest.raises(ValueError, match=r"got \(3,\) and \(3,\)"):
        AGREEMENT[name](values[0], values[0])
    with pytest.raises(ValueError, match="exact values must be finite"):
        AGREEMENT[name](values, row(1, torch.nan, 0))
    with pytest.raises(ValueError, match="attributions must be finite"):
        AGREEMENT[name](row(torch.inf, 1, 0), values)


# As a metric of tasks

GROUPS = FeatureMask(torch.tensor([0, 1, 1, 2, 0]))


@pytest.mark.parametrize("measure", AGREEMENT)
def test_known_values_are_compared_with_the_sums_of_players(measure: str, generator: torch.Generator) -> None:
    attributions, known, other = torch.randn(3, 4, 5, generator=generator)
    sums = torch.stack([attributions[:, [0, 4]].sum(1), attributions[:, [1, 2]].sum(1), attributions[:, 3]], dim=1)
    values = {"zero": known[:, :3], "mean": other[:, :3]}
    task = task_of(lambda points: points.sum(1), attributions, players=GROUPS, known=values)
    for metric, expected in ((KnownAgreement(measure), "zero"), (KnownAgreement(measure, "mean"), "mean")):
        assert metric.why_not(task) is None
        assert metric.quantity is QUANTITIES[measure]
        found = metric.score(task, attributions, generator)
        assert found.dtype == torch.float64
        torch.testing.assert_close(
            found, AGREEMENT[measure](sums.double(), values[expected].double()), rtol=0, atol=1e-6
        )


def test_the_right_values_agree(generator: torch.Generator) -> None:
    inputs = torch.randn(4, 5, generator=generator, dtype=torch.float64)

    def f(points: Tensor) -> Tensor:
        return (points[:, 0] * points[:, 1] + points.sum(1)).tanh()

    exact = exact_shapley_values(f, inputs, torch.zeros_like(inputs[:1]), players=GROUPS).values
    task = task_of(f, inputs, players=GROUPS, known={"zero": exact})
    found = ShapleySampling(ZeroBaseline(), None).attribute(task, generator).attributions
    for measure, perfect in PERFECT.items():
        agreement = KnownAgreement(measure, "zero").score(task, found, generator)
        torch.testing.assert_close(agreement, torch.full_like(agreement, perfect), rtol=0, atol=1e-12)


def test_says_why_a_task_cannot_be_judged(generator: torch.Generator) -> None:
    inputs = torch.randn(4, 5, generator=generator)
    bare = task_of(lambda points: points.sum(1), inputs)
    assert KnownAgreement().why_not(bare) == "no player values are known"
    known = task_of(lambda points: points.sum(1), inputs, known={"zero": inputs})
    assert KnownAgreement(known="mean").why_not(known) == "no player values are known by the name of mean: zero"
    with pytest.raises(ValueError, match="measure=angle is unknown: cosine or proportions_l1"):
        KnownAgreement("angle")


def test_every_measure_has_a_name_and_a_direction() -> None:
    assert list(QUANTITIES) == list(AGREEMENT)
    for measure, quantity in QUANTITIES.items():
        assert quantity.name == measure
        assert (quantity.better == "lower") == (PERFECT[measure] == 0)
