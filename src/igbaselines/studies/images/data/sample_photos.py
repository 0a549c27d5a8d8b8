"""Twenty ImageNet photographs that the package foolbox brings, and outlines of their objects that this project drew.

They need no download beside the package index; far too few to judge a paper by.
"""

import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path
from igbaselines.common.values import value
from igbaselines.studies.images.data.masks import InstanceMasks, read_annotations
from igbaselines.studies.images.data.photographs import Photograph, PhotographFiles, Photographs, image_files, shuffled

_NAME = re.compile(r"imagenet_\d+_(\d+)\.jpg")  # the number of the photograph and its ImageNet class


@dataclass
class SamplePhotos(PhotographFiles):
    """The photographs of foolbox with their labels and masks."""

    annotations: str = field(metadata=value(file=True))  # a COCO instances file with the outlines
    only_correct: bool = True  # leave out those whose prediction is not the label

    def photographs(self) -> Photographs:
        """The photographs, all in the order of their numbers; a mask is of the labelled object."""
        found = self.found
        chosen = found if self.n_images is None else shuffled(found, self.seed)
        return Photographs(chosen, self.n_images, self.only_correct, of_imagenet=True)

    def described_in(self) -> list[Path]:
        """The outlines."""
        return [as_path(self.annotations)]

    def find(self) -> list[Photograph]:
        """The photographs with their labels and outlines."""
        outlines = {image.file_name: image for image in read_annotations(as_path(self.annotations)).images}
        return [
            Photograph(path.stem, path, label, InstanceMasks(outlines[path.name]) if path.name in outlines else None)
            for path, label in _labelled_files()
        ]


def _labelled_files() -> list[tuple[Path, int]]:
    """The photographs in foolbox's folder. The package is not imported: that takes long and brings its backends."""
    spec = importlib.util.find_spec("foolbox")
    locations = (spec.submodule_search_locations if spec else None) or []
    folders = [Path(location) / "data" for location in locations]
    files = [path for folder in folders if folder.is_dir() for path in image_files(folder)]
    labelled = [(path, int(match[1])) for path in files if (match := _NAME.fullmatch(path.name))]
    if not labelled:
        what = "has no photographs imagenet_*.jpg" if spec else "is not installed"
        raise UserError(f'the package foolbox {what}: pip install "igbaselines[samples]"')
    return labelled
