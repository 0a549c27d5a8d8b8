"""Names of a network's classes."""

from collections.abc import Sequence

from igbaselines.common.errors import UserError

IMAGENET_CLASSES = 1000


def class_names(own: Sequence[str] | None, outputs: int) -> Sequence[str]:
    """A name for each output: the dataset's own; without them ImageNet's where there are as many, else numbers.

    Raises:
        UserError: if the network cannot have been trained for the dataset's classes.
    """
    if own is not None:
        if len(own) != outputs:
            raise UserError(
                f"the dataset has {len(own)} classes ({own[0]}, ...), the network {outputs}: "
                "give a network that was trained for them, as by model.checkpoint=FILE"
            )
        return own
    if outputs != IMAGENET_CLASSES:
        return [f"class {index}" for index in range(outputs)]
    from torchvision.models import ResNet50_Weights

    categories: list[str] = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    return categories
