"""Names of a network's classes."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igbaselines.common.errors import UserError

log = logging.getLogger(__name__)

IMAGENET_CLASSES = 1000


def class_names(
    own: Sequence[str] | None,
    outputs: int,
    published: Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
) -> Sequence[str]:
    """A name for each output: the dataset's own, else the user's `labels`, the publisher's, ImageNet's, or numbers.

    `published` is timm's configuration of the weights. Of 1000 outputs of which nobody says another thing, the classes
    are taken for ImageNet's, and the log says so.

    Raises:
        UserError: if the network cannot have been trained for the dataset's classes.
    """
    published = published or {}
    if own is not None:
        if len(own) != outputs:
            raise UserError(
                f"the dataset has {len(own)} classes ({own[0]}, ...), the network {outputs}: "
                "give a network that was trained for them, as by model.checkpoint=FILE"
            )
        return own
    if labels is not None:
        if len(labels) != outputs:
            raise UserError(f"model.labels names {len(labels)} classes, the network has {outputs}")
        return labels
    of_publisher = published.get("label_names") or ()
    if len(of_publisher) == outputs:
        return list(map(str, of_publisher))
    if outputs != IMAGENET_CLASSES or published.get("num_classes", IMAGENET_CLASSES) != IMAGENET_CLASSES:
        log.info("the names of the network's %d classes are not known: they have numbers", outputs)
        return [f"class {index}" for index in range(outputs)]
    log.info("the network has %d classes: they are named as ImageNet's", outputs)
    return imagenet_names()


def read_labels(path: Path) -> list[str]:
    """Names of classes in the order of a network's outputs: a text with one a line, or JSON, a list or by number.

    Raises:
        UserError: for a file that is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: model.labels cannot be read ({error}): a name a line, or a list in JSON") from error
    if isinstance(content, dict):  # {"0": "cat", ...}, or {"cat": 0, ...} as torchvision's class_to_idx
        by_name = all(isinstance(one, int) for one in content.values())
        numbered = {int(n): str(name) for name, n in content.items()} if by_name else _by_number(path, content)
        content = [numbered.get(place) for place in range(len(numbered))]
    names = [str(one).strip() for one in content if one is not None] if isinstance(content, list) else []
    if not names or len(names) < len(content) or len(set(names)) < len(names) or not all(names):
        raise UserError(f"{path}: model.labels must name every class once, from 0 on: a name a line, or a list in JSON")
    return names


def _by_number(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    if not all(key.isdigit() for key in content):
        raise UserError(f"{path}: model.labels must map numbers of classes to names, or names to numbers")
    return {int(key): str(name) for key, name in content.items()}


def imagenet_names() -> list[str]:
    """The names of ImageNet's classes, in the order of its networks' outputs."""
    from torchvision.models import ResNet50_Weights

    categories: list[str] = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    return categories
