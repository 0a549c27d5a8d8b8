"""Sources of baselines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

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
from igbaselines.attribution.weighting import ByStratum, Uniform, Weighting
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


def test_negative_weights_are_drawn_by_magnitude_and_carry_their_sign() -> None:
    """The weighted mean is that of the signed weights, and every stratum counts as much as without signs."""
    stratum = torch.arange(400) % 2
    sign = torch.where(torch.arange(400) // 2 % 5 == 0, -1.0, 1.0)  # a fifth, of value 1 where others have 0
    examples = torch.stack([stratum.float(), (sign < 0).float()], dim=1)
    background = Background(examples, torch.zeros(2), stratum, torch.tensor([3.0, 1.0]), example_weight=sign)
    for weighting, share in ((Uniform(), 0.5), (ByStratum(), 0.75)):
        drawn, weights = PerStratum(200, weighting).draw(INPUTS, background, seeded(0))  # all there are
        assert weights.sum().item() == pytest.approx(1)
        assert weights[drawn[:, 0] == 0].sum().item() == pytest.approx(share)
        assert ((weights < 0) == (drawn[:, 1] == 1)).all()
        assert (weights @ drawn[:, 1].double()).item() == pytest.approx(-1 / 3)  # -40 of 120
    for seed in range(50):  # of few, those whose signs cancel are drawn again
        _, weights = PerStratum(2).draw(INPUTS, background, seeded(seed))
        assert weights.sum().item() == pytest.approx(1)
    everything = replace(background, example_weight=-torch.ones(400))
    with pytest.raises(ValueError, match="do not add up to more than 0"):
        PerStratum(2).draw(INPUTS, everything, seeded(0))


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


# Of the strata that an input is not of

MEMBERS = torch.arange(60) % 4
LABELLED = Background(
    examples=torch.stack([MEMBERS.float(), torch.arange(60.0)], dim=1),
    centre=torch.zeros(2),
    stratum=MEMBERS,
    stratum_weight=torch.tensor([1.0, 2.0, 3.0, 4.0]),
    own=torch.tensor([0, 1, 2, 3, 3]),
)
OF_STRATA = torch.zeros(5, 2)


def strata_of(source: Imputer, background: Background = LABELLED, seed: int = 0) -> torch.Tensor:
    """The strata of the examples that each input gets, (n, k), which all count the same."""
    assert background.own is not None
    baselines, weights = source.draw(torch.zeros(len(background.own), 2), background, seeded(seed))
    assert weights.tolist() == pytest.approx([1 / len(weights)] * len(weights))
    return baselines[..., 0].long()


@pytest.mark.parametrize("weighting", [Uniform(), ByStratum()], ids=str)
@pytest.mark.parametrize("count", [1, 4])
def test_no_input_gets_examples_of_its_own_stratum(weighting: Weighting, count: int) -> None:
    for seed in range(20):
        drawn = strata_of(PerStratum(count, weighting, others=True), seed=seed)
        assert drawn.shape == (5, 3 * count)
        assert LABELLED.own is not None
        assert (drawn != LABELLED.own[:, None]).all()


def test_every_other_stratum_comes_in_turn() -> None:
    drawn = strata_of(PerStratum(3, others=True))
    for row, own in zip(drawn, [0, 1, 2, 3, 3], strict=True):
        assert torch.bincount(row, minlength=4).tolist() == [0 if stratum == own else 3 for stratum in range(4)]
    few = torch.cat([strata_of(PerStratum(3, others=True, most=2), seed=seed)[:1] for seed in range(200)])
    assert all(len(row.unique()) == 2 for row in few)  # by lot which two, and no one twice before all had their turn
    assert torch.bincount(few.flatten(), minlength=4)[1:].tolist() == pytest.approx([400 / 3] * 3, abs=40)
    four = strata_of(PerStratum(3, others=True, most=4))
    assert all(sorted(torch.bincount(row, minlength=4).tolist()) == [0, 1, 1, 2] for row in four)


def test_an_input_of_no_stratum_gets_as_many_of_all() -> None:
    background = replace(LABELLED, own=torch.tensor([0, -1]))
    drawn = torch.stack([strata_of(PerStratum(2, others=True), background, seed) for seed in range(40)])
    assert drawn.shape == (40, 2, 6)
    assert drawn[:, 1].unique().tolist() == [0, 1, 2, 3]
    nobody = strata_of(PerStratum(2, others=True), replace(LABELLED, own=torch.full((3,), -1)))
    assert [torch.bincount(row).tolist() for row in nobody] == [[2, 2, 2, 2]] * 3


def test_other_strata_come_in_proportion_to_their_weights() -> None:
    """Chi-square of 3000 examples of the inputs of strata 0 and 3, with as many cells as there are others."""
    drawn = strata_of(PerStratum(1000, ByStratum(), others=True))
    for row, weights in ((0, [0, 2, 3, 4]), (3, [1, 2, 3, 0]), (4, [1, 2, 3, 0])):
        others = [stratum for stratum in range(4) if weights[stratum]]
        found = torch.bincount(drawn[row], minlength=4)[others].double().numpy()
        expected = np.array(weights)[others] * len(drawn[row]) / sum(weights)
        assert chisquare(found, expected).pvalue > 1e-3


def test_the_mean_converges_to_that_of_the_other_strata() -> None:
    """Whose examples count by their own weights within a stratum."""
    weight = 1.0 + torch.arange(60) % 5
    background = replace(LABELLED, example_weight=weight)
    count = 4000
    baselines, _ = PerStratum(count, ByStratum(), others=True).draw(OF_STRATA, background, seeded(0))
    for row, own in enumerate([0, 1, 2, 3, 3]):
        shares = torch.tensor([1.0, 2.0, 3.0, 4.0]) * (torch.arange(4) != own)
        within = torch.stack([weight * (stratum == MEMBERS) for stratum in range(4)])
        probability = (shares / shares.sum()) @ (within / within.sum(dim=1, keepdim=True))
        mean = float(probability @ LABELLED.examples[:, 1])
        spread = float(probability @ (LABELLED.examples[:, 1] - mean) ** 2) ** 0.5
        assert float(baselines[row, :, 1].mean()) == pytest.approx(mean, abs=4 * spread / (3 * count) ** 0.5)


def test_strata_of_which_no_example_counts_are_not_there() -> None:
    """Here as without `others`: stratum 2 goes, and inputs of it have all that is left."""
    background = replace(LABELLED, example_weight=(MEMBERS != 2).float())
    for weighting in (Uniform(), ByStratum()):
        drawn = strata_of(PerStratum(4, weighting, others=True), background)
        assert 2 not in drawn
        assert drawn.shape == (5, 8)
    only = replace(LABELLED, example_weight=(MEMBERS == 2).float())
    with pytest.raises(TooFewExamplesError, match="an input is of the only stratum there is"):
        PerStratum(4, others=True).draw(OF_STRATA, only, seeded(0))


@pytest.mark.parametrize("weighting", [Uniform(), ByStratum()], ids=str)
def test_the_same_state_draws_the_same_others(weighting: Weighting) -> None:
    source = PerStratum(2, weighting, others=True)
    one, again, other = (source.draw(OF_STRATA, LABELLED, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_without_others_what_an_input_is_of_does_not_matter() -> None:
    plain = replace(LABELLED, own=None)
    drawn = [
        source.draw(OF_STRATA, background, seeded(3))[0]
        for source, background in (
            (PerStratum(2), plain),
            (PerStratum(2), LABELLED),
            (PerStratum(2, others=True), plain),  # nobody says what they are of
            (PerStratum(2, most=8), plain),  # as many as there are
        )
    ]
    assert drawn[0].shape == (8, 2)
    assert all(torch.equal(one, drawn[0]) for one in drawn[1:])


def test_at_most_so_many_examples_are_kept_by_lot() -> None:
    everyone = PerStratum(15, ByStratum())
    times = torch.zeros(60)
    for seed in range(200):
        baselines, weights = replace(everyone, most=12).draw(OF_STRATA, LABELLED, seeded(seed))
        places = baselines[:, 1].long()
        assert len(places.unique()) == 12
        assert float(weights.sum()) == pytest.approx(1)
        expected = ByStratum().weights(MEMBERS[places], LABELLED.stratum_weight)
        torch.testing.assert_close(weights, expected)
        times[places] += 1
    assert times.tolist() == pytest.approx([40] * 60, abs=5 * (200 * 0.2 * 0.8) ** 0.5)


def test_at_most_as_many_examples_as_there_are() -> None:
    inputs = torch.cat([BACKGROUND.examples[:2], torch.tensor([[-1.0, -1.0]])])
    few, weights = Examples(50, at_most=True).draw(inputs, BACKGROUND, seeded(0))
    assert few.shape == (3, 10, 2)
    assert weights.tolist() == pytest.approx([0.1] * 10)
    assert all(len(row.unique(dim=0)) == 10 for row in few)
    for row in range(2):
        assert not (few[row] == inputs[row]).all(dim=1).any()  # never the input itself
    enough, refused = (Examples(4, at_most).draw(inputs, BACKGROUND, seeded(0))[0] for at_most in (True, False))
    assert torch.equal(enough, refused)
    with pytest.raises(TooFewExamplesError, match="50 examples beside the explained one are needed, found 10"):
        Examples(50).draw(inputs, BACKGROUND, seeded(0))
    alone = replace(BACKGROUND, examples=inputs[:1], stratum=None)
    with pytest.raises(TooFewExamplesError, match="found 0"):
        Examples(50, at_most=True).draw(inputs[:1], alone, seeded(0))
