"""The adaptive rule against closed forms, against its own levels taken as fixed rules, and against a plain loop."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import Adaptive, GaussLegendre, path_attribution
from igbaselines.attribution.engine.adaptive import COUNTS

Make = Callable[..., nn.Module]
N, K, FEATURES = 5, 4, 6


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def assert_same(actual: Tensor | None, expected: Tensor | None, tolerance: float = 1e-12) -> None:
    assert actual is not None
    assert expected is not None
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@dataclass(frozen=True)
class OneLevel:
    """A level of the adaptive rule as a fixed rule."""

    count: int

    def nodes_and_weights(
        self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        return Adaptive(n_steps=self.count).nodes_and_weights()


class Counted:
    """A function that counts the points at which its gradient is taken, and keeps the size of every chunk."""

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        self.f = f
        self.chunks: list[int] = []

    def __call__(self, points: Tensor) -> Tensor:
        if points.requires_grad:
            self.chunks.append(len(points))
        return self.f(points)


def uneven(p: Tensor) -> Tensor:
    """A sine whose frequency is the first feature: some paths need many nodes and some few."""
    return torch.sin(p[:, 0] ** 2) + p[:, 1] * p[:, 2]


def of_growing_length(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x, starts = draw(generator, N, FEATURES), draw(generator, N, K, FEATURES) / 10
    x[:, 0] = torch.tensor([0.0, 0.5, 2.0, 4.0, 7.0])
    return x, starts


# The rule


@pytest.mark.parametrize("count", COUNTS)
def test_each_level_is_exact_to_its_degree_and_no_further(count: int) -> None:
    """Patterson's n + 1 nodes added to n give degree 3n + 1, and one more by symmetry; Gauss with 3 has degree 5."""
    nodes, weights = Adaptive(n_steps=count).nodes_and_weights()
    added_to = (count - 1) // 2
    degree = 5 if count == 3 else 3 * added_to + 2
    u = 2 * nodes - 1  # even powers on [-1, 1], where the odd ones vanish
    errors = [abs(float((weights * u**power).sum()) - 1 / (power + 1)) for power in range(0, degree + 2, 2)]
    assert max(errors[:-1]) < 1e-14
    # Beyond 31 nodes what is left of the next power is below rounding.
    assert errors[-1] > (1e-14 if count < 31 else -1)


def test_the_nodes_of_the_first_level_are_gauss_legendre() -> None:
    nodes, weights = Adaptive(n_steps=3).nodes_and_weights()
    expected_nodes, expected_weights = GaussLegendre(3).nodes_and_weights()
    order = nodes.argsort()
    assert_same(nodes[order], expected_nodes, 1e-15)
    assert_same(weights[order], expected_weights, 1e-15)


def test_levels_are_nested_symmetric_and_positive() -> None:
    nodes, weights = Adaptive().levels()
    assert len(nodes.unique()) == len(nodes) == 63
    assert torch.all((nodes > 0) & (nodes < 1))
    for level, count in enumerate(COUNTS):
        own, _ = Adaptive(n_steps=count).nodes_and_weights()
        assert torch.equal(own, nodes[:count])
        assert_same(own.sort().values, 1 - own.sort(descending=True).values, 1e-15)
        assert torch.all(weights[level, :count] > 0)
        assert not weights[level, count:].any()
        assert float(weights[level].sum()) == pytest.approx(1, abs=1e-14)


def test_added_nodes_lie_between_the_earlier_ones() -> None:
    nodes, _ = Adaptive().levels()
    for few, many in itertools.pairwise(COUNTS):
        _, order = nodes[:many].sort()
        assert torch.equal((order < few).nonzero().squeeze(1), torch.arange(1, many, 2))


