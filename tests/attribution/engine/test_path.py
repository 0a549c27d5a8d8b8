"""The engine against a plain loop; what it leaves behind; what it refuses."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from igbaselines.attribution import (
    Adaptive,
    AffineStem,
    GaussLegendre,
    Midpoint,
    QuadratureRule,
    RandomPoint,
    Trapezoid,
    path_attribution,
)
from igbaselines.attribution.shapley.exact import exact_shapley_values

Make = Callable[..., nn.Module]
N, K, FEATURES = 4, 3, 6


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def assert_same(actual: Tensor | None, expected: Tensor, tolerance: float = 1e-12) -> None:
    assert actual is not None
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


# Agreement with the definition


@pytest.mark.parametrize("rule", [Midpoint(5), Trapezoid(4), GaussLegendre(6)], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("weights", [None, (K,), (N, K), (N, K, FEATURES)], ids=str)
@pytest.mark.parametrize("baselines", [(K, FEATURES), (N, K, FEATURES)], ids=str)
def test_agrees_with_a_plain_loop_on_vectors(
    rule: QuadratureRule,
    weights: tuple[int, ...] | None,
    baselines: tuple[int, ...],
    loop: Callable[..., Any],
    make_mlp: Make,
    generator: torch.Generator,
) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, *baselines)
    w = None if weights is None else draw(generator, *weights)
    expected = loop(f, x, starts, w, rule)
    result = path_attribution(f, x, starts, w, rule, max_batch=7, keep_per_baseline=True)
    assert_same(result.attributions, expected.attributions)
    assert_same(result.per_baseline, expected.per_baseline)
    assert_same(result.f_inputs, expected.f_inputs)
    assert_same(result.f_baselines, expected.f_baselines)


@pytest.mark.parametrize("weights", [None, (N, K), (N, K, 2, 8, 8)], ids=str)
@pytest.mark.parametrize("baselines", [(K, 2, 8, 8), (N, K, 2, 8, 8)], ids=str)
def test_agrees_with_a_plain_loop_on_classes_of_images(
    weights: tuple[int, ...] | None,
    baselines: tuple[int, ...],
    loop: Callable[..., Any],
    make_cnn: Make,
    generator: torch.Generator,
) -> None:
    f, x, starts = make_cnn(classes=5), draw(generator, N, 2, 8, 8), draw(generator, *baselines)
    w = None if weights is None else draw(generator, *weights)
    target = torch.tensor([3, 0, 4, 3])
    expected = loop(f, x, starts, w, Midpoint(3), target)
    result = path_attribution(f, x, starts, w, Midpoint(3), target, max_batch=5, keep_per_baseline=True)
    assert_same(result.attributions, expected.attributions)
    assert_same(result.per_baseline, expected.per_baseline)
    assert_same(result.f_inputs, expected.f_inputs)
    assert_same(result.f_baselines, expected.f_baselines)


def test_runs_where_the_inputs_are(device: torch.device, make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(classes=3), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    target = torch.tensor([0, 2, 1, 1])
    expected = path_attribution(f, x, starts, target=target)
    result = path_attribution(f.to(device), x.to(device), starts.to(device), target=target)
    assert result.attributions.device.type == device.type
    assert_same(result.attributions.cpu(), expected.attributions)


def test_float32_stays_float32(make_mlp: Make, generator: torch.Generator) -> None:
    x, starts = draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    weights = draw(generator, K)
    exact = path_attribution(make_mlp(), x, starts, weights)
    single = path_attribution(make_mlp().float(), x.float(), starts.float(), weights)
    assert single.attributions.dtype == single.completeness_gap.dtype == torch.float32
    assert_same(single.attributions.double(), exact.attributions, 1e-5)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32])
def test_any_integer_may_index_a_class(dtype: torch.dtype, make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(classes=3), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    target = torch.tensor([0, 2, 1, 1])
    expected = path_attribution(f, x, starts, target=target).attributions
    assert torch.equal(path_attribution(f, x, starts, target=target.to(dtype)).attributions, expected)


def test_inputs_that_do_not_lie_contiguously(make_cnn: Make, generator: torch.Generator) -> None:
    f, x, starts = make_cnn(), draw(generator, N, 2, 8, 8), draw(generator, K, 2, 8, 8)
    expected = path_attribution(f, x, starts).attributions
    strided = x.to(memory_format=torch.channels_last)
    assert_same(path_attribution(f, strided, starts.mT.contiguous().mT).attributions, expected)


def test_baselines_that_are_expanded_are_shared(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    expected = path_attribution(f, x, starts)
    result = path_attribution(f, x, starts.expand(N, K, FEATURES))
    assert_same(result.attributions, expected.attributions)
    assert_same(result.f_baselines, expected.f_baselines)


@pytest.mark.parametrize("weights", [None, (K,), (N, K)], ids=str)
def test_returns_the_weights_of_pairs(
    weights: tuple[int, ...] | None, make_mlp: Make, generator: torch.Generator
) -> None:
    w = None if weights is None else draw(generator, *weights)
    result = path_attribution(make_mlp(), draw(generator, N, FEATURES), draw(generator, K, FEATURES), w)
    expected = torch.full((N, K), 1 / K, dtype=torch.float64) if w is None else w.expand(N, K)
    assert_same(result.weights, expected, 0)


def test_what_is_returned_is_the_callers_alone(make_mlp: Make, generator: torch.Generator) -> None:
    x, starts = draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    for weights in (draw(generator, K), draw(generator, N, K), draw(generator, N, K, 1).squeeze(2)):
        kept = weights.clone()
        found = path_attribution(make_mlp(), x, starts, weights, keep_per_baseline=True)
        other = found.reweighted(weights.expand(N, K))
        assert found.weights is not None
        assert other.weights is not None
        found.weights.zero_()
        other.weights.zero_()
        found.f_baselines.zero_()
        assert torch.equal(weights, kept)


def test_has_no_weights_of_pairs_where_they_differ_from_feature_to_feature(
    make_mlp: Make, generator: torch.Generator
) -> None:
    weights = draw(generator, N, K, FEATURES)
    x, starts = draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    assert path_attribution(make_mlp(), x, starts, weights).weights is None


def test_keeps_each_baseline_only_where_asked(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts, weights = (
        make_mlp(),
        draw(generator, N, FEATURES),
        draw(generator, K, FEATURES),
        draw(generator, K),
    )
    assert path_attribution(f, x, starts).per_baseline is None
    kept = path_attribution(f, x, starts, weights, keep_per_baseline=True)
    assert kept.per_baseline is not None
    assert_same(kept.attributions, torch.einsum("k,nkd->nd", weights, kept.per_baseline))


# Random rules


def test_a_random_rule_draws_for_each_pair(generator: torch.Generator) -> None:
    """For f = x^2 a single node a gives 2 (x' + a (x - x')) (x - x'): the node can be read off."""
    x, starts = torch.ones(N, 1).double(), torch.zeros(K, 1).double()
    result = path_attribution(
        lambda p: p[:, 0] ** 2, x, starts, rule=RandomPoint(), keep_per_baseline=True, generator=generator
    )
    assert result.per_baseline is not None
    nodes, _ = RandomPoint().nodes_and_weights((N, K), torch.Generator().manual_seed(0))
    assert_same(result.per_baseline / 2, nodes)


def test_a_random_rule_is_reproducible_whatever_the_chunk(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, K, FEATURES)

    def attributions(seed: int, max_batch: int) -> Tensor:
        own = torch.Generator().manual_seed(seed)
        return path_attribution(f, x, starts, rule=RandomPoint(), max_batch=max_batch, generator=own).attributions

    assert_same(attributions(3, 1), attributions(3, 100), 1e-14)
    assert not torch.allclose(attributions(3, 1), attributions(4, 1))


def test_a_random_rule_is_unbiased(generator: torch.Generator) -> None:
    """f = x^3 from 0 to 1: one node gives 3 a^2, of mean 1 and variance 4/5."""
    k = 10_000
    x, starts = torch.ones(1, 1).double(), torch.zeros(k, 1).double()
    phi = path_attribution(lambda p: p[:, 0] ** 3, x, starts, rule=RandomPoint(), generator=generator).attributions
    assert float(phi) == pytest.approx(1, abs=4 * (0.8 / k) ** 0.5)


def test_a_random_rule_is_exact_on_a_linear_function(generator: torch.Generator) -> None:
    x, starts, slope = draw(generator, N, FEATURES), draw(generator, K, FEATURES), draw(generator, FEATURES)
    phi = path_attribution(lambda p: p @ slope, x, starts, rule=RandomPoint(), generator=generator).attributions
    assert_same(phi, slope * (x - starts.mean(0)))


def test_a_random_rule_needs_a_generator(make_mlp: Make, generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match="pass generator="):
        path_attribution(make_mlp(), draw(generator, N, FEATURES), draw(generator, K, FEATURES), rule=RandomPoint())


# The model is left as it was found


def awkward_model() -> nn.Sequential:
    """BatchNorm and dropout in training mode but for one part; one parameter frozen, one with a gradient."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0)
    ).double()
    model[2].eval()
    model[0].bias.requires_grad_(False)
    last = next(model[4].parameters())
    last.grad = torch.ones_like(last)
    return model


def test_the_model_is_left_as_it_was_found(generator: torch.Generator) -> None:
    model = awkward_model()
    calls: list[int] = []
    model[1].register_forward_hook(lambda *_: calls.append(1))
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    wants = [parameter.requires_grad for parameter in model.parameters()]
    path_attribution(model, draw(generator, N, FEATURES), draw(generator, K, FEATURES))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [parameter.requires_grad for parameter in model.parameters()] == wants
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert list(gradients) == ["4.weight"]
    assert torch.all(gradients["4.weight"] == 1)
    assert calls
    assert len(model[1]._forward_hooks) == 1


def test_the_mode_comes_back_after_an_error(generator: torch.Generator) -> None:
    model = awkward_model()
    modes = [module.training for module in model.modules()]
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        path_attribution(model, draw(generator, N, 5), draw(generator, K, 5))
    assert [module.training for module in model.modules()] == modes


def test_the_model_runs_in_evaluation_mode(generator: torch.Generator) -> None:
    x, starts = draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    expected = path_attribution(awkward_model().eval(), x, starts)
    for max_batch in (1, 3, 1000):
        result = path_attribution(awkward_model(), x, starts, max_batch=max_batch)
        assert_same(result.attributions, expected.attributions)
        assert_same(result.f_baselines, expected.f_baselines)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("baselines", [(K, FEATURES), (N, K, FEATURES)], ids=str)
def test_works_where_gradients_are_off(
    mode: Callable[[], Any], baselines: tuple[int, ...], make_mlp: Make, generator: torch.Generator
) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, *baselines)
    expected = path_attribution(f, x, starts).attributions
    with mode():
        inside = path_attribution(f, x.clone(), starts.clone()).attributions
        assert not torch.is_grad_enabled()
    assert_same(inside, expected)
    assert not inside.requires_grad


def test_returns_nothing_that_carries_a_graph(make_mlp: Make, generator: torch.Generator) -> None:
    x, starts, weights = draw(generator, N, FEATURES), draw(generator, K, FEATURES), draw(generator, K)
    leaves = [tensor.requires_grad_() for tensor in (x, starts, weights)]
    result = path_attribution(make_mlp(), x, starts, weights, keep_per_baseline=True)
    assert not any(tensor.requires_grad for tensor in vars(result).values() if tensor is not None)
    assert all(leaf.grad is None for leaf in leaves)


# A declared affine stem


class Stemmed(nn.Module):
    """A network that declares its first layer, and counts the rows that go through it."""

    def __init__(self, classes: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Linear(FEATURES, 9).double()
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, classes or 1)).double()
        self.classes = classes
        self.rows = 0

    def affine_stem(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        z: Tensor = self.first(x)
        return z

    def after_stem(self, z: Tensor) -> Tensor:
        output: Tensor = self.rest(z)
        return output if self.classes else output.squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.after_stem(self.affine_stem(x))


class Lookalike(nn.Module):
    """Names that many networks use for parts that are not affine."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Linear(FEATURES, 9), nn.Tanh()).double()
        self.head = nn.Sequential(nn.Linear(9, 1), nn.Flatten(0)).double()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.stem(x)) ** 2
        return output


