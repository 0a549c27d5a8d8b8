"""What masked pixels become: the fill of deletion, insertion and D_alpha (2505.03201, sections 4.1 and 6.1).

The paper leaves the value of a masked pixel open; its released code takes the mean colour of the corners. The fill
changes the numbers, so it is an object of its own. Images are pixels in [0, 1], before any normalisation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class MaskValue(Protocol):
    """The picture of which masked pixels are taken."""

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return for each image the picture that shows where everything is masked; a new tensor."""
        ...


@dataclass(frozen=True)
class Black:
    """Masked pixels are 0, the darkest there is."""

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return black pictures."""
        return torch.zeros_like(images)


@dataclass(frozen=True)
class Colour:
    """Masked pixels have one colour, the same for every image.

    The colour that a network's normalisation maps to zero is such a one: it is called the mean colour of the training
    images, and is not black.

    Args:
        value: red, green and blue in [0, 1].

    Raises:
        ValueError: where these are not three numbers in [0, 1].
    """

    value: Sequence[float]

    def __post_init__(self) -> None:
        value = tuple(float(channel) for channel in self.value)
        if len(value) != 3 or not all(0 <= channel <= 1 for channel in value):
            raise ValueError(f"a mask colour is red, green and blue in [0, 1], got {value}")
        object.__setattr__(self, "value", value)

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return pictures of the colour.

        Raises:
            ValueError: where the images do not have three channels.
        """
        if images.shape[1] != len(self.value):
            raise ValueError(f"a mask colour has 3 channels, the images have {images.shape[1]}")
        return _flat(images.new_tensor(self.value)[None], images)


@dataclass(frozen=True)
class CornerMean:
    """Masked pixels have the mean colour of the image's four corners, as in the code released with 2505.03201.

    It is the mean of the four corners' means; each corner is a square with a side of int(share * height) pixels,
    and of at least one where the released code would average nothing.

    Args:
        share: side of a corner over the height of the image, in (0, 0.5].

    Raises:
        ValueError: where the share is out of bounds.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise ValueError(f"corners take a share of the height in (0, 0.5], got {self.share}")

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return pictures of the corners' mean colour."""
        side = max(1, int(self.share * images.shape[-2]))
        first, last = slice(None, side), slice(-side, None)
        corners = [images[..., rows, columns].mean(dim=(-2, -1)) for rows in (first, last) for columns in (first, last)]
        return _flat(torch.stack(corners).mean(dim=0), images)


@dataclass(frozen=True)
class MeanColour:
    """Masked pixels have the mean colour of their own image."""

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return pictures of each image's mean colour."""
        return _flat(images.mean(dim=(-2, -1)), images)


@dataclass(frozen=True)
class BlurredImage:
    """Masked pixels are those of the blurred image: colours stay, edges and texture go.

    Args:
        sigma: standard deviation of the Gaussian, in pixels.

    Raises:
        ValueError: where sigma is not a positive number.
    """

    sigma: float

    def __post_init__(self) -> None:
        _check_sigma(self.sigma)

    def fill(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the blurred images."""
        return gaussian_blur(images, self.sigma)


def gaussian_blur(images: Float[Tensor, "*batch h w"], sigma: float) -> Float[Tensor, "*batch h w"]:
    """Blur with a Gaussian that is cut at 4 sigma, mirrored at the edges (scipy.ndimage.gaussian_filter's defaults).

    The edge pixels are repeated by the mirror (d c b a | a b c d | d c b a), so that the mean colour stays what it was;
    the Gaussian may be wider than the image.

    Args:
        images: pictures on any device.
        sigma: standard deviation, in pixels.

    Raises:
        ValueError: where sigma is not a positive number.
    """
    _check_sigma(sigma)
    height, width = images.shape[-2:]
    # Products with a matrix for each axis and not convolutions: those run in TF32 on CUDA unless told otherwise, and
    # pad by less than the size of the image only.
    return _blur_matrix(height, sigma).to(images) @ images @ _blur_matrix(width, sigma).to(images).T


def _blur_matrix(size: int, sigma: float) -> Float[Tensor, "size size"]:
    """The blur along one axis: output = matrix @ input, float64."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    kernel /= kernel.sum()
    rows = torch.arange(size)[:, None]
    # The mirrored image repeats itself every 2 * size pixels, once forward and once backward.
    sources = (rows + offsets) % (2 * size)
    sources = torch.where(sources < size, sources, 2 * size - 1 - sources)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, sources, kernel.expand(size, -1))


def _flat(colours: Float[Tensor, "m c"], images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return colours[:, :, None, None].expand_as(images).clone()


def _check_sigma(sigma: float) -> None:
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"a Gaussian blur needs a positive sigma in pixels, got {sigma}")
