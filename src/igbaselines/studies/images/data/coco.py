"""COCO photographs with the masks of their objects (Lin et al. 2014), for the overlap metric of 2505.03201.

The networks predict ImageNet classes: a table says to which COCO category a class belongs, and the mask of a
photograph is that category's. No COCO category goes with most ImageNet classes; such predictions have no mask.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path
from igbaselines.common.values import value
from igbaselines.studies.images.data.imagenet import CLASSES
from igbaselines.studies.images.data.masks import InstanceMasks, read_annotations
from igbaselines.studies.images.data.photographs import (
    Photograph,
    PhotographFiles,
    Photographs,
    folder_at,
    listed,
    shuffled,
)

_log = logging.getLogger(__name__)


@dataclass
class Coco(PhotographFiles):
    """Photographs in which an object is outlined that an ImageNet network can name."""

    root: str = field(metadata=value(file=True))  # holds `<split>/*.jpg`
    categories: str = field(metadata=value(file=True))  # a YAML file, COCO category -> ImageNet classes
    split: str = "val2017"  # the folder of the images
    # The instances file; None takes `<root>/annotations/instances_<split>.json`
    annotations: str | None = field(default=None, metadata=value(file=True))

    def photographs(self) -> Photographs:
        """The annotated images in random order; there are no ImageNet labels."""
        return Photographs(shuffled(self.found, self.seed), self.n_images, mask_required=True, of_imagenet=True)

    def described_in(self) -> list[Path]:
        """The annotations and the table of categories."""
        return [self._annotations(), as_path(self.categories)]

    def _annotations(self) -> Path:
        if self.annotations is not None:
            return as_path(self.annotations)
        return as_path(self.root) / "annotations" / f"instances_{self.split}.json"

    def find(self) -> list[Photograph]:
        """The annotated images, sorted by their names."""
        layout = f"the folder that holds {self.split}/ and annotations/"
        root = folder_at(self.root, "dataset.root", layout)
        folder = folder_at(str(root / self.split), "dataset.root", layout)
        annotations = read_annotations(self._annotations())
        category_of = read_categories(as_path(self.categories), annotations.categories)
        images = annotations.images
        there = [image for image in images if (folder / image.file_name).is_file()]
        found = sorted(there, key=lambda image: image.file_name)
        if not found:
            raise UserError(f"{folder}: none of the {len(images)} images that {self._annotations()} names")
        if len(found) < len(images):
            _log.warning("%s: %d of %d annotated images are not there", folder, len(images) - len(found), len(images))
        masks = [InstanceMasks(image, category_of) for image in found]
        return listed(folder, [Path(image.file_name) for image in found], masks)


def read_categories(path: Path, known: Mapping[str, int]) -> dict[int, int]:
    """ImageNet class -> COCO category id, out of a YAML file: COCO category -> classes and ranges such as 151-268.

    Raises:
        UserError: if the file is broken, a category unknown, or a class out of range or in two categories.
    """
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(table, dict) or not all(isinstance(entries, list) for entries in table.values()):
        raise UserError(f"{path}: dataset.categories must name a table, COCO category: [ImageNet classes]")
    category_of: dict[int, int] = {}
    name_of: dict[int, str] = {}
    for name, entries in table.items():
        if name not in known:
            raise UserError(f"{path}: the annotations have no category {name!r}; they have {', '.join(sorted(known))}")
        for index in (index for entry in entries for index in _classes(path, name, entry)):
            if index in name_of:
                raise UserError(f"{path}: class {index} is in {name_of[index]!r} and {name!r}, it can be in one only")
            category_of[index], name_of[index] = known[name], name
    return category_of


def _classes(path: Path, name: str, entry: object) -> range:
    """The classes of an entry: one, or a range."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(entry))
    if match:
        first, last = int(match[1]), int(match[2] or match[1])
        if first <= last < CLASSES:
            return range(first, last + 1)
    raise UserError(f"{path}: {name!r} has {entry!r}, it must be a class from 0 to {CLASSES - 1} or a range: 151-268")