@pytest.mark.parametrize("baselines", [(K, FEATURES), (N, K, FEATURES)], ids=str)
@pytest.mark.parametrize("classes", [None, 4])
@pytest.mark.parametrize("max_batch", [1, 7, 1000])
def test_a_stem_changes_nothing(
    baselines: tuple[int, ...], classes: int | None, max_batch: int, generator: torch.Generator
) -> None:
    model, x, starts = Stemmed(classes), draw(generator, N, FEATURES), draw(generator, *baselines)
    target = torch.tensor([1, 3, 0, 0]) if classes else None
    weights = draw(generator, N, K, FEATURES)
    assert isinstance(model, AffineStem)
    plain, behind = (
        path_attribution(f, x, starts, weights, GaussLegendre(5), target, max_batch, keep_per_baseline=True)
        for f in (model.forward, model)
    )
    assert_same(behind.attributions, plain.attributions)
    assert plain.per_baseline is not None
    assert_same(behind.per_baseline, plain.per_baseline)
    assert_same(behind.f_inputs, plain.f_inputs)
    assert_same(behind.f_baselines, plain.f_baselines)
    assert_same(behind.completeness_gap, plain.completeness_gap)


def test_a_lookalike_has_no_stem(loop: Callable[..., Any], generator: torch.Generator) -> None:
    model, x, starts = Lookalike(), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    assert not isinstance(model, AffineStem)
    expected = loop(model, x, starts, None, GaussLegendre(5))
    assert_same(path_attribution(model, x, starts, rule=GaussLegendre(5)).attributions, expected.attributions)


