"""The axioms of Integrated Gradients (Sundararajan et al. 2017, section 2), and closed forms."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, Midpoint, path_attribution
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN

Function = Callable[[Tensor], Tensor]
RULE = GaussLegendre(24)


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_closed_form_of_a_polynomial(generator: torch.Generator) -> None:
    x, start = draw(generator, 5, 2), torch.zeros(1, 2, dtype=torch.float64)
    phi = path_attribution(lambda p: p[:, 0] ** 2 * p[:, 1], x, start, rule=GaussLegendre(2)).attributions
    product = x[:, 0] ** 2 * x[:, 1]
    torch.testing.assert_close(phi, torch.stack([2 / 3 * product, product / 3], 1), rtol=0, atol=1e-14)


def test_closed_form_of_a_sum_of_powers(generator: torch.Generator) -> None:
    x, starts, powers = draw(generator, 4, 3), draw(generator, 2, 3), torch.tensor([1, 3, 4])
    phi = path_attribution(lambda p: (p**powers).sum(1), x, starts, rule=GaussLegendre(2)).attributions
    torch.testing.assert_close(phi, x**powers - (starts**powers).mean(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("features", [(), (1,), (2, 1, 3)])
def test_any_number_of_feature_dimensions(features: tuple[int, ...], generator: torch.Generator) -> None:
    x, starts = draw(generator, 3, *features), draw(generator, 2, *features)
    result = path_attribution(lambda p: p.flatten(1).sum(1) if p.dim() > 1 else p, x, starts)
    torch.testing.assert_close(result.attributions, x - starts.mean(0), rtol=0, atol=1e-14)


def test_completeness(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    x, starts = draw(generator, 6, 6), draw(generator, 3, 6)
    result = path_attribution(make_mlp(), x, starts, rule=RULE, keep_per_baseline=True)
    assert result.per_baseline is not None
    differences = result.f_inputs[:, None] - result.f_baselines
    torch.testing.assert_close(result.per_baseline.sum(2), differences, rtol=0, atol=1e-10)
    torch.testing.assert_close(result.attributions.sum(1), differences.mean(1), rtol=0, atol=1e-10)
    assert result.completeness_gap.abs().max() < 1e-10


def test_the_gap_is_what_is_missing(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    x, starts = draw(generator, 3, 6), draw(generator, 2, 6)
    result = path_attribution(make_mlp(), x, starts, rule=Midpoint(1), keep_per_baseline=True)
    assert result.per_baseline is not None
    gap = result.per_baseline.sum(2) - (result.f_inputs[:, None] - result.f_baselines)
    assert gap.abs().max() > 1e-3
    torch.testing.assert_close(result.completeness_gap, gap, rtol=0, atol=1e-14)


def test_the_gap_does_not_depend_on_the_weights(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    x, starts, weights = draw(generator, 3, 6), draw(generator, 2, 6), draw(generator, 3, 2, 6)
    plain, weighted = (path_attribution(make_mlp(), x, starts, w, Midpoint(3)) for w in (None, weights))
    assert torch.equal(plain.completeness_gap, weighted.completeness_gap)


def test_linearity(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    x, starts = draw(generator, 4, 6), draw(generator, 3, 6)
    f, g = make_mlp(1), make_mlp(2)
    phi_f, phi_g, phi_both = (
        path_attribution(h, x, starts, rule=Midpoint(4)).attributions for h in (f, g, lambda p: 2 * f(p) - 3 * g(p))
    )
    torch.testing.assert_close(phi_both, 2 * phi_f - 3 * phi_g, rtol=0, atol=1e-12)


def test_dummy(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    network, used = make_mlp(features=4), [0, 2, 3, 5]
    phi = path_attribution(lambda p: network(p[:, used]), draw(generator, 4, 6), draw(generator, 3, 6)).attributions
    assert torch.all(phi[:, [1, 4]] == 0)
    assert torch.all(phi[:, used] != 0)


def test_a_feature_equal_to_its_baseline_gets_nothing(
    make_mlp: Callable[..., nn.Module], generator: torch.Generator
) -> None:
    x, start = draw(generator, 1, 6), draw(generator, 1, 6)
    start[0, 2] = x[0, 2]
    phi = path_attribution(make_mlp(), x, start).attributions
    assert phi[0, 2] == 0
    assert torch.all(phi[0, [0, 1, 3, 4, 5]] != 0)


def test_symmetry(make_mlp: Callable[..., nn.Module], generator: torch.Generator) -> None:
    network = make_mlp()
    swapped = [1, 0, 2, 3, 4, 5]
    x, starts = draw(generator, 4, 6), draw(generator, 3, 6)
    x[:, 1], starts[:, 1] = x[:, 0], starts[:, 0]
    phi = path_attribution(lambda p: network(p) + network(p[:, swapped]), x, starts).attributions
    torch.testing.assert_close(phi[:, 0], phi[:, 1], rtol=0, atol=1e-13)
    assert torch.all((phi[:, 0] - phi[:, 2]).abs() > 1e-6)


def test_implementation_invariance(generator: torch.Generator) -> None:
    x, starts = draw(generator, 4, 5), draw(generator, 3, 5)
    coefficients = draw(generator, 5)

    def logistic(p: Tensor) -> Tensor:
        return 1 / (1 + torch.exp(-(p @ coefficients)))

    def the_same_by_other_means(p: Tensor) -> Tensor:
        return (torch.tanh((p * coefficients).sum(1) / 2) + 1) / 2

    one, other = (path_attribution(f, x, starts).attributions for f in (logistic, the_same_by_other_means))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_complete_on_the_network_of_the_paper_with_few_nodes(generator: torch.Generator) -> None:
    """2412.13864's network, trained a little: 16 Gauss-Legendre nodes leave less than a thousandth."""
    torch.manual_seed(0)
    features, separable = 87, torch.randn(87, generator=generator)
    x = torch.randn(2048, features, generator=generator)
    label = (x @ separable > 0).float()
    network = DNN(Standardise(torch.zeros(features), torch.ones(features)), [128, 128], 0.2)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    for batch in torch.arange(2048).split(128) * 3:
        loss = nn.functional.binary_cross_entropy_with_logits(network(x[batch]), label[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    assert ((network(x) > 0) == (label > 0)).float().mean() > 0.9
    signal, background = x[label == 1][:40], x[label == 0][:20]
    result = path_attribution(network, signal, background, rule=GaussLegendre(16))
    difference = (result.f_inputs[:, None] - result.f_baselines).abs()
    assert torch.all(result.completeness_gap.abs() < 1e-3 * difference)
