"""Classifiers on pixel space: what a family of weights expects of its pixels is the network's first, affine step."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from igbaselines.common.devices import fetched, tf32
from igbaselines.models.joined import rounded
from igbaselines.models.stem import OfOutput, Stemmed


class ImageNetwork(Stemmed):
    """A classifier of images with pixels in [0, 1], that normalises them itself, channel by channel.

    Normalisation is declared as the stem (`igbaselines.attribution.AffineStem`): interpolation happens behind it, and
    attributions are those of the pixels. `rotated` weights expect images turned by 180 degrees: strided convolutions of
    TensorFlow see the padding at the bottom and the right, PyTorch's at the top and the left; with weights and images
    turned they are the same.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float], rotated: bool = False) -> None:
        super().__init__()
        self.network = network
        self.rotated = rotated
        # Not in the state dict: the checksum of the weights says nothing of how pixels are fed.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def affine_stem(self, pixels: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m 3 h w"]:
        """Turning, where the weights want it, and normalisation."""
        if self.rotated:
            pixels = pixels.flip(-1, -2)
        return (pixels - self.mean) / self.std

    def after_stem(self, z: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m classes"]:
        """The logits from behind the normalisation."""
        logits: Tensor = self.network(z)
        return logits

    def without_normalisation(self) -> "ImageNetwork":
        """Return the network that takes pixels as they are, as the released code of 2505.03201 scores images.

        The classifier inside is shared, not copied; where its weights expect turned images it still gets them.
        """
        plain = ImageNetwork(self.network, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], self.rotated)
        plain.mean, plain.std = torch.zeros_like(self.mean), torch.ones_like(self.std)
        plain.training = self.training
        return plain


class Bfloat16(ImageNetwork):
    """A classifier whose passes behind the normalisation are in bfloat16: fewer bits, and the speed that hardware has.

    Pixels, logits and the gradient that comes back are float32; the weights of the network are copied. Its attributions
    are others: docs/speed.md.
    """

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__(rounded(network.network, torch.bfloat16), [0.0] * 3, [1.0] * 3, network.rotated)
        self.mean, self.std, self.training = network.mean, network.std, network.training

    def after_stem(self, z: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m classes"]:
        """The logits from behind the normalisation."""
        return super().after_stem(z.bfloat16()).float()


Context = Callable[[], AbstractContextManager[object]]


class TF32(ImageNetwork):
    """A classifier that is differentiated in TF32 behind the normalisation; without a gradient it is in float32.

    The network inside is shared, not copied. TF32 is a switch of the process that kernels read when they are called,
    so both passes of a gradient, and nothing else, run within `context`.
    """

    def __init__(self, network: ImageNetwork, context: Context = tf32) -> None:
        super().__init__(network.network, [0.0] * 3, [1.0] * 3, network.rotated)
        self.mean, self.std, self.training = network.mean, network.std, network.training
        self.context = context

    def after_stem(self, z: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m classes"]:
        """The logits from behind the normalisation."""
        if not (torch.is_grad_enabled() and z.requires_grad):
            return super().after_stem(z)
        logits: Tensor = _Within.apply(z, self.network, self.context)
        return logits


class _Within(torch.autograd.Function):
    """A network whose passes, forward and backward, run within a context, which ends whatever happens in them."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, network: nn.Module, context: Context) -> Tensor:  # noqa: ANN401
        with torch.enable_grad(), context():
            ctx.z = z.detach().requires_grad_()
            ctx.output = network(ctx.z.clone())  # which it may write into
        ctx.context = context
        output: Tensor = ctx.output.detach()
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        with ctx.context():
            (of_z,) = torch.autograd.grad(ctx.output, ctx.z, gradient)
        return of_z, None, None


class Probabilities(OfOutput):
    """The class probabilities (softmax) that belong to a network's logits."""

    network: ImageNetwork

    def of_output(self, output: Float[Tensor, "m classes"]) -> Float[Tensor, "m classes"]:
        """The class probabilities."""
        return output.softmax(dim=1)


def state_checksum(module: nn.Module) -> str:
    """Checksum of a network's weights: sha256 over names, types, shapes and bytes of its state, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(fetched(module.state_dict()).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
