"""What absent players become: every source of baselines, and of several values one by its weight."""

from dataclasses import dataclass, replace
from typing import cast

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import Examples, Given, PerStratum, TrainingMean, UniformNoise, ZeroBaseline
from igbaselines.attribution.methods import Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.shapley.sampled import sampled_shapley_values
from igbaselines.attribution.weighting import ByStratum
from igbaselines.metrics import Infidelity
from igbaselines.tasks import Background, Imputer, Task, impute

INPUTS = torch.ones(4000, 2)
BACKGROUND = Background(
    examples=torch.tensor([[2.0, 20.0], [3.0, 30.0]]),
    centre=torch.tensor([0.5, -2.0]),
    stratum=torch.tensor([0, 1]),
    stratum_weight=torch.tensor([1.0, 3.0]),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("imputer", [ZeroBaseline(), PerStratum(1), Examples(2), UniformNoise(3)], ids=str)
def test_whole_inputs_of_the_same_kind(imputer: Imputer, device: torch.device) -> None:
    for dtype in (torch.float32, torch.float64):
        inputs = INPUTS[:5].to(device, dtype)
        there = replace(
            BACKGROUND,
            examples=BACKGROUND.examples.to(device, dtype),
            centre=BACKGROUND.centre.to(device, dtype),
            stratum=torch.tensor([0, 1], device=device),
        )
        found = impute(imputer, inputs, there, seeded())
        assert (found.shape, found.dtype, found.device) == (inputs.shape, dtype, inputs.device)
        assert torch.equal(found, impute(imputer, inputs, there, seeded()))
        assert (inputs == 1).all()


def test_a_single_value_draws_nothing() -> None:
    generator = seeded()
    before = generator.get_state()
    assert torch.equal(impute(TrainingMean(), INPUTS, BACKGROUND, generator), BACKGROUND.centre.expand_as(INPUTS))
    assert torch.equal(generator.get_state(), before)


def test_of_several_values_one_is_drawn_by_its_weight() -> None:
    found = impute(PerStratum(1, ByStratum()), INPUTS, BACKGROUND, seeded())
    assert torch.equal(found[:, 1], 10 * found[:, 0])  # whole examples, never a feature of each
    heavy = (found[:, 0] == 3).double().mean().item()
    assert heavy == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 4000) ** 0.5)
    even = (impute(PerStratum(1), INPUTS, BACKGROUND, seeded())[:, 0] == 3).double().mean().item()
    assert even == pytest.approx(0.5, abs=4 * (0.25 / 4000) ** 0.5)


@dataclass(frozen=True)
class OfEachInput:
    """Two values of each input: itself and itself plus ten, with all the weight on the second."""

    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.stack([inputs, inputs + 10], dim=1), torch.tensor([0.0, 1.0], dtype=torch.float64)


def test_values_of_each_input_go_to_that_input() -> None:
    inputs = torch.arange(10.0).view(5, 2)
    assert isinstance(OfEachInput(), Imputer)
    assert torch.equal(impute(OfEachInput(), inputs, BACKGROUND, seeded()), inputs + 10)


@dataclass(frozen=True)
class Signed:
    """Three values as a generator beyond leading order weighs its events: one of negative weight."""

    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        values = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]).to(inputs)
        return values, torch.tensor([0.75, 0.75, -0.5], dtype=torch.float64)


def test_a_lot_has_no_sign() -> None:
    found = impute(Signed(), INPUTS, BACKGROUND, seeded())
    assert torch.bincount(found[:, 0].long()).tolist()[1:] == pytest.approx([1500, 1500, 1000], abs=120)


@pytest.mark.parametrize("asked", [ShapleyIG(Signed(), 4), ShapleySampling(Signed(), 4)], ids=str)
def test_coalitions_take_values_of_negative_weight(asked: Method) -> None:
    """A sum of features: from whatever value, players get the mean distance to it, and so add up."""
    task = Task("sum", lambda x: x.sum(dim=1), INPUTS[:5], None, list("abcde"), BACKGROUND)
    found = asked.attribute(task, seeded()).attributions
    assert ((found <= 0) & (found >= -2)).all(), "from 1, 2 or 3 to 1"


def test_removals_take_values_of_negative_weight() -> None:
    task = Task("sum", lambda x: x.sum(dim=1), INPUTS[:5], None, list("abcde"), BACKGROUND)
    error = Infidelity(imputer=Signed(), draws=20).score(task, torch.ones(5, 2), seeded())
    assert error.isfinite().all()


def test_sampled_values_are_from_values_of_negative_weight() -> None:
    absent, weights = Signed().draw(INPUTS[:2], BACKGROUND, seeded())
    found = sampled_shapley_values(lambda x: x.sum(dim=1), INPUTS[:2], absent, 8, seeded(), weights=weights)
    assert ((found.values <= 0) & (found.values >= -2)).all()


def test_given_values_are_drawn_evenly() -> None:
    found = impute(Given(torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])), INPUTS, BACKGROUND, seeded())
    assert torch.bincount(found[:, 0].long()).tolist()[1:] == pytest.approx([1333, 1333, 0, 1333], abs=120)


def test_bounds_are_those_of_pixels_unless_told() -> None:
    low, high = BACKGROUND.bounds()
    assert low.tolist() == [0, 0]
    assert high.tolist() == [1, 1]
    wide = Background(
        BACKGROUND.examples, BACKGROUND.centre, low=torch.tensor([-1.0, 2.0]), high=torch.tensor([5.0, 6])
    )
    assert [bound.tolist() for bound in wide.bounds()] == [[-1, 2], [5, 6]]


@dataclass(frozen=True)
class Careless:
    """A source of one's own that gives whatever it is told."""

    given: object

    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> object:
        return self.given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(2, 3), "Careless.draw gave a Tensor: it gives two tensors, values"),
        ((torch.zeros(1, 3),), "a tuple of 1"),
        ((torch.zeros(1, 3), 1.0), "a tuple of 2"),
        (None, "gave a NoneType"),
        ((torch.zeros(2, 3), torch.ones(1)), "gave values \\(2, 3\\) and 1 weights for inputs \\(5, 3\\)"),
    ],
)
def test_what_is_no_values_with_weights_is_refused(given: object, said: str) -> None:
    inputs = torch.zeros(5, 3)
    with pytest.raises(ValueError, match=said):
        impute(cast("Imputer", Careless(given)), inputs, Background(inputs, inputs[0]), torch.Generator())
