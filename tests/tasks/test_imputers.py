"""What masked pixels become, against numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from igbaselines.tasks.imputers import (
    Black,
    BlurredImage,
    Colour,
    CornerMean,
    MaskValue,
    MeanColour,
    gaussian_blur,
)

VALUES = [Black(), Colour((0.485, 0.456, 0.406)), CornerMean(), MeanColour(), BlurredImage(1.5)]


@pytest.fixture
def images(generator: torch.Generator) -> Tensor:
    return torch.rand(2, 3, 20, 31, generator=generator)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_fills_are_new_pictures_of_the_same_kind(value: MaskValue, images: Tensor, device: torch.device) -> None:
    images = images.to(device)
    before = images.clone()
    fills = value.fill(images)
    assert (fills.shape, fills.dtype, fills.device) == (images.shape, images.dtype, images.device)
    assert 0 <= float(fills.min()) <= float(fills.max()) <= 1
    # Each image has its own fill, which may be written to without a trace elsewhere.
    torch.testing.assert_close(fills[1:], value.fill(images[1:]))
    fills[0, 0, 0, 0] = 7
    assert not (value.fill(images) == 7).any()
    assert torch.equal(images, before)


def test_black_is_not_a_networks_mean_colour(images: Tensor) -> None:
    mean = [0.485, 0.456, 0.406]
    assert not Black().fill(images).any()
    for channel, value in enumerate(mean):
        assert torch.equal(Colour(mean).fill(images)[:, channel], torch.full((2, 20, 31), value))


def test_a_colour_from_a_config_is_a_value() -> None:
    assert Colour([0.1, 0.2, 0.3]) == Colour((0.1, 0.2, 0.3))
    assert len({Colour([0.1, 0.2, 0.3]), Colour((0.1, 0.2, 0.3))}) == 1


@pytest.mark.parametrize(("share", "side"), [(0.1, 2), (0.25, 5), (0.5, 10), (0.01, 1)])
def test_corner_mean(images: Tensor, share: float, side: int) -> None:
    pixels = images.double().numpy()
    rows = [*range(side), *range(20 - side, 20)]
    columns = [*range(side), *range(31 - side, 31)]
    for fill, image in zip(CornerMean(share).fill(images.double()).numpy(), pixels, strict=True):
        # Corners have the same size, so the mean of their means is the mean of their pixels.
        expected = [np.mean([channel[i, j] for i in rows for j in columns]) for channel in image]
        np.testing.assert_allclose(fill, np.broadcast_to(np.reshape(expected, (3, 1, 1)), fill.shape), atol=1e-14)


def test_corners_of_a_picture_narrower_than_they_are(images: Tensor) -> None:
    column = images.double()[..., :1]
    expected = torch.cat([column[:, :, :10], column[:, :, 10:]], dim=2).mean(dim=(2, 3))
    torch.testing.assert_close(CornerMean(0.5).fill(column)[:, :, 0, 0], expected)


def test_mean_colour(images: Tensor) -> None:
    for fill, image in zip(MeanColour().fill(images.double()).numpy(), images.double().numpy(), strict=True):
        np.testing.assert_allclose(fill, np.ones_like(fill) * image.mean(axis=(1, 2), keepdims=True), atol=1e-14)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 10.0, 40.0])
@pytest.mark.parametrize("shape", [(20, 31), (1, 9), (3, 2), (1, 1)])
def test_blur_is_scipys(generator: torch.Generator, device: torch.device, sigma: float, shape: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *shape, generator=generator, dtype=torch.float64)
    expected = gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(images.to(device), sigma).cpu().numpy(), expected, atol=1e-12)
    in_float32 = BlurredImage(sigma).fill(images.float().to(device))
    np.testing.assert_allclose(in_float32.cpu().numpy(), expected, atol=1e-6)


def test_blur_keeps_the_mean_colour_and_ends_there(images: Tensor) -> None:
    mean = MeanColour().fill(images.double())
    torch.testing.assert_close(MeanColour().fill(gaussian_blur(images.double(), 3.0)), mean)
    torch.testing.assert_close(gaussian_blur(images.double(), 100.0), mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("value", [(0.1, 0.2), (0.1, 0.2, 1.2), (-0.1, 0.2, 0.3), (float("nan"), 0.5, 0.5)])
def test_refuses_what_is_no_colour(value: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"red, green and blue in \[0, 1\]"):
        Colour(value)


def test_refuses_to_colour_grey_images() -> None:
    with pytest.raises(ValueError, match="the images have 1"):
        Colour((0.1, 0.2, 0.3)).fill(torch.rand(2, 1, 4, 4))


@pytest.mark.parametrize("share", [0.0, -0.1, 0.6, float("nan")])
def test_refuses_corners_out_of_bounds(share: float) -> None:
    with pytest.raises(ValueError, match="share of the height"):
        CornerMean(share)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("inf"), float("nan")])
def test_refuses_a_blur_without_width(sigma: float) -> None:
    with pytest.raises(ValueError, match="positive sigma"):
        BlurredImage(sigma)
    with pytest.raises(ValueError, match="positive sigma"):
        gaussian_blur(torch.rand(1, 3, 4, 4), sigma)
