"""Which image classifier, with which weights, on what pixels: the schemas of conf/model/, importable without torch.

The networks of 2505.03201 (Table 1) are torchvision's; EfficientNet-Lite comes from the package index, weights and
all, for machines that reach nothing else; timm has most of the others.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256
from igbaselines.common.values import value
from igbaselines.running.plugins import check_named_network, network_path

if TYPE_CHECKING:
    import torch
    from PIL import Image

    import igbaselines.studies.images.networks.network
    import igbaselines.studies.images.networks.preprocessing

log = logging.getLogger(__name__)

INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EFFICIENTNET_LITE = tuple(f"efficientnet_lite{number}" for number in range(5))


@dataclass
class ImageModel:
    """What all families have in common; the defaults are those of most ImageNet classifiers."""

    architecture: str  # its name in the family
    # A state dict of the architecture, .pth, .pt or .safetensors; None takes the family's weights
    checkpoint: str | None = field(default=None, metadata=value(file=True))
    # Which part of a checkpoint with several: the name of a dictionary in it, or a prefix of its tensors' names
    checkpoint_key: str | None = None
    # Names of its classes in the order of its outputs: a text with one a line, or JSON; None: what its publisher says
    labels: str | None = field(default=None, metadata=value(file=True))
    # The checkpoint expects images turned by 180 degrees, as weights converted from TensorFlow do
    rotated: bool = False
    size: int = 224  # side of the images that the network sees [px]
    # The short side before the centre is cut out [px]; None resizes both sides to `size`, as the released code
    # of 2505.03201 does
    short_side: int | None = 256
    interpolation: str = "bilinear"  # filter of resizing, one of `INTERPOLATIONS`
    # Subtracted from pixels in [0, 1], a channel
    mean: list[float] = field(default_factory=IMAGENET_MEAN.copy)
    std: list[float] = field(default_factory=IMAGENET_STD.copy)  # divides them, a channel
    # Share of right predictions below which the run warns that pixels and weights may not fit
    minimum_top1: float = 0.6

    def __post_init__(self) -> None:
        if self.size < 32:  # vgg and densenet halve the image five times
            raise UserError(f"model.size must be at least 32, got {self.size}")
        if self.short_side is not None and self.short_side < self.size:
            raise UserError(
                f"model.short_side must be at least model.size ({self.size}), "
                f"or null to resize without a crop, got {self.short_side}"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise UserError(f"model.interpolation must be {', '.join(INTERPOLATIONS)}, got {self.interpolation}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise UserError(f"model.{name} needs three numbers, one a channel, got {values}")
        if min(self.std) <= 0:
            raise UserError(f"model.std must be positive, got {self.std}")
        if not 0 <= self.minimum_top1 <= 1:
            raise UserError(f"model.minimum_top1 must lie in [0, 1], got {self.minimum_top1}")

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "photographs"

    @property
    def preprocessing(self) -> "igbaselines.studies.images.networks.preprocessing.Preprocessing":
        """How photographs become the squares that the network sees: by `preprocess`, where a network has one."""
        from igbaselines.studies.images.networks.preprocessing import Preprocessing

        own: Callable[[Image.Image], torch.Tensor] | None = getattr(self, "preprocess", None)
        return Preprocessing(self.size, self.short_side, self.interpolation, own)

    def class_labels(self) -> list[str] | None:
        """The user's names of its classes."""
        from igbaselines.studies.images.networks.class_names import read_labels

        return None if self.labels is None else read_labels(as_path(self.labels))

    def checksum(self) -> str | None:
        """Of the checkpoint, and of the names of classes: others make another result. None without either."""
        files = [self.checkpoint_path(), None if self.labels is None else as_path(self.labels)]
        return "-".join(sha256(path) for path in files if path is not None) or None

    def checkpoint_path(self) -> Path | None:
        """The file of the checkpoint, or None; one that is not there is refused."""
        if self.checkpoint is None:
            return None
        path = as_path(self.checkpoint)
        if not path.is_file():
            wrong = "this is a folder" if path.is_dir() else "no such file"
            raise UserError(f"{path}: {wrong}, model.checkpoint must name a state dict of {self.architecture}")
        return path

    def load(self, device: "torch.device") -> "igbaselines.studies.images.networks.network.ImageNetwork":
        """Build the classifier with its weights, in evaluation mode and frozen.

        Raises:
            UserError: for an unknown architecture, a package or a download that is not to be had, or a checkpoint
                that does not fit.
        """
        from igbaselines.studies.images.networks.network import ImageNetwork

        inner = self.build()
        own = self.published(inner)
        if unlike := [f"model.{key}={value}" for key, value in own.items() if not _same(getattr(self, key), value)]:
            log.warning("%s: its weights were published for %s, unlike this run", self.architecture, " ".join(unlike))
        network = ImageNetwork(inner, self.mean, self.std, self.rotated)
        return network.eval().requires_grad_(False).to(device)

    def build(self) -> "torch.nn.Module":
        """The classifier of normalised images, (m, 3, size, size) -> (m, classes), of the classes of its weights.

        A network of one's own may have, beside it, `preprocess(photo)`: from an RGB picture of PIL's to its pixels in
        [0, 1], (3, size, size), in the place of short side and filter.
        """
        raise NotImplementedError

    def published(self, network: "torch.nn.Module") -> dict[str, object]:
        """The values of keys of ours that the family gives for the weights; a run that has others says so."""
        return {}


