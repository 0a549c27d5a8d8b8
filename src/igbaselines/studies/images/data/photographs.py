"""Photographs as the image experiments take them: a name, a file, perhaps a label and the object's mask.

Whatever the file holds (16 bits, CMYK, a palette, a phone's rotated frame), `open_photograph` gives upright 8-bit
RGB, and a mask lies in the frame of that image. Colour profiles are not applied, as in torchvision's pipelines.
"""

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool
from PIL import ExifTags, Image, UnidentifiedImageError

from igbaselines.common.errors import UserError

MIN_SIDE = 16  # pixels; anything smaller is an icon or a spacer, and networks would only see its interpolation
SUFFIXES = frozenset(
    (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
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
_Item = TypeVar("_Item")


class UnreadablePhotographError(Exception):
    """Why a photograph or its mask cannot be used, in one line; the others can."""


@runtime_checkable
class MaskSource(Protocol):
    """Where the mask of a photograph comes from."""

    def mask(self, photograph: Path, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The object of the predicted class in the upright frame of the photograph's file; None if there is none."""
        ...


@dataclass(frozen=True)
class Photograph:
    """A photograph, not yet read.

    Args:
        name: unique within the dataset; the unit of the rows.
        path: the file.
        label: ImageNet class index of the labelled object, where there is a label.
        masks: what knows the object's mask, where anything does.
    """

    name: str
    path: Path
    label: int | None = None
    masks: MaskSource | None = None

    def mask(self, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The mask of the object of the class that the network predicts, in the frame of `open_photograph`.

        Raises:
            UnreadablePhotographError: if there is a mask that cannot be read or does not fit the photograph.
        """
        return None if self.masks is None else self.masks.mask(self.path, predicted)


@dataclass(frozen=True)
class Photographs:
    """What a dataset offers, before any network has seen it.

    Args:
        candidates: in the order in which they are to be tried.
        wanted: how many are to be used; None takes all.
        only_correct: leave out those whose prediction is not the label.
        mask_required: leave out those without a mask for the predicted class.
    """

    candidates: Sequence[Photograph]
    wanted: int | None
    only_correct: bool
    mask_required: bool


@runtime_checkable
class PhotographDataset(Protocol):
    """What an image dataset offers an experiment."""

    def checksum(self) -> str | None:
        """sha256 of what may change under the same configuration; None where the configuration says everything."""
        ...

    def photographs(self) -> Photographs:
        """Find the photographs.

        Raises:
            UserError: where a folder or file is missing, broken or empty.
        """
        ...


@dataclass(frozen=True)
class Frame:
    """How a file's pixels are stored.

    Args:
        stored: width and height as they are stored.
        orientation: EXIF orientation, 1 to 8.
    """

    stored: tuple[int, int]
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        return _turned(self.stored, self.orientation)

    def turn_upright(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "H W"]:
        """Turn a mask of the stored pixels as viewers turn the image."""
        if self.orientation not in _UPRIGHT:
            return mask
        return np.asarray(Image.fromarray(mask.astype(np.uint8)).transpose(_UPRIGHT[self.orientation])).astype(bool)


def open_photograph(path: Path) -> Image.Image:
    """Read a photograph: upright, RGB, 8 bits, the first frame of an animation, transparency on white.

    Raises:
        UnreadablePhotographError: if the file is missing, broken, no image, too small or too large.
    """
    with opened(path) as image:
        image.load()
        picture = _to_rgb(image)
        if (orientation := _orientation(image)) in _UPRIGHT:
            picture = picture.transpose(_UPRIGHT[orientation])
    if min(picture.size) < MIN_SIDE:
        width, height = picture.size
        raise UnreadablePhotographError(
            f"{width} x {height} pixels are too few, at least {MIN_SIDE} on each side are needed"
        )
    picture.info = {}  # nobody downstream may turn it a second time
    return picture


def read_frame(path: Path) -> Frame:
    """Find out how a photograph's pixels are stored.

    Raises:
        UnreadablePhotographError: as `open_photograph`.
    """
    with opened(path) as image:
        orientation = _orientation(image)
        image.load()
        # PIL turns a TIFF while it loads, and then the tag is gone.
        upright = _turned(image.size, _orientation(image))
    return Frame(stored=_turned(upright, orientation), orientation=orientation)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; whatever PIL finds wrong with it inside the block becomes one line.

    Raises:
        UnreadablePhotographError: if the file is missing, broken, no image or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata and the like: pixels are read all the same
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # By its handle: of a path PIL maps bare pixels into memory, and garbles a grey TIFF that lies on its side.
            with path.open("rb") as file, Image.open(file) as image:
                yield image
    except UnreadablePhotographError:
        raise
    except FileNotFoundError as error:
        raise UnreadablePhotographError(f"{path.name}: no such file") from error
    except UnidentifiedImageError as error:
        empty = path.is_file() and not path.stat().st_size
        raise UnreadablePhotographError(f"{path.name} is {'empty' if empty else 'not an image'}") from error
    except Exception as error:  # PIL's decoders raise nearly anything on a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePhotographError(f"{path.name}: {reason}") from error


def image_files(folder: Path) -> list[Path]:
    """Files straight in a folder that are images by their suffix, sorted; hidden ones do not count."""
    return sorted(path for path in folder.iterdir() if is_image(path) and path.is_file())


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def names_of(files: Sequence[Path]) -> list[str]:
    """Unique names of files, given by their distinct relative paths: without suffixes, unless only these tell apart.

    Bytes that are no UTF-8, as old disks have them, are written out: rows and logs hold text.
    """
    names = [_printable(path.with_suffix("")) for path in files]
    return names if len(set(names)) == len(names) else [_printable(path) for path in files]


def _printable(path: Path) -> str:
    return path.as_posix().encode(errors="backslashreplace").decode()


def shuffled(items: Sequence[_Item], seed: int) -> list[_Item]:
    """The items in a random order that depends on the seed alone; more of them wanted means the same and some more."""
    return [items[index] for index in np.random.default_rng(seed).permutation(len(items))]


def checksum_of(files: Mapping[str, Path], whole: Iterable[Path] = ()) -> str:
    """sha256 over the names and sizes of many files, and the contents of a few.

    Raises:
        UserError: if one is not there any more.
    """
    digest = hashlib.sha256()
    try:
        for name, path in sorted(files.items()):
            digest.update(f"{name} {path.stat().st_size}\n".encode(errors="surrogateescape"))
        for path in whole:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def check_choice(n_images: int | None, seed: int) -> None:
    """Check what every dataset of photographs is told about choosing some.

    Raises:
        UserError: naming the key.
    """
    if n_images is not None and n_images < 1:
        raise UserError(f"dataset.n_images must be at least 1, or null for all, got {n_images}")
    if seed < 0:
        raise UserError(f"dataset.seed must be at least 0, got {seed}")


def folder_at(text: str, key: str, what: str) -> Path:
    """The folder that a configuration key names.

    Raises:
        UserError: if it is not there.
    """
    folder = Path(text).expanduser()
    if not folder.is_dir():
        problem = "this is a file" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {problem}, {key} must name {what}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{folder}: may not be read, {key} must name {what}")
    return folder


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
