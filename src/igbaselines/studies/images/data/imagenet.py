"""ImageNet's validation images (ILSVRC 2012) in folders of their classes, as 2505.03201 (Section 4) takes them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path
from igbaselines.common.values import value
from igbaselines.studies.images.data.photographs import (
    Photograph,
    PhotographFiles,
    Photographs,
    folder_at,
    image_files,
    listed,
    shuffled,
)

CLASSES = 1000
_LAYOUT = "the folder that holds val/<wnid>/*.JPEG or <wnid>/*.JPEG"


@dataclass
class Imagenet(PhotographFiles):
    """Validation images with their labels; there are no masks."""

    # Holds `val/<wnid>/*.JPEG` or `<wnid>/*.JPEG`; some of the classes will do
    root: str = field(metadata=value(file=True))
    # A file with the wnids of the 1000 classes in the order of the networks' outputs, one a line
    wnids: str = field(metadata=value(file=True))
    only_correct: bool = True  # leave out those whose prediction is not the label

    def photographs(self) -> Photographs:
        """All images in random order."""
        return Photographs(shuffled(self.found, self.seed), self.n_images, self.only_correct, of_imagenet=True)

    def described_in(self) -> list[Path]:
        """The list of the classes."""
        return [as_path(self.wnids)]

    def find(self) -> list[Photograph]:
        """All images in the order of their classes."""
        root = folder_at(self.root, "dataset.root", _LAYOUT)
        split = root / "val" if (root / "val").is_dir() else root
        label_of = {wnid: label for label, wnid in enumerate(read_wnids(as_path(self.wnids)))}
        folders = sorted(path for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))
        for folder in folders:
            if folder.name not in label_of:
                raise UserError(f"{folder}: no class of {self.wnids}, dataset.root must name {_LAYOUT}")
        if not folders:
            raise UserError(f"{split}: no folders of classes, dataset.root must name {_LAYOUT}")
        found = []
        for folder in folders:
            files = [path.relative_to(split) for path in image_files(folder)]
            found += listed(split, files, label=label_of[folder.name])
        if not found:
            raise UserError(f"{split}: no images in the folders of {len(folders)} classes")
        return found


def read_wnids(path: Path) -> list[str]:
    """The wnids of the classes, in the order of the networks' outputs.

    Raises:
        UserError: if the file is not there or is not the sorted list of the 1000 wnids.
    """
    try:
        wnids = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read, dataset.wnids must name a list of {CLASSES} wnids") from error
    # Class indices are positions in the sorted list: from any other the labels would be wrong without a sign.
    if len(wnids) != CLASSES or wnids != sorted(set(wnids)) or not all(re.fullmatch(r"n\d{8}", w) for w in wnids):
        wanted = f"must name a list of {CLASSES} sorted wnids such as n01440764"
        raise UserError(f"{path}: dataset.wnids {wanted}, found {len(wnids)} words")
    return wnids
