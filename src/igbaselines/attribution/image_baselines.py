"""Baselines that only pictures have, in pixel space: one colour, the picture's own, and blur (2505.03201, 6.1).

Black is `baselines.ZeroBaseline` (zero in pixel space) and the mean colour of the training data is
`baselines.TrainingMean` (zero after normalisation): two baselines that are often taken for one another.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, equal_weights
from igbaselines.tasks import Background


@dataclass(frozen=True)
class Constant:
    """One grey value everywhere, of every pixel and channel: 0 is black, 1 white."""

    value: float

    def draw(self, inputs: Float[Tensor, "n c h w"], background: Background, generator: torch.Generator) -> Drawn:
        """Return the constant picture."""
        baseline = torch.full_like(inputs[:1], self.value)
        return baseline, equal_weights(baseline, 1)


@dataclass(frozen=True)
class CornerMean:
    """The mean colour of the picture's four corners, as masked pixels have it in the code released with 2505.03201.

    It is the mean of the four corners' means; each corner is a square with a side of int(share * height) pixels,
    and of at least one where the released code would average nothing.

    Args:
        share: side of a corner over the height of the picture, in (0, 0.5].
    """

    pictures_only: ClassVar[bool] = True
    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise ValueError(f"corners take a share of the height in (0, 0.5], got {self.share}")

    def draw(self, inputs: Float[Tensor, "n c h w"], background: Background, generator: torch.Generator) -> Drawn:
        """Return pictures of the corners' mean colour."""
        side = max(1, int(self.share * inputs.shape[-2]))
        first, last = slice(None, side), slice(-side, None)
        corners = [inputs[..., rows, columns].mean(dim=(-2, -1)) for rows in (first, last) for columns in (first, last)]
        return _flat(torch.stack(corners).mean(dim=0), inputs), equal_weights(inputs, 1)


@dataclass(frozen=True)
class MeanColour:
    """Each picture's own mean colour."""

    pictures_only: ClassVar[bool] = True

    def draw(self, inputs: Float[Tensor, "n c h w"], background: Background, generator: torch.Generator) -> Drawn:
        """Return pictures of the mean colour."""
        return _flat(inputs.mean(dim=(-2, -1)), inputs), equal_weights(inputs, 1)


@dataclass(frozen=True)
class Blurred:
    """The input without its details: colours stay, edges and texture go.

    Args:
        sigma: of the Gaussian [pixels].
    """

    pictures_only: ClassVar[bool] = True
    sigma: float = 10.0

    def __post_init__(self) -> None:
        _check_sigma(self.sigma)

    def draw(self, inputs: Float[Tensor, "n c h w"], background: Background, generator: torch.Generator) -> Drawn:
        """Blur every input."""
        return gaussian_blur(inputs, self.sigma).unsqueeze(1), equal_weights(inputs, 1)


def _flat(colours: Float[Tensor, "n c"], inputs: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 c h w"]:
    return colours[:, :, None, None].expand_as(inputs).clone().unsqueeze(1)


def gaussian_blur(images: Float[Tensor, "*batch h w"], sigma: float) -> Float[Tensor, "*batch h w"]:
    """Blur with a Gaussian that is cut at 4 sigma, mirrored at the edges (scipy.ndimage.gaussian_filter's defaults).

    The edge pixels are repeated by the mirror (d c b a | a b c d | d c b a), so that the mean colour stays what it was;
    the Gaussian may be wider than the image. Sigma, in pixels, has to be a positive number, else a ValueError says so.
    """
    _check_sigma(sigma)
    height, width = images.shape[-2:]
    # Products with a matrix for each axis and not convolutions: those run in TF32 on CUDA unless told otherwise, and
    # pad by less than the size of the image only.
    return _blur_matrix(height, sigma).to(images) @ images @ _blur_matrix(width, sigma).to(images).T


def _blur_matrix(size: int, sigma: float) -> Float[Tensor, "size size"]:
    """The blur along one axis: output = matrix @ input, float64."""
    return spread(size, gaussian_kernel(sigma))


def gaussian_kernel(sigma: float) -> Float[Tensor, " offsets"]:
    """A Gaussian cut at 4 sigma, float64; of a sigma under 1/8 a pixel it is 1."""
    offsets = _offsets(sigma)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return kernel / kernel.sum()


def gaussian_kernel_slope(sigma: float) -> Float[Tensor, " offsets"]:
    """The derivative of `gaussian_kernel` with respect to sigma."""
    kernel = gaussian_kernel(sigma)
    grows = kernel * _offsets(sigma) ** 2 / sigma**3
    return grows - kernel * grows.sum()


def _offsets(sigma: float) -> Float[Tensor, " offsets"]:
    radius = int(4 * sigma + 0.5)
    return torch.arange(-radius, radius + 1, dtype=torch.float64)


def spread(size: int, kernel: Float[Tensor, " offsets"], mirrored: bool = True) -> Float[Tensor, "size size"]:
    """What a kernel does along one axis, as a matrix; behind the edges is the mirrored image, or zero."""
    offsets = torch.arange(len(kernel)) - len(kernel) // 2
    rows = torch.arange(size)[:, None]
    if not mirrored:
        sources, there = rows + offsets, (rows + offsets >= 0) & (rows + offsets < size)
        return torch.zeros(size, size, dtype=torch.float64).scatter_add_(
            1, sources.clamp(0, size - 1), kernel.expand(size, -1) * there
        )
    # The mirrored image repeats itself every 2 * size pixels, once forward and once backward.
    sources = (rows + offsets) % (2 * size)
    sources = torch.where(sources < size, sources, 2 * size - 1 - sources)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, sources, kernel.expand(size, -1))


def _check_sigma(sigma: float) -> None:
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"a Gaussian blur needs a positive sigma in pixels, got {sigma}")
