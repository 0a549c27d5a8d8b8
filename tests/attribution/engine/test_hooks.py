"""Paths, walks, integrands and rules that follow f: as the plain engine where they say the same, in whatever chunks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import Adaptive, LeftRiemann, Midpoint, RightRiemann, path_attribution
from igbaselines.attribution.engine.hooks import GradientTimesMove, Straight
from igbaselines.attribution.engine.quadrature import Nodes
from igbaselines.attribution.field.guided_ig import Guided
from igbaselines.attribution.field.idg import DecisionGradient, WhereOutputChanges
from igbaselines.attribution.field.idgi import ImportantDirection
from igbaselines.attribution.field.left_ig import Unsaturated
from igbaselines.models.stem import Stemmed

HOOKS: dict[str, dict[str, Any]] = {
    "idgi": {"rule": LeftRiemann(7), "integrand": ImportantDirection()},
    "left_ig": {"rule": Unsaturated(7, n_probes=5)},
    "idg": {"rule": WhereOutputChanges(7, n_probes=5), "integrand": DecisionGradient()},
    "guided_ig": {"rule": LeftRiemann(7), "path": Guided(0.3, 0.2)},
}


class TwoLayers(Stemmed):
    """A network that declares a stem, and counts the points that come at once."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Linear(6, 8).double(), nn.Linear(8, outputs).double()
        self.most = 0

    def affine_stem(self, x: Tensor) -> Tensor:
        found: Tensor = self.first(x)
        return found

    def after_stem(self, z: Tensor) -> Tensor:
        self.most = max(self.most, len(z))
        found: Tensor = self.second(torch.tanh(z))
        return found.squeeze(1)


@dataclass(frozen=True)
class AsMidpoint:
    """Midpoints, said of each pair for itself."""

    gives_up = None
    n_steps: int = 5

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        return LeftRiemann(self.n_steps).nodes_and_weights()

    def probes(self) -> Tensor:
        return torch.tensor([0.5], dtype=torch.float64)

    def follow(self, values: Tensor, ends: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        nodes, weights = Midpoint(self.n_steps).nodes_and_weights()
        return nodes.expand(*values.shape[:-1], -1), weights.expand(*values.shape[:-1], -1)


@pytest.fixture
def given(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs, and baselines of each."""
    x, starts = (torch.randn(*shape, 6, generator=generator, dtype=torch.float64) for shape in ((3,), (3, 2)))
    return x, starts


@pytest.mark.parametrize(
    "hooks",
    [
        {"path": Straight()},
        {"integrand": GradientTimesMove()},
        {"path": Straight(), "integrand": GradientTimesMove()},
        {"rule": AsMidpoint()},
        {"rule": AsMidpoint(), "path": Straight()},
        {"rule": LeftRiemann(5), "path": Guided(1.0, 0.0)},
    ],
    ids=lambda hooks: "-".join(hooks),
)
@pytest.mark.parametrize("target", [None, [2, 0, 1]], ids=["one output", "classes"])
def test_what_says_the_same_gives_the_same(
    hooks: dict[str, Any], target: list[int] | None, given: tuple[Tensor, Tensor]
) -> None:
    f, rule = TwoLayers(3 if target else 1), hooks.get("rule", Midpoint(5))
    plain_rule = Midpoint(5) if isinstance(rule, AsMidpoint) else rule
    plain = path_attribution(f, *given, rule=plain_rule, target=target, keep_per_baseline=True)
    found = path_attribution(f, *given, **({"rule": rule} | hooks), target=target, keep_per_baseline=True)
    for name in ("attributions", "per_baseline", "completeness_gap", "f_inputs", "f_baselines"):
        torch.testing.assert_close(getattr(found, name), getattr(plain, name), rtol=1e-12, atol=1e-13)
    assert found.gives_up is None
    assert found.forwards is None or found.forwards.tolist() == [2, 2, 2]  # the probe of each pair


@pytest.mark.parametrize("name", HOOKS)
def test_chunks_are_invisible_and_no_larger_than_asked_for(name: str, given: tuple[Tensor, Tensor]) -> None:
    f = TwoLayers()
    whole = path_attribution(f, *given, **HOOKS[name])
    assert whole.gradients is not None
    assert whole.gradients.tolist() == [[7, 7]] * 3
    for most in (1, 3, 8, 20):
        f.most = 0
        found = path_attribution(f, *given, **HOOKS[name], max_batch=most)
        torch.testing.assert_close(found.attributions, whole.attributions, rtol=1e-11, atol=1e-13)
        assert f.most <= max(most, 8)  # as many once, to look for random numbers


@pytest.mark.parametrize("name", HOOKS)
def test_the_network_that_declares_a_stem_is_the_network(name: str, given: tuple[Tensor, Tensor]) -> None:
    f = TwoLayers()
    found, bare = (path_attribution(g, *given, **HOOKS[name]).attributions for g in (f, lambda x: f(x)))
    torch.testing.assert_close(found, bare, rtol=1e-11, atol=1e-13)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"path": 3}, "int has neither"),
        ({"integrand": 3}, "int has not"),
        ({"rule": Adaptive(), "integrand": ImportantDirection()}, "an Adaptive rule goes along straight paths"),
        ({"path": Guided(), "integrand": ImportantDirection()}, "Guided finds its own way"),
        ({"path": Guided(), "rule": Unsaturated()}, "Guided finds its own way"),
    ],
)
def test_what_does_not_go_together(hooks: dict[str, Any], said: str, make_mlp: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match=said):
        path_attribution(make_mlp(), torch.ones(1, 6, dtype=torch.float64), 0, **hooks)


def test_one_sided_sums_meet_in_the_middle() -> None:
    left, right = (rule(4).nodes_and_weights() for rule in (LeftRiemann, RightRiemann))
    assert left[0].tolist() == [0, 0.25, 0.5, 0.75]
    assert right[0].tolist() == [0.25, 0.5, 0.75, 1]
    assert left[1].tolist() == right[1].tolist() == [0.25] * 4