@dataclass
class TorchvisionModel(ImageModel):
    """A classifier of torchvision."""

    weights: str = "IMAGENET1K_V1"  # name of torchvision's weights, used where there is no checkpoint

    def build(self) -> "torch.nn.Module":
        """The classifier of normalised images."""
        from igbaselines.studies.images.networks.weights import torchvision_network

        return torchvision_network(self.architecture, self.weights, self.checkpoint_path(), self.checkpoint_key)

    def published(self, network: "torch.nn.Module") -> dict[str, object]:
        """Side, short side, filter and normalisation by torchvision's own transforms."""
        from torchvision.models import get_model_weights

        weights = get_model_weights(self.architecture).__members__.get(self.weights)
        if weights is None:
            return {}
        of = weights.transforms()
        short_side = {} if self.short_side is None else {"short_side": of.resize_size[0]}
        normalised = {"interpolation": of.interpolation.value, "mean": of.mean, "std": of.std}
        return {"size": of.crop_size[0], **short_side, **normalised}


@dataclass
class TimmModel(ImageModel):
    """A classifier of timm, with a tag or without: resnet50, resnet50.a1_in1k.

    What is 0, empty or [] is taken from timm's configuration of the weights; where it says nothing, as for others.
    """

    size: int = 0
    short_side: int | None = 0  # None resizes without a crop
    interpolation: str = ""
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        from igbaselines.studies.images.networks.weights import timm_configuration

        published = timm_configuration(self.architecture)
        self.size = self.size or (published.input_size[-1] if published else 224)
        known = self._published(vars(published) if published else {})
        for key in ("short_side", "interpolation", "mean", "std"):
            if getattr(self, key) in (0, "", []):
                setattr(self, key, known[key])
        super().__post_init__()

    def build(self) -> "torch.nn.Module":
        """The classifier of normalised images."""
        from igbaselines.studies.images.networks.weights import timm_network

        return timm_network(self.architecture, self.checkpoint_path(), self.size, self.checkpoint_key)

    def published(self, network: "torch.nn.Module") -> dict[str, object]:
        """Side, short side, filter and normalisation by timm's configuration of the weights."""
        of: dict[str, Any] = getattr(network, "pretrained_cfg", {})
        found = {"size": of["input_size"][-1], **self._published(of)}
        return found if self.short_side is not None else {k: v for k, v in found.items() if k != "short_side"}

    def _published(self, of: Mapping[str, Any]) -> dict[str, Any]:
        """What goes with a side: the crop, the filter and the normalisation."""
        found = {"interpolation": "bilinear", "mean": IMAGENET_MEAN, "std": IMAGENET_STD, **of}
        normalised = {key: list(found[key]) for key in ("mean", "std")}
        short_side = math.floor(self.size / found.get("crop_pct", 0.875))
        return {"short_side": short_side, "interpolation": found["interpolation"], **normalised}


@dataclass
class NetworkFile(ImageModel):
    """A network that was saved whole: by `torch.jit.save`, or by `torch.export.save` with a batch of any size.

    Such a file holds code: the command line alone names it.
    """

    architecture: str = "network_file"  # what tables call it
    network_file: str = field(default="???", metadata=value(file=True))  # .pt or .pt2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.checkpoint is not None:
            raise UserError("model.checkpoint: a network_file brings its own weights")
        check_named_network(self.network_file)

    def checkpoint_path(self) -> Path:
        """The file; one that is not there is refused."""
        return network_path(self.network_file)

    def build(self) -> "torch.nn.Module":
        """The classifier of normalised images."""
        from igbaselines.studies.images.networks.saved import network_of_pictures

        return network_of_pictures(self.checkpoint_path(), self.size)


@dataclass
class EfficientNetLite(ImageModel):
    """An EfficientNet-Lite, whose weights are a package: those of 0, 1 and 2; 3 and 4 take a checkpoint.

    The weights were trained on (x - 127) / 128 of pixels in 0..255, at a crop of 7/8 of the short side.
    """

    interpolation: str = "bicubic"
    mean: list[float] = field(default_factory=lambda: [127 / 255] * 3)
    std: list[float] = field(default_factory=lambda: [128 / 255] * 3)
    minimum_top1: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture not in EFFICIENTNET_LITE:
            raise UserError(f"model.architecture must be {', '.join(EFFICIENTNET_LITE)}, got {self.architecture}")
        if self.checkpoint is None and self.architecture in EFFICIENTNET_LITE[3:]:
            raise UserError(f"no package has the weights of {self.architecture}: give model.checkpoint=FILE")

    def build(self) -> "torch.nn.Module":
        """The classifier of normalised images."""
        from igbaselines.studies.images.networks.weights import efficientnet_lite_network

        return efficientnet_lite_network(self.architecture, self.size, self.checkpoint_path(), self.checkpoint_key)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 (numbers, texts, or one number a channel)
    if isinstance(one, list):
        return all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(one, other, strict=True))
    return bool(one == other)
