"""Exact Shapley values against shapiq and the axioms that define them (Shapley 1953)."""

from collections.abc import Callable

import numpy as np
import pytest
import shapiq
import torch
from torch import Tensor, nn

from igbaselines.attribution.shapley import exact as shapley_exact
from igbaselines.attribution.shapley.estimators import exact_shapley_values
from igbaselines.attribution.shapley.exact import Game
from igbaselines.tasks.players import EachFeature, Patches, Players
from tests.attribution.engine.test_chunking import LiveBytes

Make = Callable[..., nn.Module]
Function = Callable[[Tensor], Tensor]


def draw(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def by_shapiq(f: Function, x: Tensor, absent: Tensor, weights: Tensor, player_of: Tensor) -> Tensor:
    """Shapley values of one input (*features) for absent values (r, *features)."""

    def worth(coalitions: "np.ndarray") -> "np.ndarray":
        values = []
        for members in coalitions:
            present = torch.from_numpy(np.asarray(members, dtype=bool))[player_of]
            points = torch.stack([torch.where(present, x, other) for other in absent])
            values.append(float(weights @ f(points).detach()))
        return np.array(values)

    values = shapiq.ExactComputer(worth, int(player_of.max()) + 1)("SV").get_n_order_values(1)
    return torch.from_numpy(np.asarray(values, dtype=float))


@pytest.mark.parametrize("players", [1, 4, 8])
@pytest.mark.parametrize("kind", ["zero", "mean", "examples"])
def test_agrees_with_shapiq(players: int, kind: str, make_mlp: Make, generator: torch.Generator) -> None:
    network, x = make_mlp(features=players), draw(generator, 3, players)
    examples = draw(generator, 5, players)
    absent = {"zero": torch.zeros_like(examples[:1]), "mean": examples.mean(0, keepdim=True), "examples": examples}[
        kind
    ]
    weights = torch.arange(1.0, len(absent) + 1, dtype=torch.float64) / torch.arange(1.0, len(absent) + 1).sum()
    result = exact_shapley_values(network, x, absent, weights)
    player_of = torch.arange(players)
    expected = torch.stack([by_shapiq(network, one, absent, weights, player_of) for one in x])
    torch.testing.assert_close(result.values, expected, rtol=0, atol=1e-12)


def test_agrees_with_shapiq_on_patches_of_a_class(make_cnn: Make, generator: torch.Generator) -> None:
    network, x, target = make_cnn(classes=3), draw(generator, 2, 2, 8, 8), torch.tensor([2, 0])
    absent = draw(generator, 2, 2, 2, 8, 8)  # two values for each input
    players = Patches(3, 4)
    result = exact_shapley_values(network, x, absent, players=players, target=target)
    assert result.values.shape == (2, 6)
    half = torch.full((2,), 0.5, dtype=torch.float64)
    for i in range(2):

        def score(points: Tensor, own: int = int(target[i])) -> Tensor:
            scores: Tensor = network(points)[:, own]
            return scores

        expected = by_shapiq(score, x[i], absent[i], half, players.of((2, 8, 8)))
        torch.testing.assert_close(result.values[i], expected, rtol=0, atol=1e-12)


def test_efficiency(make_mlp: Make, generator: torch.Generator) -> None:
    network, x, absent = make_mlp(), draw(generator, 4, 6), draw(generator, 3, 6)
    result = exact_shapley_values(network, x, absent)
    torch.testing.assert_close(result.f_inputs, network(x).detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(result.f_absent, network(absent).mean().expand(4).detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(result.values.sum(1), result.f_inputs - result.f_absent, rtol=0, atol=1e-14)


def test_linearity(make_mlp: Make, generator: torch.Generator) -> None:
    x, absent, f, g = draw(generator, 4, 6), draw(generator, 2, 6), make_mlp(1), make_mlp(2)
    one, other, both = (exact_shapley_values(h, x, absent).values for h in (f, g, lambda p: 2 * f(p) - 3 * g(p)))
    torch.testing.assert_close(both, 2 * one - 3 * other, rtol=0, atol=1e-13)


def test_dummy(make_mlp: Make, generator: torch.Generator) -> None:
    network, used = make_mlp(features=4), [0, 2, 3, 5]
    values = exact_shapley_values(lambda p: network(p[:, used]), draw(generator, 4, 6), draw(generator, 2, 6)).values
    assert values[:, [1, 4]].abs().max() < 1e-15
    assert torch.all(values[:, used].abs() > 1e-6)


def test_symmetry(make_mlp: Make, generator: torch.Generator) -> None:
    network, swapped = make_mlp(), [1, 0, 2, 3, 4, 5]
    x, absent = draw(generator, 4, 6), draw(generator, 2, 6)
    x[:, 1], absent[:, 1] = x[:, 0], absent[:, 0]
    values = exact_shapley_values(lambda p: network(p) + network(p[:, swapped]), x, absent).values
    torch.testing.assert_close(values[:, 0], values[:, 1], rtol=0, atol=1e-14)
    assert torch.all((values[:, 0] - values[:, 2]).abs() > 1e-6)


def test_closed_form_of_a_product(generator: torch.Generator) -> None:
    """Where all are needed, all share alike, however much each brings."""
    x = draw(generator, 5, 3)
    values = exact_shapley_values(lambda p: p.prod(1), x, torch.zeros(1, 3, dtype=torch.float64)).values
    torch.testing.assert_close(values, (x.prod(1, keepdim=True) / 3).expand(5, 3), rtol=0, atol=1e-14)


def test_a_player_of_several_features_moves_them_together(generator: torch.Generator) -> None:
    class Halves(EachFeature):
        def of(self, features: torch.Size | tuple[int, ...]) -> Tensor:
            return torch.tensor([0, 0, 0, 1, 1, 1])

    halves: Players = Halves()
    x, absent = draw(generator, 3, 6), torch.zeros(1, 6, dtype=torch.float64)
    values = exact_shapley_values(lambda p: p[:, :3].prod(1) * (1 + p[:, 3:].sum(1)), x, absent, players=halves).values
    one, other = x[:, :3].prod(1), x[:, 3:].sum(1)
    torch.testing.assert_close(values, torch.stack([one + one * other / 2, one * other / 2], 1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("max_batch", [1, 7, 64, 100_000])
def test_chunks_and_blocks_change_nothing(
    max_batch: int, make_mlp: Make, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, x, absent = make_mlp(), draw(generator, 5, 6), draw(generator, 5, 2, 6)
    expected = exact_shapley_values(network, x, absent)
    monkeypatch.setattr(shapley_exact, "VALUES_AT_ONCE", 130)  # two inputs
    sizes = []

    def counted(points: Tensor) -> Tensor:
        sizes.append(len(points))
        values: Tensor = network(points)
        return values

    result = exact_shapley_values(counted, x, absent, max_batch=max_batch)
    torch.testing.assert_close(result.values, expected.values, rtol=0, atol=1e-14)
    assert max(sizes) <= max_batch
    assert sum(sizes) == 5 * 2 * 2**6


def test_out_of_memory_halves_the_chunk(make_mlp: Make, generator: torch.Generator) -> None:
    network, x, absent = make_mlp(), draw(generator, 2, 6), draw(generator, 1, 6)
    sizes = []

    def small(points: Tensor) -> Tensor:
        if len(points) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(points))
        values: Tensor = network(points)
        return values

    result = exact_shapley_values(small, x, absent, max_batch=64)
    expected = exact_shapley_values(network, x, absent)
    torch.testing.assert_close(result.values, expected.values, rtol=0, atol=1e-14)
    assert max(sizes) == 8

    def never(points: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(MemoryError, match="a single point does not fit"):
        exact_shapley_values(never, x, absent, max_batch=4)


def test_every_device_and_float32(make_mlp: Make, generator: torch.Generator, device: torch.device) -> None:
    network, x, absent = make_mlp(classes=2), draw(generator, 4, 6), draw(generator, 3, 6)
    target = torch.tensor([1, 0, 0, 1])
    expected = exact_shapley_values(network, x, absent, target=target).values
    single = make_mlp(classes=2).to(device, torch.float32)
    inputs, others = x.to(device, torch.float32), absent.to(device, torch.float32)
    result = exact_shapley_values(single, inputs, others, target=target.to(device))
    assert result.values.dtype == torch.float64
    assert result.values.device.type == device.type
    torch.testing.assert_close(result.values.cpu(), expected, rtol=0, atol=1e-6)


def test_leaves_the_network_as_it_was(make_cnn: Make, generator: torch.Generator) -> None:
    network = make_cnn().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = draw(generator, 2, 2, 8, 8).requires_grad_()
    first, second = (exact_shapley_values(network, x, torch.zeros_like(x[:1]), players=Patches(4, 4)) for _ in "ab")
    assert torch.equal(first.values, second.values)  # no dropout
    assert not first.values.requires_grad
    assert all(module.training for module in network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_refuses_what_does_not_fit(make_mlp: Make, generator: torch.Generator, unchecked_shapes: None) -> None:
    network, x, absent = make_mlp(), draw(generator, 3, 6), draw(generator, 2, 6)
    with pytest.raises(ValueError, match=r"17 players have 2\^17 coalitions"):
        exact_shapley_values(lambda p: p.sum(1), draw(generator, 1, 17), draw(generator, 1, 17))
    with pytest.raises(ValueError, match=r"absent values \(2, 5\) do not fit inputs \(3, 6\)"):
        exact_shapley_values(network, x, absent[:, :5])
    with pytest.raises(ValueError, match=r"weights \(3,\) do not fit 2 absent values"):
        exact_shapley_values(network, x, absent, torch.ones(3) / 3)
    with pytest.raises(ValueError, match=r"must sum to one, got 2\.0"):
        exact_shapley_values(network, x, absent, torch.ones(2))
    with pytest.raises(ValueError, match="must sum to one, got nan"):
        exact_shapley_values(network, x, absent, torch.tensor([1.0, torch.nan]))
    with pytest.raises(ValueError, match=r"weights must be real numbers, got torch\.complex64"):
        exact_shapley_values(network, x, absent, torch.tensor([0.5 + 1j, 0.5 - 1j]))
    with pytest.raises(ValueError, match="weights must be a tensor, got a list of 2"):
        exact_shapley_values(network, x, absent, [0.5, 0.5])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"one value a point, shape \(9,\), but returned \(9, 4\); pass target="):
        exact_shapley_values(make_mlp(classes=4), x, absent, max_batch=9)
    with pytest.raises(ValueError, match=r"target 4 .* returned \(9, 4\)"):
        exact_shapley_values(make_mlp(classes=4), x, absent, target=torch.tensor([0, 4, 1]), max_batch=9)


def test_names_where_f_is_not_finite(generator: torch.Generator) -> None:
    x = draw(generator, 3, 4).abs()
    x[1, 2] = 0

    def undefined_at_zero(points: Tensor) -> Tensor:
        return points.sum(1) + points[:, 2].log()

    with pytest.raises(ValueError, match=r"f is not finite at input 1 where 1 of its 4 players keep .*\(8 points"):
        exact_shapley_values(undefined_at_zero, x, torch.ones(1, 4, dtype=torch.float64) * x[0, 0])


def test_a_game_knows_its_ends(make_mlp: Make, generator: torch.Generator) -> None:
    network, x, absent = make_mlp(), draw(generator, 3, 6), draw(generator, 3, 2, 6)
    f_inputs, f_absent = Game(network, x, absent, None, EachFeature(), None, 4).at_ends()
    torch.testing.assert_close(f_inputs, network(x).detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(f_absent, network(absent.flatten(0, 1)).view(3, 2).detach(), rtol=0, atol=1e-14)


def peak_bytes(inputs: int, absent: int, make_mlp: Make) -> int:
    network, generator = make_mlp(features=7), torch.Generator().manual_seed(0)
    x, others = draw(generator, inputs, 7), draw(generator, absent, 7)
    with LiveBytes() as live:
        exact_shapley_values(network, x, others, max_batch=64)
    peak: int = live.peak
    return peak


@pytest.mark.slow
def test_memory_does_not_grow_with_inputs_or_absent_values(make_mlp: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapley_exact, "VALUES_AT_ONCE", 2**7)  # the values of one input
    small = peak_bytes(2, 1, make_mlp)
    for inputs, absent in ((40, 1), (2, 20), (40, 20)):
        results = 8 * inputs * (7 + 7 * absent + 9)  # what comes in and goes out for each input
        assert peak_bytes(inputs, absent, make_mlp) < 1.1 * small + results
    assert small < 8 * 2**7 * 120  # a few vectors of the 2^7 coalitions, their 7 members and a chunk of points
