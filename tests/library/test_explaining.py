"""Networks of all kinds explained in one line, against Captum; what does not fit is said in one line."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from captum.attr import IntegratedGradients
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from quantus.metrics.complexity.sparseness import Sparseness as QuantusSparseness
from torch import Tensor, nn

import igbaselines
from igbaselines import evaluate, explain, quantus_explain
from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.attribution.shapley.estimators import ShapleySampling
from igbaselines.library import METHODS, METRICS
from igbaselines.metrics import DeletionAUC, PointingGame
from igbaselines.tasks import Background, Patches, Task
from tests.commands import ROOT

EIGHT = AveragedGradients("zero", GaussLegendre(8))


class LSTMOfEmbeddings(nn.Module):
    """Classes of sequences of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])  # type: ignore[no-any-return]


class OfTwo(nn.Module):
    """A picture and a row together."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.row = nn.Conv2d(1, 3, 4), nn.Linear(5, 3)

    def forward(self, picture: Tensor, row: Tensor) -> Tensor:
        return self.picture(picture).flatten(2).mean(2).sigmoid() * self.row(row)  # type: ignore[no-any-return]


def table() -> tuple[nn.Module, Any, dict[str, Any]]:
    return nn.Sequential(nn.Linear(6, 16), nn.SiLU(), nn.Linear(16, 3)), torch.randn(5, 6), {"target": 1}


def resnet() -> tuple[nn.Module, Any, dict[str, Any]]:
    return torchvision.models.resnet18(num_classes=7), torch.rand(2, 3, 32, 32), {"target": [3, 6]}


def transformer() -> tuple[nn.Module, Any, dict[str, Any]]:
    vit = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=5, depth=2)
    return vit, torch.rand(2, 3, 32, 32), {"target": 4}


def sequences() -> tuple[nn.Module, Any, dict[str, Any]]:
    return LSTMOfEmbeddings(), torch.randn(4, 7, 6), {"target": 2}


def two_inputs() -> tuple[nn.Module, Any, dict[str, Any]]:
    return OfTwo(), (torch.rand(3, 1, 8, 8), torch.randn(3, 5)), {"target": 0}


def segmentation() -> tuple[nn.Module, Any, dict[str, Any]]:
    network = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None, num_classes=4)
    return network, torch.rand(2, 3, 32, 32), {"output": lambda found: found["out"][:, 2].mean((1, 2))}


@pytest.mark.parametrize("make", [table, resnet, transformer, sequences, two_inputs, segmentation])
def test_agrees_with_captum(make: Callable[[], tuple[nn.Module, Any, dict[str, Any]]]) -> None:
    torch.manual_seed(0)
    network, inputs, options = make()
    network.double().eval()
    many = tuple(x.double() for x in inputs) if isinstance(inputs, tuple) else (inputs.double(),)
    picked = (lambda *x: options["output"](network(*x))) if "output" in options else network
    expected = IntegratedGradients(picked).attribute(many, target=options.get("target"), n_steps=8)
    found = explain(network, many if isinstance(inputs, tuple) else many[0], EIGHT, **options)
    for ours, theirs in zip(found.parts, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))
    assert "evaluations an input" in str(found)


def test_an_estimate_says_that_it_is_one_and_a_single_metric_needs_no_list() -> None:
    network, rows = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)), torch.rand(3, 4)
    found = explain(network, rows, ShapleySampling("zero", 2))
    assert "an estimate without a path, whose sum misses f(x) - f(x') by up to" in str(found)
    assert "each path sums to f(x) - f(x') within" in str(explain(network, rows))
    one, listed = (evaluate(network, rows, found, metrics) for metrics in ("deletion_zero", ["deletion_zero"]))
    torch.testing.assert_close(one, listed)


@pytest.mark.parametrize(("group", "known"), [("methods", METHODS), ("metrics", METRICS)], ids=["methods", "metrics"])
def test_a_name_means_what_the_suite_means_by_it(group: str, known: dict[str, Any]) -> None:
    for name, ours in known.items():
        node = OmegaConf.load(ROOT / "conf" / group / f"{name}.yaml")
        assert isinstance(node, DictConfig)
        node[name].pop("label", None)
        assert instantiate(node[name], _convert_="object") == ours, name


def network_of_rows() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 3))
    return network, torch.randn(5, 4), torch.randn(30, 4)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_runs_by_its_name(method: str) -> None:
    network, x, examples = network_of_rows()
    strata = torch.arange(30) % 3
    background = Background(
        examples, examples.mean(0), strata, torch.ones(3), low=examples.amin(0), high=examples.amax(0)
    )
    inputs, own = (torch.rand(2, 1, 2, 2), examples.view(30, 1, 2, 2)) if method == "ig_blur" else (x, background)
    f = nn.Sequential(nn.Flatten(), network)
    found = explain(f, inputs, method, target="predicted", background=own)
    assert found.attributions.shape == inputs.shape
    assert found.attributions.isfinite().all()
    classes = network(inputs.flatten(1)).argmax(1)
    same = explain(f, inputs, method, target=classes, background=own)
    assert torch.equal(found.attributions, same.attributions)


def test_values_are_those_of_the_metric() -> None:
    network, x, examples = network_of_rows()
    found = explain(network, x, "ig_mean", target=1, background=examples)
    values = evaluate(network, x, found, target=1, background=examples)
    assert set(values) >= {"deletion_auc_mean", "insertion_auc_background", "infidelity", "sparseness"}
    task = Task(
        "rows", network, x, torch.ones(5, dtype=torch.int64), list("abcde"), Background(examples, examples.mean(0))
    )
    zero = METHODS["ig_zero"].attribute(task, torch.Generator())
    from_zero = evaluate(network, x, zero.attributions, [DeletionAUC(METHODS["ig_zero"].baselines)], target=1)  # type: ignore[attr-defined]
    expected = DeletionAUC(METHODS["ig_zero"].baselines).score(task, zero.attributions, torch.Generator())  # type: ignore[attr-defined]
    assert torch.equal(from_zero["deletion_auc"], expected)
    pictures, masks = torch.rand(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[:, 0, 0] = True
    pointing = evaluate(
        lambda p: p.flatten(1).sum(1),
        pictures,
        masks[:, None].expand(-1, 3, -1, -1).float(),
        [PointingGame()],
        masks=masks,
    )
    assert pointing["pointing_game"].tolist() == [1, 1]


def test_metrics_that_compare_ask_the_method_again() -> None:
    network, x, examples = network_of_rows()
    options: dict[str, Any] = {"target": 1, "background": examples}
    fixed, drawn = (explain(network, x, name, **options) for name in ("ig_mean", "expected_gradients"))
    of_fixed = evaluate(network, x, fixed, method="ig_mean", **options)
    assert of_fixed["draw_stability"].tolist() == pytest.approx([1] * 5)
    assert (of_fixed["max_sensitivity"] > 0).all()
    assert (of_fixed["model_randomisation"] <= 1).all()
    of_drawn = evaluate(network, x, drawn, ["draw_stability"], method="expected_gradients", **options)
    assert (of_drawn["draw_stability"] < 1 - 1e-6).all()
    assert "draw_stability" not in evaluate(network, x, fixed, **options)
    with pytest.raises(ValueError, match="give method="):
        evaluate(network, x, fixed, ["draw_stability"], **options)
    with pytest.raises(ValueError, match="max_sensitivity cannot judge this: examples of the data are needed"):
        evaluate(network, x, fixed, ["max_sensitivity"], method="ig_zero", target=1)


@dataclass
class ModelOutput(OrderedDict[str, Tensor]):
    """As transformers' networks return it: read by key, by attribute or by place."""

    logits: Tensor

    def __post_init__(self) -> None:
        self["logits"] = self.logits


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        (lambda y: {"logits": y}, "logits"),
        (lambda y: (None, y), 1),
        (lambda y: [y, y], 0),
        (lambda y: SimpleNamespace(logits=y), "logits"),
        (ModelOutput, "logits"),
        (lambda y: y[:, :, None], lambda y: y[:, :, 0]),
    ],
)
def test_outputs_of_every_kind(returned: Callable[[Tensor], Any], output: Any) -> None:
    network, x, _ = network_of_rows()
    found = explain(lambda x: returned(network(x)), x, output=output, target="predicted")
    expected = explain(network, x, target="predicted")
    assert torch.equal(found.attributions, expected.attributions)
    assert all(module.training for module in network.modules())  # as it was