@pytest.mark.parametrize(("steps", "used"), [(3, 3), (6, 3), (16, 15), (63, 63), (1000, 63)])
def test_leaves_out_levels_of_more_nodes_than_are_allowed(steps: int, used: int) -> None:
    assert Adaptive(n_steps=steps).counts[-1] == used
    assert len(Adaptive(n_steps=steps).nodes_and_weights()[0]) == used


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_steps": 2}, "an Adaptive quadrature rule needs at least 3 steps, got 2"),
        ({"tolerance": -0.1}, "tolerance of an Adaptive rule must be at least 0, got -0.1"),
        ({"tolerance": float("nan")}, "must be at least 0, got nan"),
    ],
)
def test_refuses(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adaptive(**values)


# Against fixed rules


@pytest.mark.parametrize("max_batch", [1, 7, 1000])
@pytest.mark.parametrize("baselines", [(K, FEATURES), (N, K, FEATURES)], ids=str)
@pytest.mark.parametrize("classes", [None, 3])
def test_without_tolerance_it_is_its_last_level(
    classes: int | None,
    baselines: tuple[int, ...],
    max_batch: int,
    loop: Callable[..., Any],
    make_mlp: Make,
    generator: torch.Generator,
) -> None:
    f, x, starts, weights = make_mlp(classes=classes), draw(generator, N, FEATURES), draw(generator, *baselines), None
    target = torch.tensor([2, 0, 1, 1, 0]) if classes else None
    expected = loop(f, x, starts, weights, OneLevel(15), target)
    rule = Adaptive(tolerance=0.0, n_steps=15)
    result = path_attribution(f, x, starts, weights, rule, target, max_batch, keep_per_baseline=True)
    assert_same(result.per_baseline, expected.per_baseline)
    assert_same(result.attributions, expected.attributions)
    assert result.gradients is not None
    assert result.gradients.tolist() == [[15] * K] * N


@pytest.mark.parametrize("max_batch", [1, 2, 5, 16, 1000])
def test_every_pair_is_what_its_own_level_gives(max_batch: int, generator: torch.Generator) -> None:
    x, starts = of_growing_length(generator)
    result = path_attribution(uneven, x, starts, rule=Adaptive(1e-6), max_batch=max_batch, keep_per_baseline=True)
    assert result.gradients is not None
    assert len(result.gradients.unique()) >= 3
    for count in result.gradients.unique().tolist():
        level = path_attribution(uneven, x, starts, rule=OneLevel(count), keep_per_baseline=True)
        assert level.per_baseline is not None
        assert result.per_baseline is not None
        those = result.gradients == count
        assert_same(result.per_baseline[those], level.per_baseline[those])
        assert_same(result.completeness_gap[those], level.completeness_gap[those])


def test_a_pair_stops_at_the_first_level_that_is_good_enough(generator: torch.Generator) -> None:
    """Tolerance times the total variation, here from the slopes at the same nodes by other means."""
    x, starts = of_growing_length(generator)
    tolerance = 1e-4
    result = path_attribution(uneven, x, starts, rule=Adaptive(tolerance))
    assert result.gradients is not None
    good = []
    for count in COUNTS:
        nodes, weights = OneLevel(count).nodes_and_weights()
        a = nodes.requires_grad_().view(-1, 1, 1, 1)
        values = uneven((starts + a * (x[:, None] - starts)).flatten(0, 2)).view(count, N, K)
        slopes = torch.stack([torch.autograd.grad(v.sum(), nodes, retain_graph=True)[0] for v in values.flatten(1).T])
        gap = slopes @ weights - (result.f_inputs[:, None] - result.f_baselines).flatten()
        good.append(gap.abs() <= tolerance * (slopes.abs() @ weights))
    first = torch.stack([*good[:-1], torch.ones(N * K, dtype=torch.bool)]).int().argmax(0)
    assert result.gradients.flatten().tolist() == [COUNTS[level] for level in first]
    assert len(first.unique()) > 1


def test_it_is_as_close_to_the_truth_as_it_says(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(), 3 * draw(generator, N, FEATURES), 3 * draw(generator, K, FEATURES)
    exact = path_attribution(f, x, starts, rule=GaussLegendre(200))
    for tolerance in (1e-2, 1e-4, 1e-6):
        result = path_attribution(f, x, starts, rule=Adaptive(tolerance))
        change = (result.f_inputs[:, None] - result.f_baselines).abs()
        assert torch.all(result.completeness_gap.abs() <= 2 * tolerance * change.clamp_min(0.5))
        assert float((result.attributions - exact.attributions).abs().max()) < 20 * tolerance


# Pairs that leave


def test_only_the_pairs_that_go_on_cost_gradients(generator: torch.Generator) -> None:
    x, starts = of_growing_length(generator)
    f, seen = Counted(uneven), list[int]()
    result = path_attribution(f, x, starts, rule=Adaptive(1e-5), max_batch=16, progress=seen.append)
    assert result.gradients is not None
    assert sum(f.chunks) == int(result.gradients.sum()) == seen[-1] < N * K * 31
    assert int(result.gradients[0].max()) < int(result.gradients[4].min())
    assert seen == sorted(set(seen))


def test_the_stream_is_packed_again(generator: torch.Generator) -> None:
    """One pair in four goes on, and chunks of the later levels are as full as those of the first."""
    x, starts = draw(generator, 64, FEATURES), torch.zeros(1, FEATURES).double()
    x[:, 0] = torch.where(torch.arange(64) % 4 == 0, 4.0, 0.0)
    f = Counted(uneven)
    result = path_attribution(f, x, starts, rule=Adaptive(1e-4), max_batch=64)
    assert result.gradients is not None
    assert set(result.gradients[1::4].flatten().tolist()) == {3}
    assert int(result.gradients[::4].min()) > 7
    fewest = -(-int(result.gradients.sum()) // 64)
    assert max(f.chunks) <= 64
    assert len(f.chunks) <= fewest + len(COUNTS)


def test_a_linear_function_takes_the_first_level(generator: torch.Generator) -> None:
    x, starts, slope = draw(generator, N, FEATURES), draw(generator, K, FEATURES), draw(generator, FEATURES)
    result = path_attribution(lambda p: p @ slope, x, starts, rule=Adaptive(1e-9))
    assert_same(result.attributions, slope * (x - starts.mean(0)))
    assert result.gradients is not None
    assert result.gradients.unique().tolist() == [3]


def test_a_path_without_length_takes_the_first_level(generator: torch.Generator) -> None:
    x = draw(generator, N, FEATURES)
    result = path_attribution(uneven, x, x[:, None], rule=Adaptive(0.0))
    assert not result.attributions.any()
    assert result.gradients is not None
    assert result.gradients.unique().tolist() == [3]


def test_ends_of_equal_value_do_not_ask_for_the_impossible() -> None:
    """cos from -1 to 1: f(x) = f(x'), yet a gap that is small beside the way up and down is good enough."""
    x, starts = torch.ones(1, 1).double(), -torch.ones(1, 1).double()
    for tolerance in (1e-1, 1e-6):
        result = path_attribution(lambda p: (3 * p[:, 0] + 0.3).cos(), x, starts, rule=Adaptive(tolerance))
        assert result.gradients is not None
        assert int(result.gradients) < 63
        assert float(result.completeness_gap.abs()) < 4 * tolerance


def test_a_path_that_never_converges_shows_it() -> None:
    x, starts = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    result = path_attribution(lambda p: (p[:, 0] > 0.3) * (p[:, 0] - 0.3), x, starts, rule=Adaptive(1e-6))
    assert result.gradients is not None
    assert int(result.gradients) == 63
    assert float(result.completeness_gap.abs()) > 1e-6


# The rest of the engine


def test_fixed_rules_say_what_they_spent(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    result = path_attribution(f, x, starts, rule=GaussLegendre(6))
    assert result.gradients is not None
    assert result.gradients.tolist() == [[6] * K] * N


@pytest.mark.parametrize("limit", [1, 5, 60])
def test_halves_the_chunk_where_memory_runs_out(limit: int, generator: torch.Generator) -> None:
    x, starts = of_growing_length(generator)
    seen: list[int] = []

    def limited(points: Tensor) -> Tensor:
        if len(points) > limit:
            raise MemoryError
        return uneven(points)

    expected = path_attribution(uneven, x, starts, rule=Adaptive(1e-5))
    result = path_attribution(limited, x, starts, rule=Adaptive(1e-5), max_batch=200, progress=seen.append)
    assert_same(result.attributions, expected.attributions)
    assert result.gradients is not None
    assert expected.gradients is not None
    assert torch.equal(result.gradients, expected.gradients)
    assert seen[-1] == int(result.gradients.sum())


def test_images_in_channels_last_with_classes_and_weights(make_cnn: Make, generator: torch.Generator) -> None:
    f, x, starts = make_cnn(classes=5), draw(generator, 3, 2, 8, 8), draw(generator, K, 2, 8, 8)
    weights, target = draw(generator, 3, K, 2, 8, 8), torch.tensor([3, 0, 4])
    rule = Adaptive(1e-2)
    expected = path_attribution(f, x, starts, weights, rule, target, max_batch=6, keep_per_baseline=True)
    last = path_attribution(f.to(memory_format=torch.channels_last), x, starts, weights, rule, target)
    assert_same(last.attributions, expected.attributions)
    assert expected.per_baseline is not None
    assert_same(expected.attributions, (weights * expected.per_baseline).sum(1))
    assert_same(last.gradients, expected.gradients, 0)


class Stemmed(nn.Module):
    """A network that declares its first layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Linear(FEATURES, 9).double()
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0)).double()

    def affine_stem(self, x: Tensor) -> Tensor:
        z: Tensor = self.first(x)
        return z

    def after_stem(self, z: Tensor) -> Tensor:
        output: Tensor = self.rest(z)
        return output

    def forward(self, x: Tensor) -> Tensor:
        return self.after_stem(self.affine_stem(x))


def test_a_stem_changes_nothing(generator: torch.Generator) -> None:
    """Neither the attributions nor, since the slope along a path is the same on both sides, where a pair stops."""
    model, x, starts = Stemmed(), 4 * draw(generator, N, FEATURES), 4 * draw(generator, N, K, FEATURES)
    plain, behind = (path_attribution(f, x, starts, rule=Adaptive(1e-3), max_batch=9) for f in (model.forward, model))
    assert_same(behind.attributions, plain.attributions)
    assert_same(behind.completeness_gap, plain.completeness_gap)
    assert_same(behind.gradients, plain.gradients, 0)
    assert plain.gradients is not None
    assert len(plain.gradients.unique()) > 1


def test_runs_where_the_inputs_are(device: torch.device, make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(classes=3), 3 * draw(generator, N, FEATURES), 3 * draw(generator, K, FEATURES)
    target = torch.tensor([0, 2, 1, 1, 0])
    expected = path_attribution(f, x, starts, rule=Adaptive(1e-3), target=target)
    result = path_attribution(f.to(device), x.to(device), starts.to(device), rule=Adaptive(1e-3), target=target)
    assert result.gradients is not None
    assert result.gradients.device.type == device.type
    assert_same(result.gradients.cpu(), expected.gradients, 0)
    assert_same(result.attributions.cpu(), expected.attributions)


@pytest.mark.parametrize("power", [0.5, -1])
def test_names_the_path_on_which_f_is_not_finite(power: float) -> None:
    inputs, baselines = torch.tensor([[1.0], [3.0]]).double(), torch.ones(1, 1).double()
    with pytest.raises(ValueError, match=r"not finite on the path from baseline 0 to input 1 \(1 paths in all\)"):
        path_attribution(lambda p: (2 - p[:, 0]).abs() ** power, inputs, baselines, rule=Adaptive(1e-3))
