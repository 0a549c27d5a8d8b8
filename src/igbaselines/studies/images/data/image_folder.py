"""The user's own images, and masks of their objects where there are any."""

import logging
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path
from igbaselines.common.values import value
from igbaselines.studies.images.data.masks import InstanceMasks, PngMask, read_annotations
from igbaselines.studies.images.data.photographs import (
    MaskSource,
    Photograph,
    PhotographFiles,
    Photographs,
    folder_at,
    is_image,
    listed,
    shuffled,
)

_IMAGES = "an image or a folder with .jpg, .png, ... files"
_MASKS = "a folder of PNG files with the images' names, or a COCO instances file (.json)"
_log = logging.getLogger(__name__)


@dataclass
class ImageFolder(PhotographFiles):
    """All images in a folder and its subfolders, or a single one; there are no labels."""

    path: str = field(metadata=value(file=True))  # the folder, or one image file
    # A folder with a PNG file of the same relative name for each image that has a mask, or a COCO instances
    # file, of which a mask takes all instances of the image. A folder within `path` holds no images.
    masks: str | None = field(default=None, metadata=value(file=True))

    def photographs(self) -> Photographs:
        """The images, all in the order of their names; what cannot be read is found out when it is opened."""
        found = self.found
        return Photographs(found if self.n_images is None else shuffled(found, self.seed), self.n_images)

    def described_in(self) -> list[Path]:
        """The instances file, if there is one."""
        masks = as_path(self.masks or "")
        return [masks] if masks.is_file() else []

    def find(self) -> list[Photograph]:
        """The images in the order of their names."""
        root, files = self._files()
        return listed(root, files, self._mask_sources(files))

    def _files(self) -> tuple[Path, list[Path]]:
        """The folder of the images, and their sorted paths relative to it."""
        path = as_path(self.path)
        if path.is_file():
            if not is_image(path):
                raise UserError(f"{path}: no image by its suffix, dataset.path must name {_IMAGES}")
            return path.parent, [Path(path.name)]
        folder = folder_at(self.path, "dataset.path", "a folder of images, or one image")
        masks = None if self.masks is None else as_path(self.masks).resolve()
        if masks == folder.resolve():
            raise UserError(f"{folder}: holds the images, dataset.masks must name another folder than dataset.path")
        images, others = [], 0
        for parent, folders, files in os.walk(folder):
            place = Path(parent)
            # Assigning to the list in place is how os.walk is told where not to go.
            folders[:] = [name for name in folders if not name.startswith(".") and (place / name).resolve() != masks]
            visible = [name for name in files if not name.startswith(".") and (place / name).is_file()]
            found = [(place / name).relative_to(folder) for name in visible if is_image(place / name)]
            images += found
            others += len(visible) - len(found)
        if others:
            _log.info("%s: %d files are no images by their suffixes and are ignored", folder, others)
        if not images:
            raise UserError(f"{folder}: no images, dataset.path must name {_IMAGES}")
        return folder, sorted(images)

    def _mask_sources(self, files: list[Path]) -> list[MaskSource | None]:
        if self.masks is None:
            return [None] * len(files)
        masks = as_path(self.masks)
        if masks.is_dir():
            pngs = [png if (png := masks / file.with_suffix(".png")).is_file() else None for file in files]
            if twice := [png for png, count in Counter(pngs).items() if png and count > 1]:
                raise UserError(f"{twice[0]}: the mask of several images, such as a.jpg and a.png: rename all but one")
            sources: list[MaskSource | None] = [PngMask(png) if png else None for png in pngs]
        elif masks.suffix.lower() == ".json":
            sources = _instances(masks, files)
        else:
            problem = "no mask" if masks.exists() else "is not there"
            raise UserError(f"{masks}: {problem}, dataset.masks must name {_MASKS}")
        with_mask = sum(source is not None for source in sources)
        if not with_mask:
            raise UserError(f"{masks}: no mask for any image, such as {files[0]}: dataset.masks must name {_MASKS}")
        if with_mask < len(files):
            _log.info("%s: masks for %d of %d images", masks, with_mask, len(files))
        return sources


def _instances(annotations: Path, files: list[Path]) -> list[MaskSource | None]:
    """The instances of each image, found by its relative path, or by its bare name where only one has that."""
    images = read_annotations(annotations).images
    by_path = {image.file_name: image for image in images}
    only_once = _once(Path(image.file_name).name for image in images) & _once(file.name for file in files)
    by_name = {name: image for image in images if (name := Path(image.file_name).name) in only_once}
    found = [by_path.get(file.as_posix()) or by_name.get(file.name) for file in files]
    return [None if image is None else InstanceMasks(image) for image in found]


def _once(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count == 1}
