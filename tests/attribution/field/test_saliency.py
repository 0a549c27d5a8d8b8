"""Guided IG and Blur IG against the code of their authors, PAIR's saliency 0.2.1 (Apache 2.0), in float64.

docs/methods.md shows the agreement; `pytest tests/attribution/field/test_saliency.py` measures it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import LeftRiemann, RightRiemann, path_attribution
from igbaselines.attribution.field.blur_ig import ScaleSpace
from igbaselines.attribution.field.guided_ig import Guided

saliency = pytest.importorskip("saliency.core")
Make = Callable[..., nn.Module]


def called(f: Callable[[Tensor], Tensor]) -> Callable[..., dict[str, Any]]:
    """The function as saliency calls it: points to gradients, both numpy."""

    def call(points: Any, call_model_args: object = None, expected_keys: object = None) -> dict[str, Any]:
        leaf = torch.from_numpy(np.asarray(points)).requires_grad_()
        (gradient,) = torch.autograd.grad(f(leaf).sum(), leaf)
        return {saliency.base.INPUT_OUTPUT_GRADIENTS: gradient.numpy()}

    return call


def relative(found: Tensor, expected: Any) -> float:
    return float(np.abs(found.numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("fraction", "max_dist"), [(0.25, 0.02), (0.1, 1.0), (0.5, 0.3), (0.25, 0.0)])
def test_guided_ig(
    fraction: float, max_dist: float, make_mlp: Make, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pairs at once as theirs one by one."""
    quantile = np.quantile  # whose argument `interpolation`, which saliency still says, numpy 2.4 calls `method`
    monkeypatch.setattr(np, "quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation))
    f, steps = make_mlp(features=20), 25
    x, starts = (torch.randn(n, 20, generator=generator, dtype=torch.float64) for n in (3, 2))
    starts[0, :4] = x[0, :4]  # some that have no way to go
    found = path_attribution(
        f, x, starts, rule=LeftRiemann(steps), path=Guided(fraction, max_dist), keep_per_baseline=True
    )
    guided = saliency.GuidedIG()
    expected = [
        [
            guided.GetMask(
                one.numpy(), called(f), x_baseline=start.numpy(), x_steps=steps, fraction=fraction, max_dist=max_dist
            )
            for start in starts
        ]
        for one in x
    ]
    assert found.per_baseline is not None
    assert relative(found.per_baseline, np.array(expected)) < 1e-10


@pytest.mark.parametrize("sqrt", [False, True])
def test_blur_ig(sqrt: bool, generator: torch.Generator) -> None:
    """Their path is a choice of ours: even in sigma or its square root's, black behind the edges, a difference."""
    torch.manual_seed(0)
    f = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)).double()
    pictures = torch.rand(2, 3, 12, 9, generator=generator, dtype=torch.float64)
    f(pictures)
    path = ScaleSpace(9.0**0.5 if sqrt else 9.0, 0.5 if sqrt else 1.0, mirrored=False, difference=0.01)
    rule = RightRiemann(20)
    found = path_attribution(f, pictures, path.start(pictures)[:, None], rule=rule, path=path).attributions
    last_channels = called(lambda points: f(points.movedim(-1, 1)))
    expected = [
        saliency.BlurIG().GetMask(picture.movedim(0, -1).numpy(), last_channels, max_sigma=9, steps=20, sqrt=sqrt)
        for picture in pictures
    ]
    if sqrt:  # theirs counts a step by its length in sigma, ours by the derivative of sigma at its node
        assert relative(found.movedim(1, -1), np.array(expected)) > 1e-3
        return
    assert relative(found.movedim(1, -1), np.array(expected)) < 1e-10