@pytest.mark.parametrize("baselines", [(K, FEATURES), (N, K, FEATURES)], ids=str)
def test_rows_through_the_stem_do_not_grow_with_the_steps(
    baselines: tuple[int, ...], generator: torch.Generator
) -> None:
    x, starts = draw(generator, N, FEATURES), draw(generator, *baselines)
    rows = []
    for steps in (1, 10, 200):
        model = Stemmed()
        path_attribution(model, x, starts, rule=Midpoint(steps), max_batch=16)
        rows.append(model.rows)
    assert rows[0] == rows[1] == rows[2] <= 4 * N * K


# Progress


@pytest.mark.parametrize("max_batch", [1, 5, 12, 1000])
def test_progress_rises_to_the_number_of_points(max_batch: int, make_mlp: Make, generator: torch.Generator) -> None:
    seen: list[int] = []
    x, starts = draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    path_attribution(make_mlp(), x, starts, rule=Midpoint(6), max_batch=max_batch, progress=seen.append)
    assert seen[-1] == N * K * 6
    assert seen == sorted(set(seen))
    assert max_batch > 5 or len(seen) >= 3  # a block holds as many pairs as a chunk has points


# What it refuses


def ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float64)


def with_value(tensor: Tensor, index: tuple[int, ...], value: float) -> Tensor:
    tensor[index] = value
    return tensor


