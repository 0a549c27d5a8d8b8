"""Sources of baselines."""

from dataclasses import replace

import pytest
import torch

from igbaselines.attribution.baselines import (
    Examples,
    FirstExample,
    GaussianNoise,
    Given,
    MaximumDistance,
    MeanExample,
    PerStratum,
    TooFewExamplesError,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.weighting import ByStratum
from igbaselines.tasks import Background, Imputer

STRATUM = torch.tensor([2, 0, 0, 2, 0, 2, 2, 0, 5, 5, 5])
BACKGROUND = Background(
    examples=torch.arange(22.0).view(11, 2),
    stratum=STRATUM,
    stratum_weight=torch.tensor([4.0, 9.0, 3.0, 9.0, 9.0, 1.0]),
    centre=torch.tensor([0.5, -2.0]),
)
INPUTS = torch.ones(3, 2)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("source", "expected"), [(ZeroBaseline(), [0.0, 0.0]), (TrainingMean(), [0.5, -2.0])])
def test_blank_baselines(source: Imputer, expected: list[float]) -> None:
    baselines, weights = source.draw(INPUTS, BACKGROUND, seeded(0))
    assert baselines.tolist() == [expected]
    assert weights.tolist() == [1]


def drawn_strata(baselines: torch.Tensor) -> list[int]:
    return [int(STRATUM[int(row[0]) // 2]) for row in baselines]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_same_number_of_examples_of_each_stratum(count: int) -> None:
    baselines, weights = PerStratum(count).draw(INPUTS, BACKGROUND, seeded(0))
    assert sorted(drawn_strata(baselines)) == sorted([0, 2, 5] * count)
    assert len(baselines.unique(dim=0)) == 3 * count
    assert weights.tolist() == pytest.approx([1 / (3 * count)] * 3 * count)


def test_draws_every_example_sooner_or_later_and_the_same_from_the_same_seed() -> None:
    draws = [PerStratum(1).draw(INPUTS, BACKGROUND, seeded(seed))[0] for seed in range(60)]
    assert len(torch.cat(draws).unique(dim=0)) == len(STRATUM)
    assert torch.equal(draws[7], PerStratum(1).draw(INPUTS, BACKGROUND, seeded(7))[0])


def test_the_weighting_does_not_change_the_draw() -> None:
    plain, _ = PerStratum(2).draw(INPUTS, BACKGROUND, seeded(3))
    weighted, weights = PerStratum(2, ByStratum()).draw(INPUTS, BACKGROUND, seeded(3))
    assert torch.equal(plain, weighted)
    share = {0: 4 / 16, 2: 3 / 16, 5: 1 / 16}
    assert weights.tolist() == pytest.approx([share[stratum] for stratum in drawn_strata(weighted)])


def test_examples_are_drawn_in_proportion_to_their_weights() -> None:
    """Two strata of 40 examples; in one of them every fourth example stands for ten of the others."""
    stratum = torch.arange(80) % 2
    weight = torch.where((stratum == 1) & (torch.arange(80) // 2 % 4 == 0), 10.0, 1.0)
    examples = torch.stack([stratum.float(), weight], dim=1)
    background = Background(examples, torch.zeros(2), stratum, example_weight=weight)
    drawn = torch.cat([PerStratum(1).draw(INPUTS, background, seeded(seed))[0] for seed in range(600)])
    heavy = (drawn[drawn[:, 0] == 1, 1] == 10).double().mean().item()
    assert heavy == pytest.approx(100 / 130, abs=4 * (100 * 30 / 130**2 / 600) ** 0.5)
    many, _ = PerStratum(40).draw(INPUTS, background, seeded(0))  # as many as there are: the heavy ones still lead
    heavy = (many[many[:, 0] == 1, 1] == 10).double().mean().item()
    assert heavy == pytest.approx(100 / 130, abs=4 * (100 * 30 / 130**2 / 40) ** 0.5)


def test_equal_weights_draw_as_none_do_and_no_weight_is_never_drawn() -> None:
    plain, _ = PerStratum(2).draw(INPUTS, BACKGROUND, seeded(3))
    equal = replace(BACKGROUND, example_weight=0.1 + 0.2 * STRATUM)
    assert torch.equal(PerStratum(2).draw(INPUTS, equal, seeded(3))[0], plain)
    none = replace(BACKGROUND, example_weight=torch.tensor([1.0] * 9 + [0.0] * 2))
    with pytest.raises(ValueError, match="stratum 5 has 1 examples, 2 are needed"):
        PerStratum(2).draw(INPUTS, none, seeded(0))


def test_says_which_stratum_has_too_few_examples() -> None:
    with pytest.raises(TooFewExamplesError, match="stratum 5 has 3 examples, 4 are needed"):
        PerStratum(4).draw(INPUTS, BACKGROUND, seeded(0))


def test_at_most_takes_as_many_as_a_stratum_has() -> None:
    baselines, weights = PerStratum(4, ByStratum(), at_most=True).draw(INPUTS, BACKGROUND, seeded(0))
    assert sorted(drawn_strata(baselines)) == sorted([0, 2] * 4 + [5] * 3)
    assert len(baselines.unique(dim=0)) == 11
    share = {0: 4 / (4 * 8), 2: 3 / (4 * 8), 5: 1 / (3 * 8)}
    assert weights.tolist() == pytest.approx([share[stratum] for stratum in drawn_strata(baselines)])
    enough, refused = (
        PerStratum(2, at_most=at_most).draw(INPUTS, BACKGROUND, seeded(3))[0] for at_most in (True, False)
    )
    assert torch.equal(enough, refused)
    no_weight = replace(BACKGROUND, example_weight=torch.tensor([1.0] * 8 + [0.0] * 3))
    assert set(drawn_strata(PerStratum(4, at_most=True).draw(INPUTS, no_weight, seeded(0))[0])) == {0, 2}


def test_without_strata_all_examples_are_one() -> None:
    plain = Background(BACKGROUND.examples, BACKGROUND.centre)
    baselines, weights = PerStratum(4).draw(INPUTS, plain, seeded(0))
    assert len(baselines.unique(dim=0)) == 4
    assert weights.tolist() == [0.25] * 4
    with pytest.raises(ValueError, match="need the weight of each stratum"):
        PerStratum(1, ByStratum()).draw(INPUTS, plain, seeded(0))
    with pytest.raises(ValueError, match="stratum 0 has 11 examples, 12 are needed"):
        PerStratum(12).draw(INPUTS, plain, seeded(0))


def test_given_baselines_are_drawn_as_they_are() -> None:
    kept = torch.arange(4.0).view(2, 2)
    baselines, weights = Given(kept).draw(INPUTS, BACKGROUND, seeded(0))
    assert torch.equal(baselines, kept)
    assert weights.tolist() == [0.5, 0.5]


SOURCES: list[Imputer] = [
    ZeroBaseline(),
    TrainingMean(),
    Given(BACKGROUND.examples[:2]),
    PerStratum(2),
    PerStratum(9, ByStratum(), at_most=True),
    UniformNoise(2),
    GaussianNoise(0.3, 2),
    MaximumDistance(),
    MeanExample(),
    Examples(3),
    FirstExample(),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_every_source_draws_for_a_table(source: Imputer) -> None:
    """Shared or one set an input, in the inputs' space, with weights that sum to one; the generator alone decides."""
    assert isinstance(source, Imputer)
    baselines, weights = source.draw(INPUTS, BACKGROUND, seeded(1))
    assert baselines.shape in ((len(weights), 2), (3, len(weights), 2))
    assert baselines.dtype == INPUTS.dtype
    assert weights.dtype == torch.float64
    assert float(weights.sum()) == pytest.approx(1)
    assert torch.equal(baselines, source.draw(INPUTS, BACKGROUND, seeded(1))[0])


def test_refuses_to_draw_nothing() -> None:
    with pytest.raises(ValueError, match="at least one example of each stratum, got count=0"):
        PerStratum(0)


def test_draws_on_the_device_of_the_examples(device: torch.device) -> None:
    moved = Background(
        examples=BACKGROUND.examples.to(device),
        centre=BACKGROUND.centre.to(device),
        stratum=STRATUM.to(device),
        stratum_weight=torch.ones(6, device=device),
    )
    for source in (ZeroBaseline(), TrainingMean(), PerStratum(2, ByStratum())):
        baselines, weights = source.draw(INPUTS.to(device), moved, seeded(0))
        assert baselines.device.type == weights.device.type == device.type


def test_the_farthest_point_and_noise_keep_to_the_features_ranges(generator: torch.Generator) -> None:
    low, high = torch.tensor([-3.0, 0.0, 5.0]), torch.tensor([3.0, 1.0, 9.0])
    background = Background(examples=torch.zeros(2, 3), centre=torch.zeros(3), low=low, high=high)
    inputs = torch.tensor([[2.0, 0.1, 7.0], [-2.0, 0.9, 8.0]])
    farthest, _ = MaximumDistance().draw(inputs, background, generator)
    assert farthest.squeeze(1).tolist() == [[-3.0, 1.0, 9.0], [3.0, 0.0, 5.0]]
    for source in (UniformNoise(400), GaussianNoise(0.2, 400)):
        drawn, _ = source.draw(inputs, background, generator)
        assert drawn.shape == (2, 400, 3)
        assert (drawn >= low).all()
        assert (drawn <= high).all()
    uniform, _ = UniformNoise(4000).draw(inputs, background, generator)
    assert torch.allclose(uniform.mean(dim=1), ((low + high) / 2).expand(2, 3), atol=0.2)
    near, _ = GaussianNoise(0.01, 4000).draw(inputs, background, generator)
    spread = (near - inputs[:, None]).std(dim=1) / (high - low)
    assert torch.allclose(spread, torch.full_like(spread, 0.01), rtol=0.1)
