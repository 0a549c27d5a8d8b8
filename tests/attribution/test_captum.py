"""The engine against Captum's Integrated Gradients with the same nodes."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, Midpoint, path_attribution

# Captum keeps its step sizes in float32, also where inputs are float64.
TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-4}
CAPTUM_METHOD: dict[type, str] = {GaussLegendre: "gausslegendre", Midpoint: "riemann_middle"}


def captum_average(
    f: nn.Module, inputs: Tensor, baselines: Tensor, steps: int, method: str, target: Tensor | None
) -> Tensor:
    explainer = IntegratedGradients(f)
    each = [
        explainer.attribute(inputs, start.expand_as(inputs), target, n_steps=steps, method=method)
        for start in baselines
    ]
    return torch.stack(each).mean(0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rule", CAPTUM_METHOD)
def test_agrees_on_vectors(
    dtype: torch.dtype, rule: type, make_mlp: Callable[..., nn.Module], generator: torch.Generator
) -> None:
    f = make_mlp().to(dtype)
    x, starts = (torch.randn(n, 6, generator=generator, dtype=dtype) for n in (7, 4))
    expected = captum_average(f, x, starts, 20, CAPTUM_METHOD[rule], None)
    phi = path_attribution(f, x, starts, rule=rule(20)).attributions
    torch.testing.assert_close(phi, expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_agrees_on_classes_of_images(
    dtype: torch.dtype, make_cnn: Callable[..., nn.Module], generator: torch.Generator
) -> None:
    f = make_cnn(classes=5).to(dtype)
    x, starts = (torch.randn(n, 2, 8, 8, generator=generator, dtype=dtype) for n in (4, 2))
    target = torch.tensor([4, 0, 2, 2])
    expected = captum_average(f, x, starts, 12, "gausslegendre", target)
    phi = path_attribution(f, x, starts, rule=GaussLegendre(12), target=target).attributions
    torch.testing.assert_close(phi, expected, rtol=0, atol=TOLERANCE[dtype])