class Output:
    """What networks return that return more than one thing."""

    def __init__(self, logits: Tensor) -> None:
        self.loss, self.logits = None, logits


def nested(parts: list[Tensor], layout: torch.layout = torch.strided) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of a prototype
        return torch.nested.nested_tensor(parts, layout=layout)


NESTED, JAGGED = nested([ones(2), ones(3)]), nested([ones(2), ones(3)], torch.jagged)
LEAF = torch.ones((), dtype=torch.float64, requires_grad=True)
NO_GRADIENT = r"f returned values .* without a gradient with respect to its points: it is constant or a step"

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "baselines of other features": (
        {"baselines": ones(3, 5)},
        r"baselines \(3, 5\) do not fit inputs \(4, 6\): expected \(k, 6\) or \(4, k, 6\)",
    ),
    "baselines of other inputs": (
        {"baselines": ones(2, 3, 6)},
        r"baselines \(2, 3, 6\) do not fit inputs \(4, 6\)",
    ),
    "a single baseline without its dimension": (
        {"baselines": ones(6)},
        r"baselines \(6,\) do not fit inputs \(4, 6\)",
    ),
    "no baseline": ({"baselines": ones(0, 6)}, r"baselines \(0, 6\) do not fit .* with k at least 1"),
    "no baseline of an input": ({"baselines": ones(4, 0, 6)}, r"baselines \(4, 0, 6\) do not fit"),
    "no feature dimension": (
        {"inputs": ones(4), "baselines": ones(3, 5)},
        r"do not fit inputs \(4,\): expected \(k, no feature dimension\)",
    ),
    "no input": ({"inputs": ones(0, 6)}, r"no input to explain: inputs have shape \(0, 6\)"),
    "integer inputs": ({"inputs": ones(4, 6).long()}, r"inputs must be floating point, got torch.int64"),
    "another dtype": (
        {"baselines": ones(3, 6).float()},
        r"baselines have dtype torch.float32, inputs have torch.float64",
    ),
    "baselines without values": ({"baselines": ones(3, 6).to("meta")}, r"baselines must be .*, got one on .* meta"),
    "weights of other baselines": (
        {"weights": ones(4)},
        r"weights \(4,\) do not fit 4 inputs and 3 baselines: expected \(3,\), \(4, 3\) or \(4, 3, 6\)",
    ),
    "weights the wrong way round": (
        {"weights": ones(3, 4)},
        r"weights \(3, 4\) do not fit 4 inputs and 3 baselines",
    ),
    "target of other inputs": (
        {"target": torch.zeros(3, dtype=torch.int64)},
        r"target \(3,\) does not fit inputs \(4, 6\): one class an input",
    ),
    "a target between classes": (
        {"target": ones(4)},
        r"target must hold class indices from 0 on, got torch.float64",
    ),
    "a negative target": (
        {"target": -torch.ones(4, dtype=torch.int64)},
        r"class indices from 0 on, .* least -1",
    ),
    "a target without classes": (
        {"target": torch.zeros(4, dtype=torch.int64)},
        r"with target= f must return shape \(\d, classes\), but returned \(\d,\)",
    ),
    "an unknown class": (
        {"f": lambda p: p[:, :3], "target": torch.full((4,), 3)},
        r"target 3 does not fit f, which returned \(\d+, 3\): classes go from 0 to 2",
    ),
    "classes without a target": (
        {"f": lambda p: p[:, :3]},
        r"f must return one value a point, shape \(\d,\), but returned \(\d, 3\); pass target=",
    ),
    "one value for all points": (
        {"f": lambda p: p.sum()},
        r"f must return one value a point, .* returned \(\)",
    ),
    "an empty chunk": ({"max_batch": 0}, r"max_batch must be a whole number of at least 1, got 0"),
    "inputs that are not finite": (
        {"inputs": with_value(ones(4, 6), (2, 5), torch.nan)},
        r"inputs must be finite, but 1 values are not; the first at index \(2, 5\)",
    ),
    "baselines that are not finite": (
        {"baselines": with_value(ones(3, 6), (1, 0), torch.inf)},
        r"baselines must be finite, but 1 values are not; the first at index \(0, 1, 0\)",
    ),
    "baselines of an input that are not finite": (
        {"baselines": with_value(ones(4, 3, 6), (3, 1, 0), torch.inf)},
        r"baselines must be finite, but 1 values are not; the first at index \(3, 1, 0\)",
    ),
    "weights that are not finite": (
        {"weights": with_value(ones(3), (1,), torch.nan)},
        r"weights must be finite, but 1 values are not",
    ),
    "no function": ({"f": 3}, r"f must be a function of a tensor .*, got 3"),
    "an array": (
        {"inputs": ones(4, 6).numpy()},
        r"inputs must be a tensor, got a numpy.ndarray of shape \(4, 6\): torch",
    ),
    "a tuple of inputs": ({"inputs": (ones(4, 6),)}, r"inputs must be a tensor, got a tuple of 1; of several tensors"),
    "a list of inputs": ({"inputs": [[1.0]]}, r"inputs must be a tensor, got a list of 1"),
    "a sparse tensor": ({"inputs": ones(4, 6).to_sparse()}, r"inputs must be a dense tensor, got torch.sparse_coo"),
    "a single number": ({"inputs": ones(1)[0]}, r"there is no input to explain: inputs have shape \(\)"),
    "complex inputs": ({"inputs": ones(4, 6) + 1j}, r"inputs must be floating point, got torch.complex128"),
    "no baselines": ({"baselines": None}, r"baselines must be a tensor, or one number .*, got None"),
    "an array of baselines": ({"baselines": ones(3, 6).numpy()}, r"baselines must be a tensor, .* torch.from_numpy"),
    "a yes for baselines": ({"baselines": True}, r"baselines must be a tensor, or one number .*, got True"),
    "a number that is not finite": ({"baselines": float("nan")}, r"baselines must be finite"),
    "a list of weights": ({"weights": [1.0, 0.0]}, r"weights must be a tensor, got a list of 2: torch.tensor"),
    "sparse weights": ({"weights": ones(3).to_sparse()}, r"weights must be a dense tensor, got torch.sparse_coo"),
    "weights without values": ({"weights": ones(3).to("meta")}, r"weights must be a dense tensor, got one on .* meta"),
    "inputs without values": ({"inputs": ones(4, 6).to("meta")}, r"inputs must be a dense tensor, got one on .* meta"),
    "nested inputs": ({"inputs": NESTED}, r"inputs must be a dense tensor, got a nested one: .to_padded_tensor"),
    "jagged baselines": ({"baselines": JAGGED}, r"baselines must be a dense tensor, got a nested one"),
    "a huge number": ({"baselines": 10**400}, r"baselines must be finite, got a number that is too large for .*64"),
    "a number that is too large": (
        {"inputs": ones(4, 6).half(), "baselines": 1e30},
        r"baselines must be finite, got a number that is too large for torch.float16",
    ),
    "a sparse target": ({"target": torch.ones(4).long().to_sparse()}, r"target must be a dense tensor, got torch.spar"),
    "a target without values": ({"target": torch.ones(4).long().to("meta")}, r"target must be .* got one on .* meta"),
    "a nested target": ({"target": NESTED}, r"target must be a dense tensor, got a nested one"),
    "an unsigned target": (
        {"target": torch.full((4,), 3, dtype=torch.uint16), "f": lambda p: p[:, :3]},
        r"target 3 does not fit f",
    ),
    "a target past all classes": (
        {"target": torch.full((4,), 2**63, dtype=torch.uint64)},
        r"from 0 on, got torch.uint64",
    ),
    "a seed": (
        {"generator": 0},
        r"generator must be a torch.Generator, such as torch.Generator\(\).manual_seed.* got 0",
    ),
    "a yes for progress": ({"progress": True}, r"progress must be a function .* such as print, got True"),
    "decisions": ({"f": lambda p: p.sum(1) > 0}, r"f must return real numbers, but returned torch.bool"),
    "sparse values": ({"f": lambda p: p.sum(1).to_sparse()}, r"f must return a dense tensor, got torch.sparse_coo"),
    "nested values": ({"f": lambda p: nested([*p])}, r"f must return a dense tensor, got a nested one"),
    "complex weights": ({"weights": ones(3) + 1j}, r"weights must be real numbers, got torch.complex128"),
    "half a point": ({"max_batch": 2.5}, r"max_batch must be a whole number of at least 1, got 2.5"),
    "a yes for a chunk": ({"max_batch": True}, r"max_batch must be a whole number of at least 1, got True"),
    "a number of steps": ({"rule": 32}, r"rule must be a quadrature rule, such as GaussLegendre\(32\), got 32"),
    "a kind of rule": ({"rule": GaussLegendre}, r"rule must be a quadrature rule"),
    "a name for a target": ({"target": "cat"}, r"target must be a class index, or 4 of them, .* got 'cat'"),
    "a tuple for a target": ({"target": (1, 0, 0, 0)}, r"target must be a class index, .* got a tuple of 4"),
    "a mapping for a target": ({"target": {"a": 1}}, r"target must be a class index, .* got a dict of 'a'"),
    "a ragged target": ({"target": [[1], [0, 2]]}, r"target must be a class index, .* got a list of 2"),
    "a list for other inputs": ({"target": [0, 1]}, r"target \(2,\) does not fit inputs \(4, 6\)"),
    "a negative class": ({"target": -1}, r"class indices from 0 on, .* least -1"),
    "a share of a class": ({"target": 0.5}, r"class indices from 0 on, got torch.float32"),
    "a yes for a class": ({"target": True}, r"class indices from 0 on, got torch.bool"),
    "an unknown class for all": (
        {"f": lambda p: p[:, :3], "target": 3},
        r"target 3 does not fit f, .* classes go from 0 to 2",
    ),
    "a tuple": ({"f": lambda p: (None, p.sum(1))}, r"returned a tuple of 2; explain one tensor of it, .* f\(x\)\[1\]"),
    "a mapping": ({"f": lambda p: {"logits": p}}, r"returned a dict of 'logits'; .* f\(x\)\['logits'\]"),
    "an object": ({"f": lambda p: Output(p.sum(1))}, r"returned a \S*Output; .* f\(x\).logits"),
    "nothing": ({"f": lambda p: None}, r"f must return a tensor, but returned None"),
    "an array of values": ({"f": lambda p: p.detach().numpy().sum(1)}, r"must return a tensor, but returned a numpy"),
    "complex values": ({"f": lambda p: p.sum(1) + 1j}, r"f must return real numbers, but returned torch.complex128"),
    "values elsewhere": ({"f": lambda p: p.sum(1).to("meta")}, r"values where its points are, cpu, but returned meta"),
    "values without a graph": ({"f": torch.no_grad()(lambda p: p.sum(1))}, NO_GRADIENT),
    "values of inference": ({"f": torch.inference_mode()(lambda p: p.sum(1))}, NO_GRADIENT),
    "values cut off": ({"f": lambda p: p.detach().sum(1)}, NO_GRADIENT),
    "constant values": ({"f": lambda p: p.new_ones(len(p))}, NO_GRADIENT),
    "steps": ({"f": lambda p: (p.sum(1) > 3).double()}, NO_GRADIENT),
    "classes for values": ({"f": lambda p: p.argmax(1)}, NO_GRADIENT),
    "a graph of parameters alone": ({"f": lambda p: p.new_ones(len(p)) * LEAF}, NO_GRADIENT),
}


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("max_batch", [None, 1])
def test_refuses(changes: dict[str, Any], message: str, max_batch: int | None) -> None:
    arguments: dict[str, Any] = {
        "f": lambda p: p.sum(1),
        "inputs": 2 * ones(4, 6),
        "baselines": ones(3, 6),
        "max_batch": max_batch,
    }
    with pytest.raises(ValueError, match=message):
        path_attribution(**(arguments | changes))


