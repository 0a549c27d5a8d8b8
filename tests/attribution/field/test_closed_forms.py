"""The methods of the field against closed forms and plain loops."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, LeftRiemann, Midpoint, path_attribution
from igbaselines.attribution.engine.hooks import GradientTimesMove
from igbaselines.attribution.field.blur_ig import ScaleSpace
from igbaselines.attribution.field.guided_ig import Guided
from igbaselines.attribution.field.idg import DecisionGradient, WhereOutputChanges
from igbaselines.attribution.field.idgi import ImportantDirection
from igbaselines.attribution.field.left_ig import Unsaturated
from igbaselines.attribution.image_baselines import gaussian_blur

Make = Callable[..., nn.Module]


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_idgi_is_its_algorithm(make_mlp: Make, generator: torch.Generator) -> None:
    """Yang et al. (2023), algorithm 1, one step at a time."""
    f, x, start, steps = make_mlp(), draw(generator, 2, 6), draw(generator, 1, 6), 5
    expected = torch.zeros_like(x)
    for i in range(2):
        for s in range(steps):
            here, there = (start[0] + place / steps * (x[i] - start[0]) for place in (s, s + 1))
            leaf = here.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(f(leaf[None])[0], leaf)
            df = (f(there[None]) - f(here[None])).item()
            expected[i] += df * gradient**2 / (gradient**2).sum()
    found = path_attribution(f, x, start, rule=LeftRiemann(steps), integrand=ImportantDirection())
    torch.testing.assert_close(found.attributions, expected, rtol=1e-12, atol=1e-14)
    assert found.completeness_gap.abs().max() < 1e-14  # with 5 steps


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_idgi_of_a_linear_function_at_any_scale(scale: float) -> None:
    w = scale * torch.tensor([1.0, -2.0, 0.0])
    x = torch.tensor([[3.0, 1.0, 5.0]])
    found = path_attribution(lambda z: z @ w, x, 0, rule=LeftRiemann(3), integrand=ImportantDirection())
    torch.testing.assert_close(found.attributions, scale * torch.tensor([[0.2, 0.8, 0.0]]), rtol=1e-5, atol=0)


def test_idgi_where_nothing_changes() -> None:
    found = path_attribution(
        lambda z: torch.relu(z).sum(1), -torch.ones(1, 2), -2.0, rule=LeftRiemann(3), integrand=ImportantDirection()
    )
    assert found.attributions.tolist() == [[0, 0]]


@pytest.mark.parametrize("share", [0.25, 0.9, 1.0])
def test_left_ig_ends_where_f_has_made_its_share(share: float) -> None:
    """f rises evenly to half the way and stays: the part ends at share / 2, between the places that were asked."""

    def f(z: Tensor) -> Tensor:
        return torch.clamp(z.sum(1), max=1.0) + 7

    x = torch.ones(1, 2, dtype=torch.float64)
    found = path_attribution(f, x, 0, rule=Unsaturated(4, share, n_probes=3))
    torch.testing.assert_close(found.attributions, x * share / 2, rtol=1e-12, atol=0)
    assert found.gives_up is not None
    assert found.change.isnan().all()
    assert found.forwards is not None
    assert found.forwards.tolist() == [3]


def test_left_ig_of_an_f_that_does_not_change_is_ig(generator: torch.Generator) -> None:
    x = draw(generator, 3, 6)
    level = path_attribution(lambda z: z.square().sum(1), x, -x[:, None], rule=Unsaturated(8))
    even = path_attribution(lambda z: z.square().sum(1), x, -x[:, None], rule=GaussLegendre(8))
    assert torch.equal(level.attributions, even.attributions)


def test_idg_of_a_polynomial() -> None:
    """f = z_0^2 + z_1 from zero: g = (2 a x_0, 1), df/da = 2 a x_0^2 + x_1."""
    x = torch.tensor([[1.5, 0.5]], dtype=torch.float64)
    a, b = x[0].tolist()
    expected = torch.tensor([[4 / 3 * a**4 + a**2 * b, a**2 * b + b**2]], dtype=torch.float64)

    def f(z: Tensor) -> Tensor:
        return z[:, 0] ** 2 + z[:, 1]

    exact = path_attribution(f, x, 0, rule=GaussLegendre(3), integrand=DecisionGradient())
    torch.testing.assert_close(exact.attributions, expected, rtol=1e-12, atol=0)
    placed = path_attribution(f, x, 0, rule=WhereOutputChanges(256), integrand=DecisionGradient())
    torch.testing.assert_close(placed.attributions, expected, rtol=1e-2, atol=0)
    assert placed.gives_up == "the integral of (df/da)^2 along the path"


def test_nodes_that_follow_f_are_a_quadrature_rule(make_mlp: Make, generator: torch.Generator) -> None:
    """With the plain gradient they give Integrated Gradients, and more nodes give a smaller error."""
    f, x, starts = make_mlp(), draw(generator, 3, 6), draw(generator, 2, 6)
    exact = path_attribution(f, x, starts, rule=GaussLegendre(40)).attributions
    errors = [
        (path_attribution(f, x, starts, rule=WhereOutputChanges(steps)).attributions - exact).abs().max().item()
        for steps in (16, 64, 256)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3
    flat = WhereOutputChanges(4, n_probes=3)
    nodes, weights = flat.follow(torch.zeros(1, 1, 3), (torch.zeros(1, 1), torch.zeros(1, 1)))
    torch.testing.assert_close(nodes[0, 0].double(), flat.nodes_and_weights()[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_guided_ig_moves_the_smallest_gradients_first() -> None:
    """Of a linear function all but the fraction wait; Guided IG still gives each feature its own part."""
    w = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    points: list[Tensor] = []

    def f(z: Tensor) -> Tensor:
        points.extend(z.detach().clone())
        return z @ w

    x = torch.ones(1, 3, dtype=torch.float64)
    found = path_attribution(f, x, 0, rule=LeftRiemann(3), path=Guided(0.1, 1.0), max_batch=1)
    torch.testing.assert_close(found.attributions, x * w)
    on_the_way = [tuple(round(value, 9) for value in point.tolist()) for point in points]
    assert [point for point in on_the_way if point.count(1) in (1, 2)] == [(0, 1, 0), (0, 1, 1)]


def test_guided_ig_stays_in_its_corridor(make_mlp: Make, generator: torch.Generator) -> None:
    f, x, places = make_mlp(), draw(generator, 1, 6), []

    def watched(z: Tensor) -> Tensor:
        places.append((z.detach() / x).squeeze(0))
        found: Tensor = f(z)
        return found

    path_attribution(watched, x, 0, rule=LeftRiemann(10), path=Guided(0.25, 0.1), max_batch=1)
    walked = [place for place in places if len(place) == 6][-10:]
    for step, place in enumerate(walked):
        assert (place - step / 10).abs().max() <= 0.1 + 1e-9
    assert max((place - place.mean()).abs().max() for place in walked) > 0.05  # it is not straight


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.6])
def test_the_way_of_blur_is_its_derivative(sigma: float, generator: torch.Generator) -> None:
    pictures, path = draw(generator, 2, 3, 9, 7), ScaleSpace(10.0, 2.0)
    node = torch.full((2, 1), 1 - (sigma / 10) ** 0.5, dtype=torch.float64)
    points, moves = path.points_and_moves(pictures, pictures, node)
    torch.testing.assert_close(points[:, 0], gaussian_blur(pictures, sigma))
    before, after = (path.points_and_moves(pictures, pictures, node + step)[0] for step in (-1e-5, 1e-5))
    torch.testing.assert_close(moves, (after - before) / 2e-5, rtol=1e-5, atol=1e-6)


def test_blur_ig_is_complete_and_a_power_helps(make_cnn: Make, generator: torch.Generator) -> None:
    torch.manual_seed(0)
    f = nn.Sequential(nn.Conv2d(2, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 1), nn.Flatten(0)).double()
    pictures, gaps = torch.rand(2, 2, 8, 8, generator=generator, dtype=torch.float64), []
    for power in (1.0, 3.0):
        path = ScaleSpace(20.0, power)
        found = path_attribution(f, pictures, path.start(pictures)[:, None], rule=Midpoint(48), path=path)
        gaps.append((found.completeness_gap[:, 0] / (found.f_inputs - found.f_baselines[:, 0])).abs().max().item())
    assert gaps[1] < 0.02
    assert gaps[1] < gaps[0] / 5


def test_any_path_takes_any_integrand(generator: torch.Generator) -> None:
    f, pictures, path = (lambda z: z.flatten(1).square().sum(1)), draw(generator, 1, 1, 4, 4), ScaleSpace(2.0)
    starts = path.start(pictures)[:, None]
    plain = path_attribution(f, pictures, starts, rule=Midpoint(6), path=path)
    same = path_attribution(f, pictures, starts, rule=Midpoint(6), path=path, integrand=GradientTimesMove())
    assert torch.equal(plain.attributions, same.attributions)
    idgi = path_attribution(f, pictures, starts, rule=LeftRiemann(6), path=path, integrand=ImportantDirection())
    torch.testing.assert_close(idgi.completeness_gap, torch.zeros(1, 1, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Guided(0.0), "fraction is a share of the features"),
        (lambda: Guided(max_dist=2.0), "max_dist is a share of the way"),
        (lambda: Unsaturated(share=0.0), "share is a share of the change"),
        (lambda: Unsaturated(n_probes=0), "n_probes counts places"),
        (lambda: WhereOutputChanges(n_probes=0), "n_probes counts places"),
        (lambda: ScaleSpace(0.0), "max_sigma of a ScaleSpace is positive"),
        (lambda: ScaleSpace(power=-1.0), "power of a ScaleSpace is positive"),
    ],
)
def test_what_no_method_can_be(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()
