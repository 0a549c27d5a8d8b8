"""Chunks: they change nothing, they bound the memory, and they shrink where memory runs out."""

import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from igbaselines.attribution import GaussLegendre, Midpoint, path_attribution
from igbaselines.attribution.engine.chunking import (
    CPU_FEWEST_POINTS,
    MOST_POINTS,
    automatic_max_batch,
    free_memory,
    is_out_of_memory,
)

FEATURES = 5


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network(width: int = 8) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)]
    return nn.Sequential(*layers, nn.Flatten(0)).double()


# The chunk changes nothing


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 7),
    k=st.integers(1, 6),
    steps=st.integers(1, 20),
    max_batch=st.sampled_from([1, 2, 3, 7, 64, 10**9]) | st.integers(1, 200),
    shared=st.booleans(),
)
def test_results_do_not_depend_on_the_chunk(n: int, k: int, steps: int, max_batch: int, shared: bool) -> None:
    f, x, starts = network(), draw(n, FEATURES), draw(*([k] if shared else [n, k]), FEATURES).expand(n, k, FEATURES)
    weights = draw(n, k, FEATURES)
    sizes: list[int] = []
    done: list[int] = []

    def watched(points: Tensor) -> Tensor:
        sizes.append(len(points))
        output: Tensor = f(points)
        return output

    whole = path_attribution(f, x, starts, weights, Midpoint(steps), max_batch=10**6, keep_per_baseline=True)
    cut = path_attribution(
        watched,
        x,
        starts,
        weights,
        Midpoint(steps),
        None,
        max_batch,
        keep_per_baseline=True,
        progress=done.append,
    )
    for name, expected in vars(whole).items():
        if expected is not None:
            torch.testing.assert_close(vars(cut)[name], expected, rtol=0, atol=1e-13)
    assert max(sizes) <= max_batch
    assert done[-1] == n * k * steps
    assert done == sorted(set(done))


@pytest.mark.parametrize("max_batch", [1, 3, 7, 64])
def test_float32_depends_on_the_chunk_by_rounding_only(max_batch: int) -> None:
    f, x, starts = network().float(), draw(5, FEATURES).float(), draw(4, FEATURES).float()
    cut, whole = (path_attribution(f, x, starts, max_batch=m).attributions for m in (max_batch, 10**6))
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-6)


