"""Infidelity and faithfulness correlation: closed forms of linear functions, then captum and quantus."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import infidelity
from quantus.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation as QuantusCorrelation
from torch import Tensor, nn

from igbaselines.attribution.baselines import Given, PerStratum, UniformNoise, ZeroBaseline
from igbaselines.attribution.image_baselines import Blurred
from igbaselines.attribution.methods import attribute_all
from igbaselines.attribution.shapley.estimators import ShapleySampling
from igbaselines.metrics.faithfulness import FaithfulnessCorrelation, Infidelity
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Players, Task
from tests.small_tasks import players_of, task_of

METRICS: list[Infidelity | FaithfulnessCorrelation] = [Infidelity("given"), FaithfulnessCorrelation("given")]
PLAYERS: list[tuple[tuple[int, ...], Players]] = [
    ((7,), EachFeature()),
    ((6,), FeatureMask([0, 1, 1, 2, 0, 2])),
    ((2, 4, 6), Patches(2, 3)),
]
every_kind = pytest.mark.parametrize(("shape", "players"), PLAYERS)


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The networks here are small."""


def linear(shape: tuple[int, ...], players: Players, generator: torch.Generator) -> tuple[Task, Tensor]:
    """A linear function, and what Integrated Gradients gives for it: w (x - b)."""
    inputs, weight, base = (
        torch.randn(*some, generator=generator, dtype=torch.float64) for some in ((3, *shape), shape, shape)
    )

    def f(points: Tensor) -> Tensor:
        return (points * weight).flatten(1).sum(1) + 2

    task = task_of(f, inputs, players=players, imputers={"given": Given(base[None])})
    return task, weight * (inputs - base)


def network_task(generator: torch.Generator, imputer: object | None = None) -> tuple[Task, Tensor]:
    """A small network of three classes, and attributions that are no better than chance."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Dropout(0.5), nn.Linear(16, 3)).double()
    inputs = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    imputers = {"given": imputer or ZeroBaseline()}
    task = task_of(network, inputs, targets=torch.tensor([0, 1, 2, 1, 0]), imputers=imputers)
    return task, torch.randn(5, 8, generator=generator, dtype=torch.float64)


@every_kind
def test_a_linear_function_is_foretold(shape: tuple[int, ...], players: Players, generator: torch.Generator) -> None:
    task, exact = linear(shape, players, generator)
    for normalise in (True, False):
        found = Infidelity("given", normalise=normalise).score(task, exact, generator)
        torch.testing.assert_close(found, torch.zeros(3, dtype=torch.float64))
    found = FaithfulnessCorrelation("given").score(task, exact, generator)
    torch.testing.assert_close(found, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(FaithfulnessCorrelation("given").score(task, -exact, generator), -found)


def test_infidelity_is_the_mean_squared_error(generator: torch.Generator) -> None:
    """Of one player that is always absent: (phi - fall)^2; the best scale makes up for any error of scale."""
    task, exact = linear((4,), FeatureMask([0, 0, 0, 0]), generator)
    fall = exact.sum(1)
    plain = Infidelity("given", draws=2, normalise=False).score(task, 3 * exact, generator)
    torch.testing.assert_close(plain, (2 * fall) ** 2)
    scaled = Infidelity("given", draws=2).score(task, 3 * exact, generator)
    torch.testing.assert_close(scaled, torch.zeros_like(scaled))
    nothing = Infidelity("given", draws=2).score(task, 0 * exact, generator)
    torch.testing.assert_close(nothing, fall**2)


def test_it_is_the_infidelity_of_captum(generator: torch.Generator) -> None:
    task, attributions = network_task(generator)
    network, draws, state = task.f, 50, generator.get_state()
    assert isinstance(network, nn.Module)
    sets: list[Tensor] = []  # captum repeats each input behind itself

    class Recorded(Infidelity):
        def _absent(self, players: int, generator: torch.Generator) -> Tensor:
            sets.append(super()._absent(players, generator))
            return sets[-1]

    for normalise in (False, True):
        sets.clear()
        ours = Recorded("given", draws, normalise=normalise).score(task, attributions, generator.set_state(state))
        gone = torch.cat(sets).double()
        theirs = infidelity(
            network.eval(),
            lambda inputs, gone=gone: (gone, inputs * (1 - gone)),
            task.inputs,
            attributions,
            target=task.targets,
            n_perturb_samples=draws,
            normalize=normalise,
        )
        torch.testing.assert_close(ours, theirs)


def test_what_a_task_remembers_is_of_one_metric(generator: torch.Generator) -> None:
    """Metrics that come and go may stand at one address, one after another."""
    task, attributions = network_task(generator)
    state = generator.get_state()
    for draws in range(2, 30):
        found, fresh = (
            Infidelity("given", draws).score(some, attributions, generator.set_state(state))
            for some in (task, replace(task))
        )
        torch.testing.assert_close(found, fresh, rtol=0, atol=0)


def test_it_is_the_faithfulness_correlation_of_quantus(generator: torch.Generator) -> None:
    """Both are means over random sets: quantus draws its own, so that many are needed for both to agree."""
    task, attributions = network_task(generator)
    assert isinstance(task.f, nn.Module)
    assert task.targets is not None
    network, targets = nn.Sequential(nn.Flatten(), task.f).eval().float(), task.targets.numpy()
    zero = Given(torch.zeros(1, 8))
    task = replace(task, f=network, inputs=task.inputs.float(), imputers={"given": zero})  # as quantus has it
    absent: Any = 0.0
    np.random.seed(0)  # noqa: NPY002 (quantus draws from global state)
    theirs = QuantusCorrelation(
        nr_runs=4000,
        subset_size=2,
        perturb_baseline=absent,
        normalise=False,
        abs=False,
        return_aggregate=False,
        disable_warnings=True,
    )(
        network,
        task.inputs.numpy()[:, None, None],
        targets,
        attributions.numpy()[:, None, None],
        softmax=False,
        channel_first=True,
    )
    ours = FaithfulnessCorrelation("given", draws=4000, share=0.25).score(task, attributions, generator)
    assert ours.tolist() == pytest.approx(theirs, abs=5 / math.sqrt(4000))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.quantity.name)
def test_chunks_change_nothing_and_draws_come_from_the_generator(
    metric: Infidelity | FaithfulnessCorrelation, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, attributions = network_task(generator, UniformNoise(3))
    assert isinstance(task.f, nn.Module)
    task.f.train()
    seed = torch.Generator().manual_seed
    whole = metric.score(task, attributions, seed(1))
    assert whole.dtype == torch.float64
    assert task.f.training
    for max_batch in (1, 7):
        torch.testing.assert_close(metric.score(replace(task, max_batch=max_batch), attributions, seed(1)), whole)
    assert not torch.allclose(metric.score(task, attributions, seed(2)), whole)
    # Inputs that go in blocks are drawn for in other orders, and no worse.
    monkeypatch.setattr("igbaselines.metrics.faithfulness.MEMBERS_AT_ONCE", 1600)
    blocks = replace(metric, draws=100).score(task, attributions, seed(1))
    assert torch.isfinite(blocks).all()


def test_each_set_takes_one_of_the_imputers_values(generator: torch.Generator) -> None:
    """One player, absent in all sets, and two values for it: the mean squared error is that of a coin's throws."""
    base = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    inputs = torch.ones(1, 1, dtype=torch.float64)
    task = task_of(lambda points: points[:, 0], inputs, imputers={"given": Given(base)})
    found = Infidelity("given", draws=10_000, normalise=False).score(task, torch.full((1, 1), 0.5).double(), generator)
    assert found.item() == pytest.approx(0.25)  # falls of 1 and 0, where a half was foretold
    none = Infidelity("given", draws=10_000, normalise=False).score(task, torch.zeros(1, 1).double(), generator)
    assert none.item() == pytest.approx(0.5, abs=0.02)


