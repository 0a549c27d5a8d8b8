"""Photographs as the image experiments take them: a name, a picture, perhaps a label and the object's mask.

A dataset is whatever has `checksum` and `photographs`; `PhotographFiles` is for those whose photographs are files.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, content_checksum
from igbaselines.common.values import SEED, value
from igbaselines.studies.images.data.pictures import Picture

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_Item = TypeVar("_Item")


@runtime_checkable
class MaskSource(Protocol):
    """Where the mask of a photograph comes from."""

    def mask(self, photograph: Picture, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The object of the predicted class in the photograph's upright frame; None if there is none.

        Raises:
            UnreadablePhotographError: if it is broken or the photograph has another size.
        """
        ...


@dataclass(frozen=True)
class Photograph:
    """A photograph, not yet read."""

    name: str  # unique within the dataset; the unit of the rows
    picture: Picture  # the file, or pixels in memory (of an array by `Image.fromarray`)
    label: int | None = None  # class index of the labelled object, where there is a label
    masks: MaskSource | None = None  # what knows the object's mask, where anything does

    def mask(self, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The mask of the object of the class that the network predicts, as `MaskSource.mask` gives it."""
        return None if self.masks is None else self.masks.mask(self.picture, predicted)


@dataclass(frozen=True)
class Photographs:
    """What a dataset offers, before any network has seen it."""

    candidates: Sequence[Photograph]  # in the order in which they are to be tried
    wanted: int | None = None  # how many are to be used; None takes all
    only_correct: bool = False  # leave out those whose prediction is not the label
    mask_required: bool = False  # leave out those without a mask for the predicted class
    # Of the classes that the network must have, in the order of its outputs; None where nobody knows
    class_names: Sequence[str] | None = None
    of_imagenet: bool = False  # labels or masks go by ImageNet's classes, which the network must have


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


@dataclass(kw_only=True)
class PhotographFiles:
    """A dataset whose photographs are files."""

    n_images: int | None = None  # how many are used, a random choice; None takes all
    seed: int = field(default=0, metadata=value(SEED))  # of the choice

    def __post_init__(self) -> None:
        if self.n_images is not None and self.n_images < 1:
            raise UserError(f"dataset.n_images must be at least 1, or null for all, got {self.n_images}")
        at_least("dataset.seed", self.seed, 0)

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "photographs"

    @cached_property
    def found(self) -> list[Photograph]:
        """What `find` finds."""
        return self.find()

    def find(self) -> list[Photograph]:
        """All photographs, in an order that does not depend on the disk.

        Raises:
            UserError: where a folder or file is missing, broken or empty.
        """
        raise NotImplementedError

    def described_in(self) -> list[Path]:
        """Other files that the photographs depend on: their contents enter the checksum."""
        return []

    def checksum(self) -> str:
        """Of the photographs' names and contents, their masks', and of the files that describe them."""
        files = {one.name: one.picture for one in self.found if isinstance(one.picture, Path)}
        masks = {f"mask of {one.name}": getattr(one.masks, "path", None) for one in self.found}
        return checksum_of(files | {name: path for name, path in masks.items() if path}, self.described_in())


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


def listed(
    folder: Path, files: Sequence[Path], masks: Sequence[MaskSource | None] | None = None, label: int | None = None
) -> list[Photograph]:
    """Photographs in a folder, of distinct paths relative to it."""
    named = zip(names_of(files), files, masks or [None] * len(files), strict=True)
    return [Photograph(name, folder / file, label, mask) for name, file, mask in named]


def _printable(path: Path) -> str:
    return path.as_posix().encode(errors="backslashreplace").decode()


def shuffled(items: Sequence[_Item], seed: int) -> list[_Item]:
    """The items in a random order that depends on the seed alone; more of them wanted means the same and some more."""
    return [items[index] for index in np.random.default_rng(seed).permutation(len(items))]


def checksum_of(files: Mapping[str, Path], whole: Iterable[Path] = ()) -> str:
    """sha256 over the names and contents of files, and the contents of others.

    Raises:
        UserError: if one is not there any more.
    """
    digest, names = hashlib.sha256(), sorted(files)
    try:
        with ThreadPoolExecutor() as pool:  # disks and hashes both let go of Python's lock
            for name, content in zip(names, pool.map(content_checksum, map(files.__getitem__, names)), strict=True):
                digest.update(f"{name} {content}\n".encode(errors="surrogateescape"))
        for path in whole:
            digest.update(content_checksum(path).encode())
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def folder_at(text: str, key: str, what: str) -> Path:
    """The folder that a configuration key names.

    Raises:
        UserError: if it is not there.
    """
    folder = as_path(text)
    if not text or not folder.is_dir():
        problem = "no path" if not text else "this is a file" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {problem}, {key} must name {what}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{folder}: may not be read, {key} must name {what}")
    return folder