WHOLE = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
TARGETS = [2, [2] * N, torch.tensor(2), np.int64(2), np.array([2] * N)]
TARGETS += [torch.tensor([2] * N, dtype=dtype) for dtype in WHOLE]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: type(target).__name__)
def test_reads_a_target_however_it_comes(target: Any, make_mlp: Make, generator: torch.Generator) -> None:
    f, x, starts = make_mlp(classes=3), draw(generator, N, FEATURES), draw(generator, K, FEATURES)
    expected = path_attribution(f, x, starts, target=torch.full((N,), 2))
    assert_same(path_attribution(f, x, starts, target=target).attributions, expected.attributions, 0)
    exact = exact_shapley_values(f, x, starts, target=target).values
    assert_same(exact, exact_shapley_values(f, x, starts, target=torch.full((N,), 2)).values, 0)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("number", [0, 0.5, np.float32(-1)])
def test_a_number_is_a_baseline(number: float, make_mlp: Make, generator: torch.Generator) -> None:
    f, x = make_mlp(), draw(generator, N, FEATURES)
    expected = path_attribution(f, x, torch.full((1, FEATURES), float(number), dtype=torch.float64))
    assert_same(path_attribution(f, x, number).attributions, expected.attributions, 0)


def test_baselines_of_the_inputs_shape_are_shared_and_both_readings_are_said(
    make_mlp: Make, generator: torch.Generator
) -> None:
    f, x, starts = make_mlp(), draw(generator, N, FEATURES), draw(generator, N, FEATURES)
    with pytest.warns(
        UserWarning, match=r"not one for each as in Captum: say baselines\[:, None\] for one each, "
    ) as said:
        found = path_attribution(f, x, starts)
    assert len(said) == 1
    shared = path_attribution(f, x, starts.expand(len(x), *starts.shape))
    assert_same(found.attributions, shared.attributions)
    pairs = path_attribution(f, x, starts[:, None])
    each = [path_attribution(f, x[[i]], starts[[i]]).attributions for i in range(N)]
    assert_same(pairs.attributions, torch.cat(each))
    with pytest.warns(UserWarning, match=r"absent values\[:, None\] for one each"):
        exact_shapley_values(f, x, starts)


