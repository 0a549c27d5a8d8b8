"""Photographs and masks go through one geometry: torchvision's own, at any size and shape."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.v2.functional import InterpolationMode

from igbaselines.studies.images.networks.preprocessing import Preprocessing

SHAPES = [(333, 500), (500, 333), (97, 61), (20, 35), (16, 16), (224, 225), (769, 1024), (224, 224), (16, 2000)]


def noise(rng: np.random.Generator, height: int, width: int) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("size", "short_side", "filter_"), [(224, 256, "bilinear"), (65, 72, "bicubic")])
def test_is_what_torchvision_does_with_its_weights(
    size: int, short_side: int, filter_: str, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    photo = noise(rng, *shape)
    preset = ImageClassification(
        crop_size=size,
        resize_size=short_side,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        interpolation=InterpolationMode(filter_),
    )
    torch.testing.assert_close(Preprocessing(size, short_side, filter_).image(photo), preset(photo), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [*SHAPES, (2000, 16), (17, 3001)])
@pytest.mark.parametrize("short_side", [None, 64, 75])
def test_gives_a_square_of_pixels_from_0_to_1(
    short_side: int | None, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    image = Preprocessing(64, short_side, "bicubic").image(noise(rng, *shape))
    assert (image.shape, image.dtype) == ((3, 64, 64), torch.float32)
    assert 0 <= float(image.min()) < float(image.max()) <= 1


def test_without_a_crop_the_whole_photograph_is_seen() -> None:
    photo = np.zeros((40, 120, 3), dtype=np.uint8)
    photo[:, :12, 0] = photo[:, -12:, 1] = 255
    whole = Preprocessing(50, None, "bilinear").image(Image.fromarray(photo))
    assert whole[0, :, :4].min() == whole[1, :, -4:].min() == 1
    cropped = Preprocessing(50, 50, "bilinear").image(Image.fromarray(photo))
    assert cropped.max() == 0


@pytest.mark.parametrize("shape", [(333, 500), (500, 333), (97, 61), (20, 35), (16, 33), (769, 1024), (300, 1999)])
@pytest.mark.parametrize("short_side", [None, 96, 111])
@pytest.mark.parametrize("filter_", ["bilinear", "bicubic"])
def test_mask_and_photograph_stay_aligned(filter_: str, short_side: int | None, shape: tuple[int, int]) -> None:
    height, width = shape
    mask = np.zeros(shape, dtype=bool)
    middle = width // 2  # off the centre, and inside every crop
    mask[height // 5 : height * 3 // 5, middle - height // 4 : middle + height // 3] = True
    photo = Image.fromarray(np.repeat(mask[:, :, None], 3, axis=2).astype(np.uint8) * 255)
    preprocessing = Preprocessing(96, short_side, filter_)
    seen, expected = preprocessing.mask(mask), preprocessing.image(photo)[0] > 0.5
    assert seen.dtype == torch.bool
    assert 0 < int(seen.sum()) < 96 * 96
    for axis in (0, 1):
        ends, expected_ends = (torch.nonzero(m.any(dim=axis)).flatten()[[0, -1]] for m in (seen, expected))
        assert int((ends - expected_ends).abs().max()) <= 1
    assert int((seen ^ expected).sum()) <= 4 * 96  # at most a line of pixels on each side


@pytest.mark.parametrize("shape", [(33, 71), (71, 33), (301, 97), (64, 64)])
def test_mask_takes_the_nearest_pixel(shape: tuple[int, int], rng: np.random.Generator) -> None:
    mask = rng.random(shape) < 0.5
    rows, columns = (((np.arange(64) + 0.5) * side / 64).astype(int) for side in shape)
    expected = torch.from_numpy(mask[np.ix_(rows, columns)])
    assert torch.equal(Preprocessing(64, None, "bicubic").mask(mask), expected)


def test_full_and_empty_masks_stay_so() -> None:
    for value in (True, False):
        square = Preprocessing(64, 80, "bilinear").mask(np.full((16, 300), value))
        assert bool((square == value).all())


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="short_side must be at least size, got 200 for 224"):
        Preprocessing(224, 200, "bilinear")
    with pytest.raises(ValueError, match="cubical"):
        Preprocessing(224, 256, "cubical")
    with pytest.raises(ValueError, match="must have mode RGB, got I;16"):
        Preprocessing(224, 256, "bilinear").image(Image.fromarray(np.zeros((30, 30), dtype=np.uint16)))
