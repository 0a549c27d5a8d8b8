"""Shapley Integrated Gradients and the Shapley sampler: the definition in plain numpy, closed forms, convergence."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import Attribution, GaussLegendre, Midpoint, QuadratureRule, RandomPoint, path_attribution
from igbaselines.attribution.baselines import Examples, MeanExample, PerStratum, ZeroBaseline
from igbaselines.attribution.shapley import estimators as shapley
from igbaselines.attribution.shapley.coalitions import sample_coalitions
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling, exact_shapley_values
from igbaselines.attribution.weighting import ByStratum
from igbaselines.models.inference import for_gradients
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN
from igbaselines.tasks import Background, Function, Patches
from tests.small_tasks import players_of, task_of

Make = Callable[..., nn.Module]
Method = type[ShapleyIG] | type[ShapleySampling]
BOTH: list[Method] = [ShapleyIG, ShapleySampling]


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def background(generator: torch.Generator) -> Background:
    return Background(
        examples=draw(generator, 12, 6),
        centre=torch.zeros(6, dtype=torch.float64),
        stratum=torch.arange(12) % 2,
        stratum_weight=torch.tensor([1.0, 4.0]),
    )


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return draw(generator, 4, 6)


@pytest.fixture
def pictures(generator: torch.Generator) -> Tensor:
    return draw(generator, 3, 2, 8, 8)


@pytest.fixture
def picture_background(generator: torch.Generator) -> Background:
    return Background(draw(generator, 5, 2, 8, 8), torch.zeros(2, 8, 8, dtype=torch.float64))


def attribute(
    method: ShapleyIG | ShapleySampling,
    f: Function,
    inputs: Tensor,
    background: Background | None = None,
    seed: int = 1,
    **others: Any,
) -> Attribution:
    return method.attribute(task_of(f, inputs, background, **others), seeded(seed))


A = np.array([0.7, -0.4, 1.1])


def value(x: "np.ndarray") -> float:
    return float(np.sin(x @ A) + x[0] ** 2 * x[1] * x[2])


def gradient(x: "np.ndarray") -> "np.ndarray":
    product = np.array([2 * x[0] * x[1] * x[2], x[0] ** 2 * x[2], x[0] ** 2 * x[1]])
    slope: np.ndarray = np.cos(x @ A) * A + product
    return slope


def value_in_torch(points: Tensor) -> Tensor:
    return torch.sin(points @ torch.from_numpy(A)) + points[:, 0] ** 2 * points[:, 1] * points[:, 2]


def by_definition(x: "np.ndarray", absent: "np.ndarray", steps: int) -> tuple["np.ndarray", "np.ndarray"]:
    """SIG and Shapley values of `value` at one point, subset by subset and node by node."""
    nodes, coefficients = np.polynomial.legendre.leggauss(steps)
    sig, exact = np.zeros(3), np.zeros(3)
    for i in range(3):
        for size in range(3):
            for members in combinations([j for j in range(3) if j != i], size):
                weight = math.factorial(size) * math.factorial(3 - size - 1) / math.factorial(3)
                start, step = absent.copy(), absent.copy()
                start[list(members)] = x[list(members)]
                step[[*members, i]] = x[[*members, i]]
                for node, coefficient in zip((nodes + 1) / 2, coefficients / 2, strict=True):
                    sig[i] += weight * coefficient * (x - start)[i] * gradient(start + node * (x - start))[i]
                exact[i] += weight * (value(step) - value(start))
    return sig, exact


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_all_coalitions_are_the_definition_in_plain_numpy(steps: int, generator: torch.Generator) -> None:
    x, examples = draw(generator, 4, 3), draw(generator, 3, 3)
    strata = Background(examples, examples[0], torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0]))
    source = PerStratum(1, ByStratum())
    absent, weights = source.draw(x, strata, seeded())
    assert len(absent) == 2
    sig = ShapleyIG(source, coalitions=None, rule=GaussLegendre(steps))
    sampler = ShapleySampling(source, coalitions=None)
    results = [attribute(method, value_in_torch, x, strata) for method in (sig, sampler)]
    for i, one in enumerate(x.numpy()):
        pairs = [by_definition(one, other, steps) for other in absent.numpy()]
        for result, of_each in zip(results, zip(*pairs, strict=True), strict=True):
            expected = torch.from_numpy(np.average(of_each, axis=0, weights=weights.numpy()))
            torch.testing.assert_close(result.attributions[i], expected, rtol=0, atol=1e-13)
    assert results[0].f_baselines.shape == (4, 14)
    assert results[0].evaluations.tolist() == [14 * steps] * 4
    assert results[1].evaluations.tolist() == [16] * 4


def test_sampled_coalitions_are_the_definition(background: Background, inputs: Tensor, make_mlp: Make) -> None:
    """Baselines, per-feature weights and the average, put together by hand from the coalitions that were drawn."""
    network, mean = make_mlp(), background.examples.mean(0)
    coalitions = sample_coalitions(6, 4, 9, seeded())
    result = attribute(ShapleyIG(MeanExample(), coalitions=9, rule=Midpoint(3)), network, inputs, background)
    for i in range(4):
        baselines = torch.stack([torch.where(members, inputs[i], mean) for members in coalitions[i]])
        paths = path_attribution(network, inputs[i : i + 1], baselines, rule=Midpoint(3), keep_per_baseline=True)
        assert paths.per_baseline is not None
        for player in range(6):
            expected = paths.per_baseline[0, ~coalitions[i, :, player], player].mean()
            torch.testing.assert_close(players_of(result)[i, player], expected, rtol=0, atol=1e-14)
        torch.testing.assert_close(result.f_baselines[i], paths.f_baselines[0], rtol=0, atol=1e-14)
        torch.testing.assert_close(result.completeness_gap[i], paths.completeness_gap[0], rtol=0, atol=1e-14)
    assert result.weights is None
    assert result.evaluations.tolist() == [27] * 4


def test_sampled_marginals_are_the_definition(background: Background, inputs: Tensor, make_mlp: Make) -> None:
    network, zero = make_mlp(), torch.zeros(6, dtype=torch.float64)
    coalitions = sample_coalitions(6, 4, 9, seeded())
    result = attribute(ShapleySampling(ZeroBaseline(), coalitions=9), network, inputs, background)
    for i in range(4):
        for player in range(6):
            starts = coalitions[i][~coalitions[i, :, player]]
            ends = starts.clone()
            ends[:, player] = True
            moved = network(torch.where(ends, inputs[i], zero)) - network(torch.where(starts, inputs[i], zero))
            torch.testing.assert_close(players_of(result)[i, player], moved.mean().detach(), rtol=0, atol=1e-14)
        assert result.evaluations[i] == 9 + (~coalitions[i]).sum()
    torch.testing.assert_close(result.f_baselines[:, 0], network(zero[None]).expand(4).detach(), rtol=0, atol=1e-14)
    gap = players_of(result).sum(1) - (result.f_inputs - result.f_baselines[:, 0])
    torch.testing.assert_close(result.completeness_gap[:, 0], gap, rtol=0, atol=1e-14)
    assert gap.abs().max() > 1e-3


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("coalitions", [1, 2, 7, None])
def test_an_additive_function_needs_no_sample(
    method: Method, coalitions: int | None, background: Background, inputs: Tensor
) -> None:
    powers = torch.tensor([1, 2, 3, 1, 4, 2])
    absent, _ = MeanExample().draw(inputs, background, seeded())
    sampled = method(MeanExample(), coalitions=coalitions)
    for f in (lambda p: (p**powers).sum(1), lambda p: p @ torch.arange(6.0, dtype=torch.float64) + 3):
        result = attribute(sampled, f, inputs, background)
        exact = exact_shapley_values(f, inputs, absent)
        torch.testing.assert_close(players_of(result), exact.values, rtol=0, atol=1e-12)
        torch.testing.assert_close(result.attributions, exact.values, rtol=0, atol=1e-12)


def test_marginals_of_all_coalitions_are_exact_also_by_paths(
    picture_background: Background, pictures: Tensor, make_cnn: Make
) -> None:
    network, target = make_cnn(classes=3), torch.tensor([2, 0, 1])
    source, players = Examples(2), Patches(4, 5)
    absent, weights = source.draw(pictures, picture_background, seeded())
    exact = exact_shapley_values(network, pictures, absent, weights, players, target)
    for rule in (None, Midpoint(2)):
        method = ShapleySampling(source, None, rule=rule)
        result = attribute(method, network, pictures, picture_background, players=players, targets=target)
        torch.testing.assert_close(players_of(result), exact.values, rtol=0, atol=1e-13)
        mean_gap = result.completeness_gap.mean(1)
        torch.testing.assert_close(mean_gap, torch.zeros_like(mean_gap), rtol=0, atol=1e-13)
        spent = 2 * 2**4 if rule is None else 2 * 4 * 2**3 * 2
        assert result.evaluations.tolist() == [spent] * 3


def test_efficiency_where_all_coalitions_are_taken(background: Background, inputs: Tensor, make_mlp: Make) -> None:
    """The sampler's values sum to f(x) - f(absent); SIG's to a mixture of f(x) - f(x_S): something else."""
    network = make_mlp()
    sampler = attribute(ShapleySampling(ZeroBaseline(), coalitions=None), network, inputs, background)
    assert sampler.completeness_gap.abs().max() < 1e-14
    sig = attribute(ShapleyIG(ZeroBaseline(), coalitions=None), network, inputs, background)
    assert sig.completeness_gap.abs().max() < 1e-6  # of each path, by quadrature
    assert (players_of(sig).sum(1) - (sampler.f_inputs - sampler.f_baselines[:, 0])).abs().max() > 1e-3


def test_what_players_sum_to(background: Background, inputs: Tensor, make_mlp: Make) -> None:
    """Absent values of unequal weights: the sampler's sum is f(x) less their weighted mean; SIG's is no one number."""
    source = PerStratum(1, ByStratum())
    exact = attribute(ShapleySampling(source, None), make_mlp(), inputs, background)
    torch.testing.assert_close(players_of(exact).sum(1), exact.change, rtol=0, atol=1e-14)
    assert exact.weights is not None
    assert exact.weights[0].tolist() == pytest.approx([0.2, 0.8])
    assert attribute(ShapleyIG(source, 4), make_mlp(), inputs, background).change.isnan().all()


def test_sig_of_a_product_in_closed_form(generator: torch.Generator) -> None:
    """f = x y from zero: both from the empty coalition and from the other player alone, x gets 1/2 and 1 of f."""
    x = draw(generator, 5, 2)
    result = attribute(ShapleyIG(ZeroBaseline(), coalitions=None), lambda p: p.prod(1), x)
    torch.testing.assert_close(players_of(result), 0.75 * x.prod(1, keepdim=True).expand(5, 2), rtol=0, atol=1e-14)


@pytest.mark.parametrize("paired", [False, True])
def test_samples_approach_all_coalitions(paired: bool, background: Background, inputs: Tensor, make_mlp: Make) -> None:
    """Both methods, where each coalition takes one of several absent values; within five standard errors."""
    network, source = make_mlp(), PerStratum(3, ByStratum())
    methods: list[ShapleyIG | ShapleySampling] = [
        ShapleyIG(source, coalitions=2048, paired=paired, rule=GaussLegendre(4)),
        ShapleySampling(source, coalitions=2048, paired=paired),
    ]
    for method in methods:
        exact = players_of(attribute(replace(method, coalitions=None), network, inputs, background))
        copies = [players_of(attribute(method, network, inputs, background))]
        # the same absent values, other coalitions
        absent, weights = source.draw(inputs, background, seeded())
        fixed = replace(method, imputer=_Fixed(absent, weights))
        copies += [players_of(attribute(fixed, network, inputs, background, seed)) for seed in range(2, 9)]
        drawn = torch.stack(copies)
        assert torch.all((drawn.mean(0) - exact).abs() < 5 * drawn.std(0) / math.sqrt(len(copies)) + 1e-4)
        assert (drawn.mean(0) - exact).abs().max() < 0.02 * exact.abs().max()


class _Fixed:
    """The same absent values whatever the generator."""

    def __init__(self, absent: Tensor, weights: Tensor) -> None:
        self.absent, self.weights = absent, weights

    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.absent, self.weights


def test_the_sampler_converges_at_the_rate_of_monte_carlo(make_mlp: Make, generator: torch.Generator) -> None:
    network, x = make_mlp(), draw(generator, 40, 6)
    exact = exact_shapley_values(network, x, torch.zeros_like(x[:1])).values
    counts = [16, 64, 256, 1024, 4096]
    methods = [ShapleySampling(ZeroBaseline(), coalitions=count) for count in counts]
    rms = [(players_of(attribute(method, network, x)) - exact).square().mean().sqrt() for method in methods]
    slope = np.polyfit(np.log(counts), np.log(rms), 1)[0]
    assert -0.6 < slope < -0.4


@pytest.mark.parametrize("method", BOTH)
def test_pairs_have_a_lower_variance(method: Method) -> None:
    """Three quarters, for a smooth function of four features; measured on the same input two thousand times."""
    x = torch.ones(2000, 4, dtype=torch.float64)
    plain = method(ZeroBaseline(), coalitions=16)
    variances = []
    for variant in (plain, replace(plain, paired=True)):
        result = attribute(variant, lambda p: (0.3 * p.sum(1)).exp(), x)
        variances.append(players_of(result).var(dim=0).mean())
    assert variances[1] < 0.87 * variances[0]


@pytest.mark.parametrize("method", BOTH)
def test_features_of_a_patch_sum_to_its_player(
    method: Method, picture_background: Background, pictures: Tensor, make_cnn: Make
) -> None:
    players = Patches(3, 4)
    player_of = players.of((2, 8, 8))
    by_paths = method(ZeroBaseline(), 5, rule=GaussLegendre(64))
    result = attribute(by_paths, make_cnn(), pictures, picture_background, players=players)
    assert players_of(result).shape == (3, 6)
    sums = torch.stack([result.attributions[:, player_of == player].sum(1) for player in range(6)], 1)
    # the sampler's players are exact, its features come by quadrature over the kinks of ReLU
    torch.testing.assert_close(sums, players_of(result), rtol=0, atol=1e-14 if method is ShapleyIG else 2e-3)


def test_without_a_rule_a_patch_is_even(picture_background: Background, pictures: Tensor, make_cnn: Make) -> None:
    method = ShapleySampling(ZeroBaseline(), 5)
    result = attribute(method, make_cnn(), pictures, picture_background, players=Patches(4, 4))
    assert torch.equal(result.attributions[:, 0, :4, :4].flatten(1).std(1), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(result.attributions[:, 1, 5, 2] * 32, players_of(result)[:, 2], rtol=0, atol=1e-14)


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("rule", [Midpoint(2), RandomPoint()])
@pytest.mark.parametrize("max_batch", [None, 5])
def test_blocks_and_batches_change_nothing(
    method: Method,
    rule: QuadratureRule,
    max_batch: int | None,
    picture_background: Background,
    pictures: Tensor,
    make_cnn: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = method(Examples(2), 6, rule=rule)
    task = task_of(make_cnn(), pictures, picture_background, players=Patches(3, 3), max_batch=max_batch)
    expected = whole.attribute(task, seeded())
    # pictures of a kilobyte: an input at a time; a few coalitions at a time
    for size in (6500, 3000):
        if size == 3000 and isinstance(rule, RandomPoint):
            continue  # nodes are drawn block by block: the same only where blocks hold whole inputs
        monkeypatch.setattr(shapley, "BLOCK_BYTES", size)
        result = whole.attribute(task, seeded())
        for name in ("attributions", "players", "f_inputs", "f_baselines", "completeness_gap", "evaluations"):
            torch.testing.assert_close(getattr(result, name), getattr(expected, name), rtol=0, atol=1e-13)


@pytest.mark.parametrize("method", BOTH)
def test_the_generator_alone_decides(method: Method, background: Background, inputs: Tensor, make_mlp: Make) -> None:
    network = make_mlp()
    before = torch.get_rng_state()
    one, again, other = (
        players_of(attribute(method(Examples(3), coalitions=8), network, inputs, background, seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_behind_an_affine_stem(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    network = DNN(Standardise(torch.ones(6), torch.full((6,), 2.0)), [8, 8], 0.1).double().eval()
    x = draw(generator, 3, 6)
    for method in (ShapleyIG(ZeroBaseline()), ShapleySampling(ZeroBaseline(), rule=Midpoint(2))):
        plain, fast = (attribute(method, f, x) for f in (nn.Sequential(network), for_gradients(network)))
        torch.testing.assert_close(fast.attributions, plain.attributions, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", BOTH)
def test_every_device(
    method: Method,
    picture_background: Background,
    pictures: Tensor,
    make_cnn: Make,
    device: torch.device,
) -> None:
    moved = method(Examples(2), 6, rule=Midpoint(2))
    on_cpu = attribute(moved, make_cnn(), pictures, picture_background, players=Patches(4, 4))
    there = Background(picture_background.examples.to(device), picture_background.centre.to(device))
    result = attribute(moved, make_cnn().to(device), pictures.to(device), there, players=Patches(4, 4))
    assert result.attributions.device.type == device.type
    assert result.evaluations.device.type == device.type
    torch.testing.assert_close(result.attributions.cpu(), on_cpu.attributions, rtol=0, atol=1e-11)
    torch.testing.assert_close(players_of(result).cpu(), players_of(on_cpu), rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", BOTH)
def test_float32_stays_float32(method: Method, background: Background, inputs: Tensor, make_mlp: Make) -> None:
    single = Background(background.examples.float(), background.centre.float())
    result = attribute(method(ZeroBaseline(), 16), make_mlp().float(), inputs.float(), single)
    expected = attribute(method(ZeroBaseline(), 16), make_mlp(), inputs, background)
    for name in ("attributions", "players", "f_inputs", "f_baselines", "completeness_gap"):
        assert getattr(result, name).dtype == torch.float32
    torch.testing.assert_close(players_of(result).double(), players_of(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", BOTH)
def test_refuses_impossible_coalitions(method: Method, make_mlp: Make) -> None:
    with pytest.raises(ValueError, match="at least one coalition of each input is needed, got 0"):
        method(ZeroBaseline(), coalitions=0)
    many = torch.ones(2, 17, dtype=torch.float64)
    everything = method(ZeroBaseline(), coalitions=None)
    with pytest.raises(ValueError, match=r"17 players have 2\^17 coalitions; .* sample coalitions"):
        attribute(everything, make_mlp(features=17), many)
