"""ImageNet's validation images (ILSVRC 2012) in folders of their classes, as 2505.03201 (Section 4) takes them."""

import re
from dataclasses import dataclass
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.photographs import (
    Photograph,
    Photographs,
    check_choice,
    checksum_of,
    folder_at,
    image_files,
    names_of,
    shuffled,
)

CLASSES = 1000
_LAYOUT = "the folder that holds val/<wnid>/*.JPEG or <wnid>/*.JPEG"


@dataclass
class Imagenet:
    """Validation images with their labels; there are no masks.

    Args:
        root: holds `val/<wnid>/*.JPEG` or `<wnid>/*.JPEG`; some of the classes will do.
        wnids: a file with the wnids of the 1000 classes in the order of the networks' outputs, one a line.
        n_images: how many are used; None takes all.
        only_correct: leave out those whose prediction is not the label.
        seed: of the order in which images are tried.
    """

    root: str
    wnids: str
    n_images: int | None = None
    only_correct: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice(self.n_images, self.seed)

    def checksum(self) -> str:
        """Of the images' names and sizes and the list of the classes."""
        files = {found.name: found.path for found in self._photographs()}
        return checksum_of(files, [Path(self.wnids).expanduser()])

    def photographs(self) -> Photographs:
        """All images in random order.

        Raises:
            UserError: if a folder is missing, is no class's, or there are no images.
        """
        return Photographs(
            candidates=shuffled(self._photographs(), self.seed),
            wanted=self.n_images,
            only_correct=self.only_correct,
            mask_required=False,
        )

    def _photographs(self) -> list[Photograph]:
        """All images in the order of their classes."""
        root = folder_at(self.root, "dataset.root", _LAYOUT)
        split = root / "val" if (root / "val").is_dir() else root
        label_of = {wnid: label for label, wnid in enumerate(read_wnids(Path(self.wnids).expanduser()))}
        folders = sorted(path for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))
        for folder in folders:
            if folder.name not in label_of:
                raise UserError(f"{folder}: no class of {self.wnids}, dataset.root must name {_LAYOUT}")
        if not folders:
            raise UserError(f"{split}: no folders of classes, dataset.root must name {_LAYOUT}")
        found = []
        for folder in folders:
            files = image_files(folder)
            names = names_of([path.relative_to(split) for path in files])
            found += [Photograph(name, path, label_of[folder.name]) for name, path in zip(names, files, strict=True)]
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
        raise UserError(
            f"{path}: dataset.wnids must name a list of {CLASSES} sorted wnids such as n01440764, "
            f"found {len(wnids)} words"
        )
    return wnids
