"""Pictures of any kind as upright 8-bit RGB: 16 bits, CMYK, a palette, a phone's rotated frame.

Colour profiles are not applied, as in torchvision's pipelines.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import ExifTags, Image, UnidentifiedImageError

Picture = Path | Image.Image  # a file, or what has been read already

# What is meant by a photograph. PIL would open much else by its content, and start Ghostscript for PostScript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MIN_SIDE = 16  # pixels; anything smaller is an icon or a spacer, and networks would only see its interpolation
MAX_ASPECT = 64  # a longer strip, resized by its short side, would not fit into memory; a network sees its middle alone
_UPRIGHT = {  # EXIF orientation -> what turns the stored pixels upright; 1 is upright already
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = 5  # from this orientation on, width and height change places


class UnreadablePhotographError(Exception):
    """Why a photograph or its mask cannot be used, in one line; the others can."""


@dataclass(frozen=True)
class Frame:
    """How a file's pixels are stored."""

    stored: tuple[int, int]  # width and height as they are stored
    orientation: int  # EXIF orientation, 1 to 8

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        return _turned(self.stored, self.orientation)

    def turn_upright(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "H W"]:
        """Turn a mask of the stored pixels as viewers turn the image."""
        if self.orientation not in _UPRIGHT:
            return mask
        return np.asarray(Image.fromarray(mask.astype(np.uint8)).transpose(_UPRIGHT[self.orientation])).astype(bool)


def open_photograph(picture: Picture) -> Image.Image:
    """Read a photograph: upright, RGB, 8 bits, the first frame of an animation, transparency on white.

    Raises:
        UnreadablePhotographError: if the file is missing, broken, no image, too small or too large.
    """
    with opened(picture) as image:
        _check_size(image.size)  # before the pixels are read
        image.load()
        upright = _to_rgb(image)
        if (orientation := _orientation(image)) in _UPRIGHT:
            upright = upright.transpose(_UPRIGHT[orientation])
    upright.info = {}  # nobody downstream may turn it a second time
    return upright


def read_frame(picture: Picture) -> Frame:
    """Find out how a photograph's pixels are stored; what cannot be read raises as in `open_photograph`."""
    with opened(picture) as image:
        orientation = _orientation(image)
        image.load()
        # PIL turns a TIFF while it loads, and then the tag is gone.
        upright = _turned(image.size, _orientation(image))
    return Frame(stored=_turned(upright, orientation), orientation=orientation)


@contextmanager
def opened(picture: Picture) -> Iterator[Image.Image]:
    """Open an image; whatever PIL finds wrong with it inside the block becomes one line.

    Raises:
        UnreadablePhotographError: if the file is missing, broken, no image or too large.
    """
    name = picture.name if isinstance(picture, Path) else "the picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata and the like: pixels are read all the same
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if not isinstance(picture, Path):
                yield picture
                return
            # By its handle: of a path PIL maps bare pixels into memory, and garbles a grey TIFF that lies on its side.
            with picture.open("rb") as file, Image.open(file, formats=FORMATS) as image:
                yield image
    except UnreadablePhotographError:
        raise
    except FileNotFoundError as error:
        raise UnreadablePhotographError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        empty = isinstance(picture, Path) and picture.is_file() and not picture.stat().st_size
        known = f"not an image ({', '.join(FORMATS)})"
        raise UnreadablePhotographError(f"{name} is {'empty' if empty else known}") from error
    except Exception as error:  # PIL's decoders raise nearly anything on a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePhotographError(f"{name}: {reason}") from error


def _check_size(size: tuple[int, int]) -> None:
    pixels = f"{size[0]} x {size[1]} pixels"
    if min(size) < MIN_SIDE:
        raise UnreadablePhotographError(f"{pixels} are too few, at least {MIN_SIDE} on each side are needed")
    if max(size) > MAX_ASPECT * min(size):
        raise UnreadablePhotographError(f"{pixels} are a strip, a side may be {MAX_ASPECT} times the other at most")


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size[::-1] if orientation >= _SIDEWAYS else size


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 where there is none, or where the metadata is broken, which viewers forgive too."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the parsers of broken metadata raise nearly anything
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _from_16_bits(np.asarray(image))
    if image.mode in ("I", "F"):
        pixels = np.asarray(image)
        # PIL gives 16-bit PGM in 32 bits; of any other such file nobody knows which value is white.
        if image.format != "PPM" or image.mode == "F":
            raise UnreadablePhotographError(f"pixels of 32 bits (mode {image.mode}): save it with 8 or 16 bits")
        return _from_16_bits(pixels)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(pixels: np.ndarray) -> Image.Image:
    """Grey values out of 65535; PIL's own conversion would clip them at 255."""
    return Image.fromarray(np.round(pixels / 257).clip(0, 255).astype(np.uint8)).convert("RGB")
