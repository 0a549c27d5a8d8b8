"""From a network to attributions in one line, and from attributions to what metrics say of them in another.

Both make a `Task` of what they are given and leave the work to a `Method`, or to `Metric`s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.baselines import Given
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import Method, why_not
from igbaselines.common.devices import float32_proper
from igbaselines.library.given import Array, Arrays, BackgroundNeededError, Inputs, NoBackground, Output, baselines_of
from igbaselines.library.named import METHODS, METRICS
from igbaselines.library.task import task_of
from igbaselines.metrics import Metric, PairedMetric
from igbaselines.tasks import Background, Imputer, Players, Task
from igbaselines.tasks.outputs import Target


@dataclass(frozen=True)
class Explanation(Attribution):
    """An attribution that knows which features were whose input; printed it says how complete it is, and its cost.

    Args:
        inputs: where each of the network's inputs lies among the features.
    """

    inputs: Inputs = field(default_factory=Inputs)

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The attributions to each input of the network, in its shape: what Captum returns for a tuple of inputs."""
        return self.inputs.split(self.attributions)

    def __str__(self) -> str:
        gap, change = self.completeness_gap.abs().max(), (self.f_inputs[:, None] - self.f_baselines).abs().max()
        of_paths, without = "each path sums to", "an estimate without a path, whose sum misses"
        sums = f"{without} f(x) - f(x') by up to" if self.gradients is None else f"{of_paths} f(x) - f(x') within"
        return (
            f"attributions {tuple(self.attributions.shape)}; {sums} {gap:.2g}, where that is up to {change:.2g}; "
            f"{self.evaluations.double().mean():.0f} evaluations an input"
        )


@float32_proper()
def explain(
    network: Callable[..., Any],
    inputs: Arrays,
    method: str | Method = "ig_zero",
    *,
    target: Target | str | None = None,
    baselines: Arrays | float | None = None,
    background: Arrays | Background | None = None,
    players: Array | tuple[Array, ...] | Players | None = None,
    imputers: Mapping[str, Imputer] | None = None,
    output: Output | None = None,
    max_batch: int | None = None,
    progress: Callable[[int], object] | None = None,
    seed: int = 0,
) -> Explanation:
    """Attribute what a network says of its inputs to their features.

    Args:
        network: any function of a tensor (n, *features), or of several; modules are run in evaluation mode and left as
            they were.
        inputs: to explain; a tuple for a network of several inputs.
        method: by its name in `METHODS`, or any object with `attribute(task, generator)`.
        target: class of each input, or one for all; "predicted" takes the largest output of each; None for a network
            of one output.
        baselines: where paths start and what absent players become, in the place of the method's own: a number, one
            for all inputs (1, *features), or one for each, as Captum takes them.
        background: examples of the data, of which methods make baselines; a `Background` knows strata and weights too.
        players: which features come and go together: the number of each one's group (Captum's feature_mask), or
            `Patches(16, 16)` and the like; None: each for itself.
        imputers: more that methods may name, beside `zero`; with a background `mean` and `background`, for pictures
            `blur`.
        output: the part of what the network returns that is explained: a key, an index or a function.
        max_batch: points in one pass; None chooses it from the memory there is.
        progress: told after each pass how many points the network has seen by now, such as `print`, or a bar's update.
        seed: of what the method draws.

    Returns:
        Attributions to features and players, with what they sum to and what they cost.

    Raises:
        ValueError: where an argument does not fit: it says what would. Where memory runs out chunks are halved; a GPU
            computes float32 as such, not as TF32, meanwhile.

    Examples:
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softplus())
        >>> rows, examples = torch.rand(5, 4), torch.rand(20, 4)
        >>> found = explain(network, rows, "expected_gradients", target=[0, 1, 2, 1, 0], background=examples)
        >>> found.attributions.shape, bool(found.completeness_gap.abs().max() < 1e-4)
        (torch.Size([5, 4]), True)
    """
    task, parts = task_of(
        network, inputs, target, background, players, imputers, output=output, max_batch=max_batch, progress=progress
    )
    chosen = _named(method, METHODS, "method")
    if baselines is not None:
        start = "baselines" if hasattr(chosen, "baselines") else "imputer"
        own: Any = chosen  # a dataclass of the suite's, or one with such a field
        chosen = replace(own, **{start: Given(baselines_of(baselines, task.inputs, parts))})
    if (reason := why_not(chosen, task)) is not None:
        raise ValueError(f"the method does not fit: {reason}{_cure(task)}")
    found = chosen.attribute(task, torch.Generator().manual_seed(seed))
    return Explanation(**vars(found), inputs=parts)


