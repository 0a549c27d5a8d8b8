"""Names of networks, controls and variants as they are printed."""

import re

NAMES = {
    "densenet121": "DenseNet121",
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
    "permuted_weights": "WG, weights permuted",
    "first_crossing": "WG, first crossing",
}


def label(name: str) -> str | None:
    """The label of a network, control or variant; None for any other name."""
    if removed := re.fullmatch(r"removed_(\d+)", name):
        return f"WG without the {removed[1]} least fit"
    return NAMES.get(name)