def test_players_and_imputers_go_through() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    pictures = torch.rand(2, 3, 4, 4)
    found = explain(network, pictures, "shapley_ig_zero", players=Patches(2, 2), target=0)
    assert found.players is not None
    assert found.players.shape == (2, 4)
    masks = (torch.zeros(1, 1, 2, 2, dtype=torch.int64), torch.ones(1, 3, dtype=torch.int64))
    two = explain(lambda a, b: a.sum((1, 2, 3)) * b.sum(1), (torch.rand(2, 1, 2, 2), torch.rand(2, 3)), players=masks)
    assert two.players is not None
    assert two.players.shape == (2, 2)
    torch.testing.assert_close(two.players[:, 1], two.parts[1].sum(1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "ig_mean"}, "give background="),
        ({"method": "shapley_ig"}, "background= brings"),
        ({"method": "ig_blur"}, "is of pictures"),
        ({"method": "ig_zeros"}, "method 'ig_zeros' is unknown: ig_zero, "),
        ({"target": "best"}, "target='best' is unknown"),
        ({"baselines": torch.zeros(2, 4)}, r"baselines \(2, 4\) do not fit inputs \(5, 4\)"),
        ({"target": None}, "pass target="),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], said: str) -> None:
    network, x, _ = network_of_rows()
    with pytest.raises(ValueError, match=said):
        explain(network, x, **{"target": 1, **options})
    with pytest.raises(ValueError, match="a tuple of so many is needed"):
        explain(OfTwo(), (torch.rand(3, 1, 8, 8), torch.randn(3, 5)), target=0, baselines=torch.zeros(3, 5))
    with pytest.raises(ValueError, match="cannot judge this: the task has no imputer 'mean'"):
        evaluate(network, x, x, ["infidelity"], target=1)
    with pytest.raises(AttributeError, match="has no attribute 'explains'"):
        _ = igbaselines.explains


def test_quantus_takes_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    pictures, classes = torch.rand(4, 3, 8, 8).numpy(), np.arange(4)
    metric = QuantusSparseness(abs=True, disable_warnings=True, display_progressbar=False)
    options: dict[str, Any] = {"method": "ig_mean", "background": torch.rand(10, 3, 8, 8)}
    found = metric(network, pictures, classes, explain_func=quantus_explain, explain_func_kwargs=dict(options))
    maps = quantus_explain(network, pictures, classes, **options)
    assert np.allclose(found, metric(network, pictures, classes, a_batch=maps), atol=1e-6)
    own = explain(network, torch.as_tensor(pictures), "ig_mean", target=[0, 1, 2, 3], background=options["background"])
    assert np.array_equal(maps, own.attributions.numpy())
