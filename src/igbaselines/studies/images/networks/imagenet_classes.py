"""Names of the ImageNet classes."""


def class_name(index: int) -> str:
    """Return the name of a class; a network with other classes has numbers only."""
    from torchvision.models import ResNet50_Weights

    categories: list[str] = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    return categories[index] if index < len(categories) else f"class {index}"
