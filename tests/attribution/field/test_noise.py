"""SmoothGrad and NoiseGrad of any method: against Captum's NoiseTunnel, quantus' noisy networks and closed forms."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import Examples, TrainingMean, ZeroBaseline
from igbaselines.attribution.budget import Budget, TooSmallBudgetError
from igbaselines.attribution.controls import EdgeMap, RandomMap
from igbaselines.attribution.field.blur_ig import BlurIG
from igbaselines.attribution.field.noise import NoisyInputs, NoisyWeights, noisy_weights
from igbaselines.attribution.methods import AveragedGradients, Method, gives_up, why_not
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.models.inference import for_gradients
from igbaselines.tasks import Background, Task
from tests.small_tasks import players_of, task_of

Make = Callable[..., nn.Module]
IG = AveragedGradients(ZeroBaseline(), GaussLegendre(16))


def rows(n: int = 3, features: int = 6) -> Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def of(f: Callable[[Tensor], Tensor], x: Tensor) -> Task:
    """A task whose features have a range of 2."""
    centre = torch.zeros_like(x[0])
    return task_of(f, x, Background(x, centre, low=centre - 1, high=centre + 1))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noise_on_inputs_is_captum_s_noise_tunnel(make_mlp: Make) -> None:
    """It draws from torch's global generator, an input at a time of one sample each."""
    attr = pytest.importorskip("captum.attr")
    f, x, count, stdev = make_mlp(), rows(), 5, 0.25
    found = NoisyInputs(IG, count, stdev / 2).attribute(of(f, x), seeded())
    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        expected = attr.NoiseTunnel(attr.IntegratedGradients(f)).attribute(
            x, nt_samples=count, nt_samples_batch_size=1, stdevs=stdev, n_steps=16
        )
    torch.testing.assert_close(found.attributions, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.slow
def test_noise_on_weights_is_that_of_quantus(make_mlp: Make) -> None:
    """Its networks with noise on their weights, each explained by Integrated Gradients."""
    models = pytest.importorskip("quantus.helpers.model.pytorch_model")
    f, x, count, sigma = make_mlp(), rows(), 4, 0.2
    found = NoisyWeights(IG, count, sigma).attribute(of(f, x), seeded())
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        networks = [models.PyTorchModel(f).sample(1.0, sigma) for _ in range(count)]
    each = [IG.attribute(of(network, x), seeded()).attributions for network in networks]
    torch.testing.assert_close(found.attributions, torch.stack(each).mean(dim=0), rtol=1e-5, atol=1e-8)


def test_without_noise_both_are_the_method(make_mlp: Make) -> None:
    task = of(make_mlp(), rows())
    plain = IG.attribute(task, seeded())
    for kind in (NoisyInputs, NoisyWeights):
        found = kind(IG, 3, 0.0).attribute(task, seeded())
        torch.testing.assert_close(found.attributions, plain.attributions, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found.completeness_gap, plain.completeness_gap.expand(-1, 3), rtol=0, atol=1e-12)


def test_closed_forms() -> None:
    """(x + e)^2 gives every feature its (x_i + e_i)^2, and a linear network of weights w e gives it w_i e_i x_i."""
    x, sigma, count = torch.tensor([[1.0, -2.0, 0.0]], dtype=torch.float64), 0.25, 7
    draws = seeded()
    noise = sigma * torch.cat([torch.randn(1, 3, generator=draws) for _ in range(count)]).double()
    found = NoisyInputs(IG, count, sigma / 2).attribute(of(lambda z: z.square().sum(1), x), seeded())
    torch.testing.assert_close(found.attributions, (x + noise).square().mean(dim=0, keepdim=True), rtol=1e-12, atol=0)
    assert found.f_inputs.tolist() == [5.0]
    assert found.change.isnan().all()  # it is not complete, and says so
    torch.testing.assert_close(found.completeness_gap[0], (x + noise).square().sum(1) - 5, rtol=1e-12, atol=1e-12)
    network = nn.Linear(3, 1, bias=False).double()
    found = NoisyWeights(IG, count, sigma).attribute(of(nn.Sequential(network, nn.Flatten(0)), x), seeded())
    expected = x * network.weight.detach() * (1 + noise).mean(dim=0)
    torch.testing.assert_close(found.attributions, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_has_its_weights_back(fails: bool, make_mlp: Make) -> None:
    network = make_mlp().train()
    first = network.get_parameter("0.weight").requires_grad_(False)
    before = {name: (value, value.clone()) for name, value in network.state_dict(keep_vars=True).items()}
    wanted = {name: value.requires_grad for name, (value, _) in before.items()}
    try:
        with noisy_weights(lambda z: network(z), 0.2, seeded()):
            assert not torch.equal(first, before["0.weight"][1])
            if fails:
                raise InterruptedError
    except InterruptedError:
        assert fails
    after = network.state_dict(keep_vars=True)
    assert all(after[name] is value and torch.equal(value, kept) for name, (value, kept) in before.items())
    assert {name: value.requires_grad for name, value in after.items()} == wanted
    assert network.training


def test_a_copy_made_for_gradients_follows_its_noise() -> None:
    """Its BatchNorms are folded into weights that are kept beside."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)]
    network, pictures = nn.Sequential(*layers).eval(), torch.rand(2, 3, 6, 6)
    method = NoisyWeights(IG, 3, 0.2)
    found, plain = (method.attribute(of(f, pictures), seeded()) for f in (for_gradients(network), network))
    torch.testing.assert_close(found.attributions, plain.attributions, rtol=1e-4, atol=1e-6)
    clean = IG.attribute(of(network, pictures), seeded()).attributions
    assert (found.attributions - clean).abs().max() > 0.01 * clean.abs().max()


def test_every_draw_has_baselines_of_its_own_and_all_that_is_spent_counts(make_mlp: Make) -> None:
    method = NoisyInputs(AveragedGradients(Examples(2), GaussLegendre(4)), 3)
    task = of(make_mlp(), rows(8))
    found = method.attribute(task, seeded())
    assert found.gradient_points.tolist() == [3 * 2 * 4] * 8
    assert found.weights is not None
    torch.testing.assert_close(found.weights, torch.full((8, 6), 1 / 6, dtype=torch.float64))
    assert len(found.f_baselines[0].unique()) > 2
    torch.testing.assert_close(players_of(found), found.attributions)
    both = NoisyWeights(method, 2).attribute(task, seeded())  # NoiseGrad++
    assert both.gradient_points.tolist() == [2 * 3 * 2 * 4] * 8
    of_coalitions = NoisyInputs(ShapleyIG(TrainingMean(), 4, rule=GaussLegendre(2)), 2)
    assert of_coalitions.few_players
    assert of_coalitions.attribute(task, seeded()).weights is None


def test_a_budget_is_shared_by_the_draws(make_mlp: Make) -> None:
    task = of(make_mlp(), rows())
    assert NoisyInputs(IG, 4).within(task, Budget(80)) == NoisyInputs(
        AveragedGradients(ZeroBaseline(), GaussLegendre(10)), 4
    )
    with pytest.raises(TooSmallBudgetError, match="it takes 8 evaluations at least"):
        NoisyWeights(IG, 4).within(task, Budget(7))


def test_what_does_not_fit_is_said() -> None:
    task = of(lambda z: z.square().sum(1), rows())
    with pytest.raises(ValueError, match="networks with parameters, and none was found"):
        NoisyWeights(IG).attribute(task, seeded())
    inner: list[tuple[Method, str | None]] = [
        (BlurIG(), "its path ScaleSpace is of pictures"),
        (EdgeMap(), "edges are of pictures"),
        (RandomMap(), None),
    ]
    for method, said in inner:
        assert why_not(NoisyInputs(method), task) == said
    assert gives_up(NoisyInputs(IG)) == "f(x + noise) - f(x') on average"
    for options, said in (((0, 0.1), "count of draws must be at least 1, got 0"), ((2, -1.0), "0 or more, got -1.0")):
        with pytest.raises(ValueError, match=said):
            NoisyInputs(IG, *options)
