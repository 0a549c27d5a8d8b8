"""How many gradient points go through the network at once: what memory allows and the cache likes."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

# On a CPU a chunk whose saved activations stay in the second-level caches is several times as fast as one
# that streams through main memory; networks with large activations (images) never fit and take FEWEST points.
CPU_CACHE_BYTES = 4 * 2**20
CPU_FEWEST_POINTS = 16
MOST_POINTS = 2**16
MEMORY_SHARE = 0.5
# The CPU's allocator raises a bare RuntimeError; POSIX and Windows say it differently. oneDNN, which does convolutions,
# asks for memory of its own and says nothing but that it did not get what it wanted.
CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "could not create a primitive")
# A GPU's allocator raises OutOfMemoryError; its libraries ask for memory of their own and raise a bare RuntimeError.
GPU_OUT_OF_MEMORY = (
    *("CUDA error: out of memory", "CUDA out of memory", "HIP out of memory"),
    *("CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED"),
    "unable to find an engine to execute this computation",  # cuDNN, where no algorithm's workspace fits
)

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


def automatic_max_batch(f: Callable[[Tensor], Tensor], point: Float[Tensor, "1 *features"]) -> int:
    """Choose the number of gradient points in one forward and backward pass.

    Args:
        f: the function that will be differentiated.
        point: one of its inputs.

    Returns:
        A number of points whose saved activations fit the cache (CPU) or half the free memory (CUDA).
    """
    # The difference of two passes leaves out what is saved once whatever the batch, such as the parameters.
    activations = max(0, _saved_bytes(f, point, 2) - _saved_bytes(f, point, 1))
    # A function that saves next to nothing, such as a linear one, still has its points and their gradients.
    bytes_per_point = max(1, activations, 2 * point.numel() * point.element_size())
    fits = int(MEMORY_SHARE * free_memory(point.device) / bytes_per_point)
    if point.device.type == "cpu":
        fits = min(fits, max(CPU_FEWEST_POINTS, CPU_CACHE_BYTES // bytes_per_point))
    return max(1, min(fits, MOST_POINTS))


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch's allocator holds and nobody uses is free as well: or a second call would choose smaller chunks.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on the CPU."""
    words = (*CPU_OUT_OF_MEMORY, *GPU_OUT_OF_MEMORY)
    said = isinstance(error, RuntimeError) and any(text.lower() in str(error).lower() for text in words)
    return said or isinstance(error, torch.OutOfMemoryError | MemoryError)


def unless_memory_runs_out(compute: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Return what a function returns for these arguments, or None where memory ran out meanwhile."""
    try:
        return compute(*args, **kwargs)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the except clause: the traceback held on to the tensors of the failed chunk.
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return None


def halved(points: int, what: str = "gradient point") -> int:
    """The next smaller chunk where one did not fit into memory; the log says so.

    Args:
        points: of the chunk that did not fit.
        what: one of them, in words.

    Raises:
        MemoryError: where it was a single one.
    """
    if points == 1:
        raise MemoryError(f"a single {what} does not fit into memory")
    _log.info("memory ran out with %d %ss at once: going on with %d", points, what, points // 2)
    return points // 2


def _saved_bytes(f: Callable[[Tensor], Tensor], point: Tensor, copies: int) -> int:
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += tensor.numel() * tensor.element_size()
        return tensor

    batch = point.detach().repeat_interleave(copies, dim=0).requires_grad_()
    with torch.enable_grad(), saved_tensors_hooks(count, lambda tensor: tensor):
        f(batch.clone())  # which f may write into
    return saved
