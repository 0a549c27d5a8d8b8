"""Known player values of a comparison: exact for few players, two halves of a sample for many, and their ceiling."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import Examples, Given, TrainingMean, UniformNoise, ZeroBaseline
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.attribution.shapley.sampled import SampledShapley, sampled_shapley_values
from igbaselines.metrics import KnownAgreement
from igbaselines.studies.comparison.known import MOST_PLAYERS, Known
from igbaselines.tasks import Background, FeatureMask, Function, Task
from tests.small_tasks import task_of


def threes(points: Tensor) -> Tensor:
    """Interactions of three, which a pair of orders does not get right at once."""
    return points.sum(1) + (points * points.roll(1, 1) * points.roll(3, 1)).sum(1)


def make(features: int, f: Function = threes) -> Task:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, features, generator=generator, dtype=torch.float64)
    imputers = {"zero": ZeroBaseline(), "mean": TrainingMean(), "noise": UniformNoise(2), "examples": Examples(3)}
    return task_of(f, inputs, imputers=imputers)


@dataclass(frozen=True)
class Noted:
    """Zeros, and a note whenever someone draws them."""

    notes: list[str]

    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        self.notes.append("drawn")
        return ZeroBaseline().draw(inputs, background, generator)


def test_what_a_task_knows_stays() -> None:
    task = replace(make(5), known={"truth": torch.ones(4, 5)})
    known = Known.of(task, 8, 0)
    assert known.task is task
    assert known.halves is None
    assert known.ceiling(KnownAgreement()) is None


@pytest.mark.parametrize("players", [5, 14])
def test_values_are_computed_once_when_someone_asks(players: int) -> None:
    notes: list[str] = []
    task = make(players)
    known = Known.of(replace(task, imputers={**task.imputers, "noted": Noted(notes)}), 8, 0)
    assert list(known.task.known) == [*task.imputers, "noted"]
    assert "noted" in known.task.known
    assert notes == []
    assert known.task.known["noted"] is known.task.known["noted"]
    assert notes == ["drawn"] * (1 if known.halves is None else 2)


def test_few_players_are_known_exactly() -> None:
    task = make(5)
    known = Known.of(task, 8, 0)
    assert known.halves is None
    exact = exact_shapley_values(threes, task.inputs, 0.0).values
    torch.testing.assert_close(known.task.known["zero"], exact)
    assert known.ceiling(KnownAgreement("cosine", "zero")) is None
    assert float(KnownAgreement("cosine", "zero").score(known.task, exact, torch.Generator()).min()) > 1 - 1e-12


def test_all_values_of_an_imputer_count_by_their_weights() -> None:
    task = make(5)
    absent = task.inputs[:2] * 0.5
    known = Known.of(replace(task, imputers={"given": Given(absent)}), 8, 0).task.known["given"]
    torch.testing.assert_close(known, exact_shapley_values(threes, task.inputs, absent).values)


@pytest.mark.parametrize(("players", "halves"), [(MOST_PLAYERS, False), (MOST_PLAYERS + 1, True)])
def test_it_is_players_that_decide(players: int, halves: bool) -> None:
    task = replace(make(28), players=FeatureMask(torch.arange(28) % players))
    known = Known.of(task, 8, 0)
    assert (known.halves is not None) == halves
    assert known.task.known["mean"].shape == (4, players)


def test_many_players_are_known_by_two_halves() -> None:
    """Each of half of the orders; their mean is known, and is near the exact values."""
    task, orders = make(14), 400
    known = Known.of(task, orders, 0)
    assert known.halves is not None
    first, second = (half["zero"] for half in known.halves)
    found = known.task.known["zero"]
    assert torch.equal(found, (first + second) / 2)
    exact = exact_shapley_values(threes, task.inputs, 0.0).values
    apart, error = (first - second).square().mean().sqrt(), (found - exact).square().mean().sqrt()
    assert 0 < float(error) < float(apart)  # of which it is half on average
    assert float(error) == pytest.approx(float(apart) / 2, rel=0.6)
    torch.testing.assert_close(first.sum(1), second.sum(1))  # of one absent value both are complete


def test_half_of_the_orders_are_of_each_half(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noted(f: Function, inputs: Tensor, absent: Tensor, pairs: int, *rest: Any, **others: Any) -> SampledShapley:
        asked.append(pairs)
        return sampled_shapley_values(f, inputs, absent, pairs, *rest, **others)

    monkeypatch.setattr("igbaselines.studies.comparison.known.sampled_shapley_values", noted)
    assert len(Known.of(make(14), 9, 0).task.known["zero"]) == 4
    assert asked == [4, 4]


def test_the_seed_decides_and_both_halves_draw_the_same_absent_values() -> None:
    one, again, other = (Known.of(make(14), 8, seed) for seed in (0, 0, 1))
    for imputer in ("zero", "noise"):
        assert torch.equal(one.task.known[imputer], again.task.known[imputer])
        assert not torch.allclose(one.task.known[imputer], other.task.known[imputer])
    linear = Known.of(replace(make(14, lambda x: x.sum(1)), imputers={"noise": UniformNoise(1)}), 8, 0)
    assert linear.halves is not None
    torch.testing.assert_close(linear.halves[0]["noise"], linear.halves[1]["noise"])


def test_the_ceiling_is_what_the_halves_have_in_common() -> None:
    metric = KnownAgreement("cosine", "zero")
    few, many = (Known.of(make(14), orders, 0).ceiling(metric) for orders in (4, 400))
    assert few is not None
    assert many is not None
    assert few.shape == many.shape == (4,)
    assert float(few.mean()) < float(many.mean()) < 1
    known = Known.of(make(14), 4, 0)
    assert known.halves is not None
    by_hand = torch.cosine_similarity(known.halves[0]["zero"], known.halves[1]["zero"])
    torch.testing.assert_close(few, by_hand)
    torch.testing.assert_close(known.ceiling(KnownAgreement("cosine")), few)  # by default the first that is known
    additive = Known.of(make(14, lambda x: x.sum(1)), 4, 0).ceiling(metric)  # which every order gets right
    assert additive is not None
    torch.testing.assert_close(additive, torch.ones(4, dtype=torch.float64))


def test_the_ceiling_of_groups_is_that_of_their_values() -> None:
    grouped = replace(make(28), players=FeatureMask(torch.arange(28) % 14))
    known = Known.of(grouped, 4, 0)
    found = known.ceiling(KnownAgreement("cosine", "mean"))
    assert known.halves is not None
    by_hand = torch.cosine_similarity(known.halves[0]["mean"], known.halves[1]["mean"])
    torch.testing.assert_close(found, by_hand)