def test_chunks_are_as_full_as_they_may_be() -> None:
    """At most twice the passes that a stream would need that is cut anywhere."""
    sizes: list[int] = []
    f = network()

    def watched(points: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            sizes.append(len(points))
        output: Tensor = f(points)
        return output

    for max_batch in (1, 4, 20, 50, 120):
        sizes.clear()
        path_attribution(watched, draw(6, FEATURES), draw(5, FEATURES), rule=Midpoint(4), max_batch=max_batch)
        assert sum(sizes) == 120
        assert len(sizes) <= 2 * -(-120 // max_batch)


# Memory


class LiveBytes(TorchDispatchMode):
    """The most bytes of tensors that were made inside and alive at once, whoever holds them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.storages[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.storages = {key: pair for key, pair in self.storages.items() if not pair[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.storages.values()))
        return result


def peak_bytes(n: int, k: int, steps: int, max_batch: int) -> int:
    f, x, starts = network(width=100), draw(n, FEATURES), draw(n, k, FEATURES)
    with LiveBytes() as live:
        path_attribution(f, x, starts, rule=Midpoint(steps), max_batch=max_batch)
    peak: int = live.peak
    return peak


def test_memory_does_not_grow_with_inputs_baselines_or_steps() -> None:
    small = peak_bytes(n=2, k=2, steps=8, max_batch=32)
    held = peak_bytes(n=12, k=8, steps=64, max_batch=12 * 8 * 64)
    assert held > 50 * small  # what an engine costs that takes every point at once
    for sizes in ({"n": 12}, {"k": 8}, {"steps": 64}, {"n": 12, "k": 8, "steps": 64}):
        many = {"n": 2, "k": 2, "steps": 8} | sizes
        outputs = 8 * many["n"] * (FEATURES + 10 * many["k"] + 10)  # the results, the nodes' pairs and bookkeeping
        assert peak_bytes(**many, max_batch=32) < 1.1 * small + outputs


def test_no_graph_is_kept_between_chunks() -> None:
    f = network()
    alive: weakref.WeakSet[Saved] = weakref.WeakSet()
    at_entry: list[int] = []
    saved = 0

    class Saved:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor

    def pack(tensor: Tensor) -> Saved:
        nonlocal saved
        saved += 1
        packed = Saved(tensor)
        alive.add(packed)
        return packed

    def watched(points: Tensor) -> Tensor:
        at_entry.append(len(alive))
        output: Tensor = f(points)
        return output

    with saved_tensors_hooks(pack, lambda packed: packed.tensor):
        for max_batch in (1, 4, 10):  # several chunks a pair, one pair a chunk, several pairs
            path_attribution(watched, draw(3, FEATURES), draw(2, FEATURES), rule=Midpoint(4), max_batch=max_batch)
    assert saved > 100
    assert max(at_entry) == 0


# Running out of memory


CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
POSIX = RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")
WINDOWS = RuntimeError("[enforce fail] data. DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.")


def limited(f: Callable[[Tensor], Tensor], limit: int, error: BaseException) -> Callable[[Tensor], Tensor]:
    """A function for which no more than `limit` points fit into memory."""

    def g(points: Tensor) -> Tensor:
        if len(points) > limit:
            raise error
        return f(points)

    return g


@pytest.mark.parametrize("error", [CUDA, POSIX, WINDOWS, MemoryError()], ids=["cuda", "posix", "windows", "python"])
@pytest.mark.parametrize("limit", [1, 2, 5, 60])
def test_halves_the_chunk_where_memory_runs_out(error: BaseException, limit: int) -> None:
    f, x, starts = network(), draw(4, FEATURES), draw(3, FEATURES)
    done: list[int] = []
    expected = path_attribution(f, x, starts, rule=GaussLegendre(12), keep_per_baseline=True)
    result = path_attribution(
        limited(f, limit, error),
        x,
        starts,
        rule=GaussLegendre(12),
        max_batch=144,
        keep_per_baseline=True,
        progress=done.append,
    )
    for name, value in vars(expected).items():
        torch.testing.assert_close(vars(result)[name], value, rtol=0, atol=1e-13)
    assert done[-1] == 144
    assert done == sorted(set(done))


@pytest.mark.parametrize("shared", [True, False])
def test_halves_the_chunk_where_memory_runs_out_without_gradients(shared: bool) -> None:
    f, x, starts = network(), draw(4, FEATURES), draw(*([3] if shared else [4, 3]), FEATURES)
    without_gradients = limited(f, 5, CUDA)
    expected = path_attribution(f, x, starts)
    result = path_attribution(
        lambda points: (f if torch.is_grad_enabled() else without_gradients)(points), x, starts, max_batch=400
    )
    for name, value in vars(expected).items():
        torch.testing.assert_close(vars(result)[name], value, rtol=0, atol=1e-13)


def test_a_point_that_does_not_fit_ends_in_a_clear_error() -> None:
    f = limited(network(), 0, POSIX)
    with pytest.raises(MemoryError, match="a single point does not fit into memory"):
        path_attribution(f, draw(4, FEATURES), draw(3, FEATURES), max_batch=64)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "GET was unable to find an engine to execute this computation",
        "Unable to find an engine to execute this computation",
    ],
)
def test_libraries_of_a_gpu_say_that_memory_ran_out_in_words_of_their_own(said: str) -> None:
    f, x, starts = network(), draw(4, FEATURES), draw(3, FEATURES)
    found = path_attribution(limited(f, 5, RuntimeError(said)), x, starts, max_batch=64)
    torch.testing.assert_close(found.attributions, path_attribution(f, x, starts).attributions, rtol=0, atol=1e-13)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    f = limited(network(), 3, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        path_attribution(f, draw(4, FEATURES), draw(3, FEATURES), max_batch=64)
    assert not is_out_of_memory(ValueError("can't allocate memory"))


REAL = """
import resource
import torch
from igbaselines.attribution import Midpoint, path_attribution

torch.set_num_threads(1)
torch.manual_seed(0)
sizes = []

def f(points):  # a megabyte a point, several times over
    sizes.append(len(points))
    return torch.tanh(points.repeat(1, 62_500)).sum(1)

x, starts = torch.randn(8, 4), torch.randn(4, 4)
expected = path_attribution(f, x, starts, rule=Midpoint(10), max_batch=2)
address_space = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (address_space + 120 * 2**20,) * 2)
sizes.clear()
result = path_attribution(f, x, starts, rule=Midpoint(10), max_batch=320)
torch.testing.assert_close(result.attributions, expected.attributions, rtol=1e-4, atol=1e-2)
assert sizes[:4] == [9, 4, 320, 160] and len(sizes) < 50, sizes  # f at the ends comes first
print("fits")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_survives_a_real_lack_of_memory() -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(REAL)], capture_output=True, text=True, check=False)
    assert done.stdout == "fits\n", done.stderr[-2000:]


# The chunk that is chosen


def test_takes_fewer_points_of_larger_networks() -> None:
    chosen = [automatic_max_batch(network(width), draw(1, FEATURES)) for width in (10, 100, 1000)]
    assert MOST_POINTS >= chosen[0] > chosen[1] > chosen[2] >= CPU_FEWEST_POINTS


def test_counts_the_points_themselves() -> None:
    """A linear function saves nothing for its gradient, and its points must fit into memory too."""
    points = automatic_max_batch(lambda p: p.flatten(1).sum(1), torch.zeros(1, 3, 1000, 1000))
    assert points == CPU_FEWEST_POINTS


def test_does_not_count_the_parameters() -> None:
    """Parameters are saved once whatever the batch."""
    wide = nn.Linear(2**20, 1, bias=False)

    def f(points: Tensor) -> Tensor:
        output: Tensor = points.sum(1) + wide(torch.zeros(1, 2**20)).sum()
        return output

    assert automatic_max_batch(f, torch.zeros(1, 3)) == MOST_POINTS


def test_goes_down_to_one_point_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igbaselines.attribution.engine.chunking.free_memory", lambda device: 1000)
    assert automatic_max_batch(network(1000), draw(1, FEATURES)) == 1


def test_knows_the_free_memory(device: torch.device) -> None:
    assert 2**26 < free_memory(device) < 2**44
