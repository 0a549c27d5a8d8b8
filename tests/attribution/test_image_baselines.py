"""Baselines for pictures: what each of them is, for whom it is drawn anew, and what it may never be.

What is mean, corner or blur is compared with numpy and scipy.
"""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from igbaselines.attribution.baselines import (
    BaselineSet,
    Examples,
    FirstExample,
    GaussianNoise,
    MaximumDistance,
    MeanExample,
    TooFewExamplesError,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.image_baselines import Blurred, Constant, CornerMean, MeanColour, gaussian_blur
from igbaselines.tasks import Background, Imputer, impute

SOURCES: list[Imputer] = [
    Constant(0.5),
    UniformNoise(2),
    GaussianNoise(0.3, 2),
    Blurred(1.0),
    CornerMean(),
    MeanColour(),
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
def background(inputs: Tensor, generator: torch.Generator) -> Background:
    others = torch.rand(4, 3, 6, 5, generator=generator)
    return Background(
        examples=torch.cat([inputs, others]), centre=torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1).expand(3, 6, 5)
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_pictures_in_pixel_space_with_weights_that_sum_to_one(
    source: Imputer, inputs: Tensor, background: Background, device: torch.device
) -> None:
    moved = Background(examples=background.examples.to(device), centre=background.centre.to(device))
    baselines, weights = source.draw(inputs.to(device), moved, seeded())
    assert baselines.shape[-3:] == inputs.shape[-3:]
    assert baselines.dtype == inputs.dtype
    assert baselines.device.type == weights.device.type == device.type
    assert 0 <= float(baselines.min()) <= float(baselines.max()) <= 1
    assert len(weights) == baselines.shape[-4]
    assert float(weights.sum()) == pytest.approx(1)
    again, _ = source.draw(inputs.to(device), moved, seeded())
    assert torch.equal(baselines, again)


def test_black_and_zero_after_normalisation_are_two_baselines(inputs: Tensor, background: Background) -> None:
    black, _ = ZeroBaseline().draw(inputs, background, seeded())
    centre, _ = TrainingMean().draw(inputs, background, seeded())
    assert black.abs().max() == 0
    assert centre[0, :, 2, 2].tolist() == pytest.approx([0.4, 0.5, 0.6])


def test_constants_are_one_grey_value(inputs: Tensor, background: Background) -> None:
    assert Constant(1.0).draw(inputs, background, seeded())[0].unique().tolist() == [1.0]


@pytest.mark.parametrize("source", [UniformNoise(2), GaussianNoise(0.3, 2)])
def test_noise_differs_between_inputs_and_draws(source: Imputer, inputs: Tensor, background: Background) -> None:
    baselines, _ = source.draw(inputs, background, seeded())
    assert baselines.shape == (3, 2, 3, 6, 5)
    assert len(baselines.flatten(0, 1).unique(dim=0)) == 6


def test_uniform_noise_is_uniform() -> None:
    wide = torch.zeros(1, 3, 100, 100)
    noise = UniformNoise().draw(wide, Background(wide, wide[0]), seeded())[0]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noise.var()) == pytest.approx(1 / 12, abs=0.002)


def test_gaussian_noise_stands_around_the_input() -> None:
    grey = torch.full((1, 3, 100, 100), 0.5)
    noise = GaussianNoise(0.1).draw(grey, Background(grey, grey[0]), seeded())[0]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.1, abs=0.003)


def test_blur_keeps_a_flat_picture_and_smooths_another(inputs: Tensor, background: Background) -> None:
    flat = torch.full_like(inputs, 0.25)
    torch.testing.assert_close(Blurred(2.0).draw(flat, background, seeded())[0][:, 0], flat)
    blurred = Blurred(2.0).draw(inputs, background, seeded())[0]
    assert (blurred[:, 0].flatten(1).var(dim=1) < 0.3 * inputs.flatten(1).var(dim=1)).all()


def test_examples_are_never_the_input_itself(inputs: Tensor, background: Background) -> None:
    for seed in range(40):
        drawn, _ = Examples(6).draw(inputs, background, seeded(seed))
        for picture, others in zip(inputs, drawn, strict=True):
            assert not (others == picture).flatten(1).all(dim=1).any()
            assert len(others.unique(dim=0)) == 6
    with pytest.raises(TooFewExamplesError, match="7 examples beside the explained one are needed, found 6"):
        Examples(7).draw(inputs, background, seeded())


def test_the_first_example_may_be_the_input_itself(inputs: Tensor, background: Background) -> None:
    assert torch.equal(FirstExample().draw(inputs, background, seeded())[0], inputs[:1])


def test_the_mean_example_is_the_mean(inputs: Tensor, background: Background) -> None:
    mean, _ = MeanExample().draw(inputs, background, seeded())
    torch.testing.assert_close(mean[0], sum(background.examples) / 7)


