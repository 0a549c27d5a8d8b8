"""Baselines for pictures: what each of them is, for whom it is drawn anew, and what it may never be."""

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import (
    BaselineSet,
    Examples,
    FirstExample,
    GaussianNoise,
    Imputer,
    MaximumDistance,
    MeanExample,
    Reference,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.image_baselines import Blurred, Constant

SOURCES: list[Imputer] = [
    Constant(0.5),
    UniformNoise(2),
    GaussianNoise(0.3, 2),
    Blurred(1.0),
    MeanExample(),
    Examples(2),
    FirstExample(),
    MaximumDistance(),
    ZeroBaseline(),
    TrainingMean(),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.rand(3, 3, 6, 5, generator=generator)


@pytest.fixture
def reference(inputs: Tensor, generator: torch.Generator) -> Reference:
    others = torch.rand(4, 3, 6, 5, generator=generator)
    return Reference(
        examples=torch.cat([inputs, others]), centre=torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1).expand(3, 6, 5)
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_pictures_in_pixel_space_with_weights_that_sum_to_one(
    source: Imputer, inputs: Tensor, reference: Reference, device: torch.device
) -> None:
    moved = Reference(examples=reference.examples.to(device), centre=reference.centre.to(device))
    baselines, weights = source.draw(inputs.to(device), moved, seeded())
    assert baselines.shape[-3:] == inputs.shape[-3:]
    assert baselines.dtype == inputs.dtype
    assert baselines.device.type == weights.device.type == device.type
    assert 0 <= float(baselines.min()) <= float(baselines.max()) <= 1
    assert len(weights) == baselines.shape[-4]
    assert float(weights.sum()) == pytest.approx(1)
    again, _ = source.draw(inputs.to(device), moved, seeded())
    assert torch.equal(baselines, again)


def test_black_and_zero_after_normalisation_are_two_baselines(inputs: Tensor, reference: Reference) -> None:
    black, _ = ZeroBaseline().draw(inputs, reference, seeded())
    centre, _ = TrainingMean().draw(inputs, reference, seeded())
    assert black.abs().max() == 0
    assert centre[0, :, 2, 2].tolist() == pytest.approx([0.4, 0.5, 0.6])


def test_constants_are_one_grey_value(inputs: Tensor, reference: Reference) -> None:
    assert Constant(1.0).draw(inputs, reference, seeded())[0].unique().tolist() == [1.0]


@pytest.mark.parametrize("source", [UniformNoise(2), GaussianNoise(0.3, 2)])
def test_noise_differs_between_inputs_and_draws(source: Imputer, inputs: Tensor, reference: Reference) -> None:
    baselines, _ = source.draw(inputs, reference, seeded())
    assert baselines.shape == (3, 2, 3, 6, 5)
    assert len(baselines.flatten(0, 1).unique(dim=0)) == 6


def test_uniform_noise_is_uniform() -> None:
    wide = torch.zeros(1, 3, 100, 100)
    noise = UniformNoise().draw(wide, Reference(wide, wide[0]), seeded())[0]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noise.var()) == pytest.approx(1 / 12, abs=0.002)


def test_gaussian_noise_stands_around_the_input() -> None:
    grey = torch.full((1, 3, 100, 100), 0.5)
    noise = GaussianNoise(0.1).draw(grey, Reference(grey, grey[0]), seeded())[0]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.1, abs=0.003)


def test_blur_keeps_a_flat_picture_and_smooths_another(inputs: Tensor, reference: Reference) -> None:
    flat = torch.full_like(inputs, 0.25)
    torch.testing.assert_close(Blurred(2.0).draw(flat, reference, seeded())[0][:, 0], flat)
    blurred = Blurred(2.0).draw(inputs, reference, seeded())[0]
    assert (blurred[:, 0].flatten(1).var(dim=1) < 0.3 * inputs.flatten(1).var(dim=1)).all()


def test_examples_are_never_the_input_itself(inputs: Tensor, reference: Reference) -> None:
    for seed in range(40):
        drawn, _ = Examples(6).draw(inputs, reference, seeded(seed))
        for picture, others in zip(inputs, drawn, strict=True):
            assert not (others == picture).flatten(1).all(dim=1).any()
            assert len(others.unique(dim=0)) == 6
    with pytest.raises(ValueError, match="7 examples beside the explained one are needed, found 6"):
        Examples(7).draw(inputs, reference, seeded())


def test_the_first_example_may_be_the_input_itself(inputs: Tensor, reference: Reference) -> None:
    assert torch.equal(FirstExample().draw(inputs, reference, seeded())[0], inputs[:1])


def test_the_mean_example_is_the_mean(inputs: Tensor, reference: Reference) -> None:
    mean, _ = MeanExample().draw(inputs, reference, seeded())
    torch.testing.assert_close(mean[0], sum(reference.examples) / 7)


def test_a_set_names_its_baselines_and_weighs_them_equally(inputs: Tensor, reference: Reference) -> None:
    together = BaselineSet({"black": ZeroBaseline(), "uniform": UniformNoise(2), "blur": Blurred(1.0)})
    names, baselines = together.draw_named(inputs, reference, seeded())
    assert names == ["black", "uniform_1", "uniform_2", "blur"]
    again, weights = together.draw(inputs, reference, seeded())
    assert torch.equal(baselines, again)
    assert weights.tolist() == [0.25] * 4
    assert baselines.shape == (3, 4, 3, 6, 5)
    assert baselines[:, 0].abs().max() == 0
    torch.testing.assert_close(baselines[:, 3], Blurred(1.0).draw(inputs, reference, seeded())[0][:, 0])


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        BaselineSet({})