@float32_proper()
def evaluate(
    network: Callable[..., Any],
    inputs: Arrays,
    attributions: Attribution | Arrays,
    metrics: str | Sequence[str | Metric | PairedMetric] | None = None,
    *,
    method: str | Method | None = None,
    target: Target | str | None = None,
    background: Arrays | Background | None = None,
    players: Array | tuple[Array, ...] | Players | None = None,
    imputers: Mapping[str, Imputer] | None = None,
    masks: Bool[Tensor, "n h w"] | None = None,
    output: Output | None = None,
    max_batch: int | None = None,
    seed: int = 0,
) -> dict[str, Float[Tensor, " n"]]:
    """Judge attributions, whoever made them.

    Args:
        network: that they explain.
        inputs: that they explain.
        attributions: in the shape of the inputs, or what `explain` returned.
        metrics: by their names in `METRICS` (one needs no list), or any objects with `score(task, attributions,
            generator)`; None: all of `METRICS` that can judge such inputs.
        method: that made the attributions, for metrics that compare them with those of other points, draws or networks.
        target: as of `explain`.
        background: as of `explain`.
        players: as of `explain`.
        imputers: as of `explain`.
        masks: the object in each picture, for metrics of `igbaselines.metrics` that ask for it.
        output: as of `explain`.
        max_batch: points in one pass; None chooses it from the memory there is.
        seed: of what a metric draws.

    Returns:
        A value for each input by the metric's name, NaN where it has no meaning.

    Raises:
        ValueError: as `explain`, and for a metric that cannot judge such inputs: it says why.

    Examples:
        >>> network, rows = torch.nn.Linear(4, 3), torch.rand(5, 4)
        >>> values = evaluate(network, rows, explain(network, rows, target=1), ["deletion_zero"], target=1)
        >>> values["deletion_auc_zero"].shape
        torch.Size([5])
    """
    task, parts = task_of(
        network, inputs, target, background, players, imputers, output=output, max_batch=max_batch, masks=masks
    )
    given = attributions.attributions if isinstance(attributions, Attribution) else parts.join(attributions)
    if given.shape != task.inputs.shape:
        raise ValueError(f"attributions {tuple(given.shape)} do not fit inputs {tuple(task.inputs.shape)}")
    asked = [metrics] if isinstance(metrics, str) else list(METRICS.values()) if metrics is None else metrics
    chosen = [_named(one, METRICS, "metric") for one in asked]
    found = {}
    for metric in chosen:
        if (reason := _why_not(metric, task, method)) is None:
            found[metric.quantity.name] = _score(metric, task, given.to(task.inputs), method, seed)
        elif metrics is not None:
            raise ValueError(f"{metric.quantity.name} cannot judge this: {reason}{_cure(task)}")
    return found


def _why_not(metric: Metric | PairedMetric, task: Task, method: object) -> str | None:
    """Say why a metric cannot judge, in its words or for want of a background or a method."""
    if isinstance(metric, PairedMetric) and method is None:
        return "it compares with what the same method gives elsewhere: give method="
    try:
        return metric.why_not(task)
    except BackgroundNeededError as error:
        return str(error)


def _score(
    metric: Metric | PairedMetric, task: Task, attributions: Tensor, method: str | Method | None, seed: int
) -> Float[Tensor, " n"]:
    """The values; a method that is asked again draws the same, unless it is its draws that are compared."""
    generator = torch.Generator().manual_seed(seed)
    if not isinstance(metric, PairedMetric):
        return metric.score(task, attributions, generator)
    again = torch.Generator().manual_seed(seed + int(metric.redraws))
    others = _named(method, METHODS, "method").attribute(metric.variant(task, generator), again)
    return metric.compare(task, attributions, others.attributions)


def quantus_explain(
    model: torch.nn.Module,
    inputs: np.ndarray,
    targets: np.ndarray,
    device: str | torch.device | None = None,
    **options: Any,  # noqa: ANN401 (those of explain)
) -> np.ndarray:
    """Explain for Quantus: `explain_func=quantus_explain, explain_func_kwargs={"method": "ig_mean", ...}`."""
    here = next(model.parameters(), torch.zeros(1, device=device))
    found = explain(model, torch.as_tensor(inputs).to(here), target=torch.as_tensor(targets).to(here.device), **options)
    return found.attributions.cpu().numpy()


def _cure(task: Task) -> str:
    missing = isinstance(task.background, NoBackground)
    return "; background= brings examples, and the imputers mean and background" if missing else ""


def _named(chosen: Any, known: Mapping[str, Any], kind: str) -> Any:  # noqa: ANN401 (a method or a metric)
    if not isinstance(chosen, str):
        return chosen
    if chosen not in known:
        raise ValueError(f"{kind} {chosen!r} is unknown: {', '.join(known)}, or an object of yours")
    return known[chosen]
