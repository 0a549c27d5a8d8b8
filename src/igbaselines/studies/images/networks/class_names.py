"""Names of a network's classes."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from igbaselines.common.errors import UserError

log = logging.getLogger(__name__)

IMAGENET_CLASSES = 1000


def class_names(own: Sequence[str] | None, outputs: int, published: Mapping[str, Any] | None = None) -> Sequence[str]:
    """A name for each output: the dataset's own, else what the weights' publisher says, ImageNet's, or numbers.

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
    labels = published.get("label_names") or ()
    if len(labels) == outputs:
        return list(map(str, labels))
    if outputs != IMAGENET_CLASSES or published.get("num_classes", IMAGENET_CLASSES) != IMAGENET_CLASSES:
        log.info("the names of the network's %d classes are not known: they have numbers", outputs)
        return [f"class {index}" for index in range(outputs)]
    log.info("the network has %d classes: they are named as ImageNet's", outputs)
    return imagenet_names()


def imagenet_names() -> list[str]:
    """The names of ImageNet's classes, in the order of its networks' outputs."""
    from torchvision.models import ResNet50_Weights

    categories: list[str] = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    return categories