def test_shapley_values_are_more_faithful_than_chance(generator: torch.Generator) -> None:
    task, chance = network_task(generator)
    shapley = attribute_all({"shapley": ShapleySampling("given", 200)}, task, generator)["shapley"]
    for metric, sign in zip(METRICS, (-1, 1), strict=True):
        values, others = (sign * metric.score(task, maps, generator) for maps in (players_of(shapley), chance))
        assert (values > others).all()


def test_no_correlation_without_differences(generator: torch.Generator) -> None:
    task, exact = linear((7,), EachFeature(), generator)
    metric = FaithfulnessCorrelation("given")
    assert metric.score(task, torch.full_like(exact, 0.1), generator).isnan().all()
    assert metric.score(task, torch.zeros_like(exact), generator).isnan().all()
    constant = replace(task, f=lambda points: 0 * points[:, 0] + 0.1)
    assert metric.score(constant, exact, generator).isnan().all()


def test_what_cannot_be_judged_is_said(generator: torch.Generator) -> None:
    task, _ = linear((7,), EachFeature(), generator)
    for kind in (Infidelity, FaithfulnessCorrelation):
        assert kind("given").why_not(task) is None
        assert kind("blur").why_not(task) == "the task has no imputer 'blur'"
        assert kind(Blurred()).why_not(task) == "its imputer Blurred is of pictures"
        assert kind(PerStratum(2)).why_not(task) is None
        with pytest.raises(ValueError, match="at least two random sets of players, got 1"):
            kind("given", draws=1)
    one = replace(task, players=FeatureMask([0] * 7))
    assert FaithfulnessCorrelation("given").why_not(one) == "there is one player"
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match=rf"must lie in \(0, 1\), got {share}"):
            FaithfulnessCorrelation("given", share=share)
