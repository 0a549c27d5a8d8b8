"""Other people's attributions of one job: Integrated Gradients averaged over the baselines.

Every peer has the signature of `Peer` and spends `steps` gradient points on each pair of input and baseline. They
differ in where the points lie (figures of captum 0.9.0, shap 0.51.0, saliency 0.2.1, path_explain 0.0.7):

| peer         | points of a pair                             | error falls as | in one pass                          |
|--------------|----------------------------------------------|----------------|--------------------------------------|
| Captum       | Gauss-Legendre nodes                         | spectrally     | at least one point of all its inputs |
| saliency     | both ends and between, each weighs 1 / steps | 1 / steps      | points of one pair                   |
| path_explain | the same                                     | 1 / steps      | one point of each of its inputs      |
| shap         | random ones, and random baselines            | 1 / sqrt(all)  | points of one input                  |

A peer imports its package when it is called, so call it once before timing it. All take the network as it is: freeze
its parameters and make it channels_last first where that pays.
"""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# (network, inputs (n, *features), baselines (k, *features), steps, target (n,) or None for the single output, gradient
# points in one pass or None for the peer's default) -> attributions (n, *features)
Peer = Callable[[nn.Module, Tensor, Tensor, int, Tensor | None, int | None], Tensor]
Array = np.ndarray[Any, Any]
PATH_EXPLAIN_TORCH = Path("explainers", "path_explainer_torch.py")


class OneColumn(nn.Module):
    """A network whose outputs (m,) or (m, classes) become the explained one, as a column (m, 1).

    Args:
        network: the network.
        target: class to explain; None where the network has a single output.
    """

    def __init__(self, network: nn.Module, target: int | None = None) -> None:
        super().__init__()
        self.network = network
        self.target = target

    def forward(self, x: Tensor) -> Tensor:
        """The explained output as a column."""
        outputs: Tensor = self.network(x)
        return (outputs if self.target is None else outputs[:, self.target])[:, None]


def by_captum(
    network: nn.Module, inputs: Tensor, baselines: Tensor, steps: int, target: Tensor | None, size: int | None
) -> Tensor:
    """Captum's Integrated Gradients; a size under the number of inputs takes several calls, since Captum refuses it."""
    from captum.attr import IntegratedGradients

    explainer = IntegratedGradients(network)

    def averaged(inputs: Tensor, target: Tensor | None) -> Tensor:
        total = torch.zeros_like(inputs)
        for baseline in baselines:
            total += explainer.attribute(
                inputs,
                baseline.expand_as(inputs),
                target=target,
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=size,
            )
        return total / len(baselines)

    return _in_groups(averaged, inputs, target, size)


def by_saliency(
    network: nn.Module, inputs: Tensor, baselines: Tensor, steps: int, target: Tensor | None, size: int | None
) -> Tensor:
    """PAIR's saliency: arrays, one pair of input and baseline at a time; one point in a pass is its default."""
    from saliency.core import INPUT_OUTPUT_GRADIENTS, IntegratedGradients

    explainer = IntegratedGradients()
    references = baselines.numpy(force=True)

    def gradients(points: Array, call_model_args: int | None, expected_keys: list[str]) -> dict[str, Array]:
        # The package interpolates with a float64, and so in float64.
        batch = torch.from_numpy(points).to(inputs.device, inputs.dtype).requires_grad_()
        value = OneColumn(network, call_model_args)(batch).sum()
        return {INPUT_OUTPUT_GRADIENTS: torch.autograd.grad(value, batch)[0].numpy(force=True)}

    def mask(x: Array, index: int | None, reference: Array) -> Array:
        result: Array = explainer.GetMask(x, gradients, index, reference, x_steps=steps, batch_size=size or 1)
        return result

    masks = [
        np.mean([mask(x, index, reference) for reference in references], axis=0)
        for x, index in zip(inputs.numpy(force=True), _classes(inputs, target), strict=True)
    ]
    return torch.from_numpy(np.stack(masks)).to(inputs)


def by_shap(
    network: nn.Module, inputs: Tensor, baselines: Tensor, steps: int, target: Tensor | None, size: int | None
) -> Tensor:
    """Expected gradients of shap, from as many random points an input as the others spend; 50 in a pass by default.

    It explains every class, or the likeliest: here it is shown the one that is asked for.
    """
    from shap import GradientExplainer

    column = OneColumn(network)
    options = {} if size is None else {"batch_size": size}
    classes = _classes(inputs, target)
    column.target = classes[0]
    explainer = GradientExplainer(column, baselines, local_smoothing=0, **options)
    state = np.random.get_state()  # noqa: NPY002 (shap seeds numpy's global generator)
    values = []
    for index, column.target in enumerate(classes):
        explained = inputs[index : index + 1]
        values.append(explainer.shap_values(explained, nsamples=len(baselines) * steps, rseed=index)[..., 0])
    np.random.set_state(state)  # noqa: NPY002
    return torch.from_numpy(np.concatenate(values)).to(inputs)


def by_path_explain(
    network: nn.Module, inputs: Tensor, baselines: Tensor, steps: int, target: Tensor | None, size: int | None
) -> Tensor:
    """path_explain's torch explainer; its passes take one point of each input, all inputs by default.

    It keeps the graph of every pass until it is done with an input, ready for second derivatives.
    """
    explainer = _path_explainer()(network if target is not None else OneColumn(network))

    def averaged(inputs: Tensor, target: Tensor | None) -> Tensor:
        total = torch.zeros_like(inputs)
        for baseline in baselines:
            # It means to make its inputs require gradients, and does not.
            explained = inputs.clone().requires_grad_()
            total += explainer.attributions(explained, baseline[None], steps, False, target).detach()
        return total / len(baselines)

    return _in_groups(averaged, inputs, target, size)


@functools.cache
def _path_explainer() -> Callable[[nn.Module], Any]:
    """The class PathExplainerTorch, from its own file: the package as a whole imports TensorFlow first."""
    package = importlib.util.find_spec("path_explain")
    if package is None or package.origin is None:
        raise ImportError("No module named 'path_explain'")
    path = Path(package.origin).parent / PATH_EXPLAIN_TORCH
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    explainer: Callable[[nn.Module], Any] = module.PathExplainerTorch
    return explainer


def _in_groups(
    attribute: Callable[[Tensor, Tensor | None], Tensor], inputs: Tensor, target: Tensor | None, size: int | None
) -> Tensor:
    """The attributions of as many inputs at a time as a pass may take."""
    count = min(size or len(inputs), len(inputs))
    targets = [None] * len(inputs) if target is None else target.split(count)
    return torch.cat([attribute(*group) for group in zip(inputs.split(count), targets, strict=False)])


def _classes(inputs: Tensor, target: Tensor | None) -> list[int | None]:
    return [None] * len(inputs) if target is None else target.tolist()