def test_a_set_names_its_baselines_and_weighs_them_equally(inputs: Tensor, background: Background) -> None:
    together = BaselineSet({"black": ZeroBaseline(), "uniform": UniformNoise(2), "blur": Blurred(1.0)})
    named = together.named(inputs, background, seeded())
    assert list(named) == ["black", "uniform_1", "uniform_2", "blur"]
    baselines, weights = together.draw(inputs, background, seeded())
    assert torch.equal(baselines, torch.stack(list(named.values()), dim=1))
    assert weights.tolist() == [0.25] * 4
    assert baselines.shape == (3, 4, 3, 6, 5)
    assert baselines[:, 0].abs().max() == 0
    torch.testing.assert_close(baselines[:, 3], Blurred(1.0).draw(inputs, background, seeded())[0][:, 0])


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        BaselineSet({})


def test_two_baselines_of_one_name_are_refused(inputs: Tensor, background: Background) -> None:
    twice = BaselineSet({"noise_1": ZeroBaseline(), "noise": UniformNoise(2)})
    with pytest.raises(ValueError, match="two baselines are called noise_1: give one of the sources another name"):
        twice.draw(inputs, background, seeded())


# As values of absent pixels

FILLS: list[Imputer] = [ZeroBaseline(), TrainingMean(), CornerMean(), MeanColour(), Blurred(1.5)]
MEAN = (0.485, 0.456, 0.406)


@pytest.fixture
def images(generator: torch.Generator) -> Tensor:
    return torch.rand(2, 3, 20, 31, generator=generator)


def fill(imputer: Imputer, images: Tensor) -> Tensor:
    """The pictures without any of their pixels; the mean colour of the training data is MEAN."""
    centre = torch.tensor(MEAN).to(images)[: images.shape[1], None, None].expand_as(images[0])
    return impute(imputer, images, Background(images, centre), seeded())


@pytest.mark.parametrize("imputer", FILLS, ids=lambda imputer: type(imputer).__name__)
def test_fills_are_pictures_of_the_same_kind(imputer: Imputer, images: Tensor, device: torch.device) -> None:
    images = images.to(device)
    before = images.clone()
    fills = fill(imputer, images)
    assert (fills.shape, fills.dtype, fills.device) == (images.shape, images.dtype, images.device)
    assert 0 <= float(fills.min()) <= float(fills.max()) <= 1
    # Each image has its own fill, and keeps its pixels.
    torch.testing.assert_close(fills[1:], fill(imputer, images[1:]))
    assert torch.equal(images, before)


def test_black_is_not_a_networks_mean_colour(images: Tensor) -> None:
    assert not fill(ZeroBaseline(), images).any()
    for channel, value in enumerate(MEAN):
        assert torch.equal(fill(TrainingMean(), images)[:, channel], torch.full((2, 20, 31), value))


@pytest.mark.parametrize(("share", "side"), [(0.1, 2), (0.25, 5), (0.5, 10), (0.01, 1)])
def test_corner_mean(images: Tensor, share: float, side: int) -> None:
    pixels = images.double().numpy()
    rows = [*range(side), *range(20 - side, 20)]
    columns = [*range(side), *range(31 - side, 31)]
    for filled, image in zip(fill(CornerMean(share), images.double()).numpy(), pixels, strict=True):
        # Corners have the same size, so the mean of their means is the mean of their pixels.
        expected = [np.mean([channel[i, j] for i in rows for j in columns]) for channel in image]
        np.testing.assert_allclose(filled, np.broadcast_to(np.reshape(expected, (3, 1, 1)), filled.shape), atol=1e-14)


def test_corners_of_a_picture_narrower_than_they_are(images: Tensor) -> None:
    column = images.double()[..., :1]
    expected = torch.cat([column[:, :, :10], column[:, :, 10:]], dim=2).mean(dim=(2, 3))
    torch.testing.assert_close(fill(CornerMean(0.5), column)[:, :, 0, 0], expected)


def test_mean_colour(images: Tensor) -> None:
    for filled, image in zip(fill(MeanColour(), images.double()).numpy(), images.double().numpy(), strict=True):
        np.testing.assert_allclose(filled, np.ones_like(filled) * image.mean(axis=(1, 2), keepdims=True), atol=1e-14)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 10.0, 40.0])
@pytest.mark.parametrize("shape", [(20, 31), (1, 9), (3, 2), (1, 1)])
def test_blur_is_scipys(generator: torch.Generator, device: torch.device, sigma: float, shape: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *shape, generator=generator, dtype=torch.float64)
    expected = gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(images.to(device), sigma).cpu().numpy(), expected, atol=1e-12)
    in_float32 = fill(Blurred(sigma), images.float().to(device))
    np.testing.assert_allclose(in_float32.cpu().numpy(), expected, atol=1e-6)


def test_blur_keeps_the_mean_colour_and_ends_there(images: Tensor) -> None:
    mean = fill(MeanColour(), images.double())
    torch.testing.assert_close(fill(MeanColour(), gaussian_blur(images.double(), 3.0)), mean)
    torch.testing.assert_close(gaussian_blur(images.double(), 100.0), mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("share", [0.0, -0.1, 0.6, float("nan")])
def test_refuses_corners_out_of_bounds(share: float) -> None:
    with pytest.raises(ValueError, match="share of the height"):
        CornerMean(share)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("inf"), float("nan")])
def test_refuses_a_blur_without_width(sigma: float) -> None:
    with pytest.raises(ValueError, match="positive sigma"):
        Blurred(sigma)
    with pytest.raises(ValueError, match="positive sigma"):
        gaussian_blur(torch.rand(1, 3, 4, 4), sigma)
