"""How long a GPU takes for a network's gradients by layout of the weights, with and without cuDNN's search: a probe.

cuDNN has several algorithms for a convolution and takes one by rule, or with `torch.backends.cudnn.benchmark` the one
that was fastest in a trial. Layouts and algorithms sum in different orders, and what is fastest can change from run to
run: so the probe says what it found and leaves everything as it is.
"""

import copy
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

log = logging.getLogger(__name__)

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
PASSES = 3
MOST_POINTS = 64


def say_how_fast(network: nn.Module, point: Float[Tensor, "1 *features"], max_batch: int) -> None:
    """Log a line of what `probe` finds for as many points as go through at once, 64 at most; nothing depends on it."""
    points = point.expand(min(max_batch, MOST_POINTS), *point.shape[1:])
    try:
        found = probe(network, points)
    except Exception as error:  # copies run the network's own code, and memory may run out: no run ends for a probe
        log.info("how fast its gradients are in other layouts could not be asked: %s", error)
        return
    said = "; ".join(f"{layout} {plain:.1f}, {searched:.1f}" for layout, (plain, searched) in found.items())
    log.info("ms for %d gradients, without and with cuDNN's benchmark: %s (docs/speed.md)", len(points), said)


def probe(network: nn.Module, points: Float[Tensor, "m *features"]) -> dict[str, tuple[float, float]]:
    """Time gradients of copies of a network on CUDA, [ms], the fastest of three passes after a first one.

    Returns:
        For each layout the time without and with cuDNN's benchmark.
    """
    found = {}
    for name, layout in LAYOUTS.items():
        copied = laid_out(network, layout)
        with _benchmark(False):
            plain = _milliseconds(copied, points)
        with _benchmark(True):
            found[name] = plain, _milliseconds(copied, points)
    return found


def laid_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """A copy of a network whose convolutions of images have their weights in a layout, which activations follow."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, nn.Conv2d):
            # Not by `to`, which leaves kernels of a pixel as they are: both layouts are theirs, by all but the strides.
            weight = module.weight.detach().clone(memory_format=layout)
            module.weight = nn.Parameter(weight, requires_grad=module.weight.requires_grad)
    return copied


def _milliseconds(network: nn.Module, points: Tensor) -> float:
    times = []
    for _ in range(1 + PASSES):
        at = points.clone().requires_grad_()
        torch.cuda.synchronize(points.device)
        start = time.perf_counter()
        torch.autograd.grad(network(at).sum(), at)
        torch.cuda.synchronize(points.device)
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


@contextmanager
def _benchmark(on: bool) -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    try:
        torch.backends.cudnn.benchmark = on
        yield
    finally:
        torch.backends.cudnn.benchmark = before
