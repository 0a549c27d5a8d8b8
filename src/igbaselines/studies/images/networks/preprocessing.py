"""From a photograph of any size to the square that a network sees, and its object mask by the same geometry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2.functional import InterpolationMode

from igbaselines.common.errors import UserError


@dataclass(frozen=True)
class Preprocessing:
    """Resizing and cropping as torchvision does them; normalisation belongs to the network.

    Raises:
        ValueError: for a crop that is larger than what it is cut from, or an unknown filter.
    """

    size: int  # side of the square [px]
    # The short side is brought to this length [px] and the centre is cut out; None resizes both sides to `size`
    # without a crop, as the released code of 2505.03201 does
    short_side: int | None
    interpolation: str  # name of a filter of torchvision: bilinear, bicubic, ... (antialiased)
    # A network's own way from an RGB picture to its pixels in [0, 1], (3, size, size), in the place of all that
    own: Callable[[Image.Image], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(f"short_side must be at least size, got {self.short_side} for {self.size}")
        InterpolationMode(self.interpolation)

    def image(self, photo: Image.Image) -> Float[Tensor, "3 {self.size} {self.size}"]:
        """Return the pixels of an upright RGB picture in [0, 1], on the CPU.

        Raises:
            ValueError: for another mode, whose conversion is a matter of how the file is read.
        """
        if photo.mode != "RGB":
            raise ValueError(f"a photograph must have mode RGB, got {photo.mode}")
        if self.own is not None:
            return self._own_pixels(photo)
        pixels: Tensor = functional.pil_to_tensor(self._square(photo, InterpolationMode(self.interpolation)))
        return pixels.float() / 255

    def mask(self, mask: Bool[np.ndarray, "h w"]) -> Bool[Tensor, "{self.size} {self.size}"]:
        """Return the mask of an object in the frame of `image`, by the nearest pixel; on the CPU."""
        if self.own is not None:  # whatever it does to places, it does to those of a black and white picture
            picture = Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")
            return self._own_pixels(picture).mean(dim=0) > 0.5
        # By way of PIL like the photograph: torch's nearest pixel is not the one at the centre.
        square = self._square(Image.fromarray(mask.astype(np.uint8)), InterpolationMode.NEAREST)
        return torch.from_numpy(np.array(square, dtype=bool))

    def _own_pixels(self, photo: Image.Image) -> Float[Tensor, "3 {self.size} {self.size}"]:
        assert self.own is not None
        pixels = self.own(photo).float()
        shape = (3, self.size, self.size)
        if tuple(pixels.shape) != shape or pixels.min() < 0 or pixels.max() > 1:
            found = f"{tuple(pixels.shape)} in [{pixels.min():.3g}, {pixels.max():.3g}]"
            raise UserError(
                f"preprocess must give pixels {shape} in [0, 1], got {found}: model.size is the side, and model.mean "
                "and model.std normalise behind it"
            )
        return pixels

    def _square(self, picture: Image.Image, interpolation: InterpolationMode) -> Image.Image:
        square = [self.size, self.size]
        resized: Image.Image
        if self.short_side is None:
            resized = functional.resize(picture, square, interpolation)
        else:
            resized = functional.center_crop(functional.resize(picture, [self.short_side], interpolation), square)
        return resized