@pytest.mark.parametrize(
    "f",
    [
        lambda p: torch.where(p[:, 0] > 2.9, torch.log(-p[:, 0]), p[:, 0]),  # the value, at the input alone
        lambda p: (p[:, 0] - 2).abs().sqrt(),  # the gradient, half way from the first baseline
    ],
    ids=["value", "gradient"],
)
def test_names_the_path_on_which_f_is_not_finite(f: Callable[[Tensor], Tensor]) -> None:
    inputs, baselines = ones(2, 1), ones(2, 1)
    inputs[1], baselines[0], baselines[1] = 3, 1, 2
    inputs[0] = 1.2
    with pytest.raises(ValueError, match=r"not finite on the path from baseline \d to input 1 \(\d paths in all\)"):
        path_attribution(f, inputs, baselines.expand(2, 2, 1), rule=Midpoint(1))


def test_gradients_may_come_in_another_memory_format(generator: torch.Generator) -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    network = nn.Sequential(*layers).double()
    inputs = torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    baselines = torch.rand(3, 3, 8, 8, generator=generator, dtype=torch.float64)
    target = torch.tensor([0, 1])
    expected = path_attribution(network, inputs, baselines, target=target)
    found = path_attribution(network.to(memory_format=torch.channels_last), inputs, baselines, target=target)
    torch.testing.assert_close(found.attributions, expected.attributions, rtol=0, atol=1e-13)


class Syncs(TorchDispatchMode):
    """Counts the operations for which the host has to wait for a device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: tuple[object, ...] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        self.count += func.overloadpacket in (
            torch.ops.aten._local_scalar_dense,
            torch.ops.aten.nonzero,
            torch.ops.aten.equal,
            torch.ops.aten.is_nonzero,
            torch.ops.aten.unique_consecutive,
        )
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("rule", [GaussLegendre(6), Adaptive(tolerance=0.0, n_steps=7)], ids=["fixed", "adaptive"])
def test_the_host_never_waits_between_chunks(rule: QuadratureRule, make_mlp: Make, generator: torch.Generator) -> None:
    network, target = make_mlp(classes=3), torch.tensor([0, 2, 1])
    x, starts = draw(generator, 3, FEATURES), draw(generator, 8, FEATURES)
    counts = []
    for max_batch in (24, 48):  # blocks of all pairs, and twice as many chunks or half of them
        with Syncs() as syncs:
            path_attribution(network, x, starts, rule=rule, target=target, max_batch=max_batch)
        counts.append(syncs.count)
    assert counts[0] == counts[1] > 0
