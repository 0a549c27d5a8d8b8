"""Class-level attributions of a ranking network (2412.13864): those of its signal events, averaged."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import Method, SharedGradients, shareable
from igbaselines.common.clock import timed
from igbaselines.common.randomness import generator_for
from igbaselines.common.stopping import stop_asked
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.metrics import Metric, judged
from igbaselines.metrics.completeness import relative_gap
from igbaselines.studies.hep.networks.training import SECONDS_BETWEEN_CHECKPOINTS
from igbaselines.tasks import Task

GAP_QUANTILES = {"median": 0.5, "q95": 0.95, "max": 1.0}
BYTES_PER_CHUNK = 64 * 2**20  # of the Integrated Gradients of every baseline that events are explained from at a time
EVENTS_PER_CHUNK = 256  # where a method takes care of its memory itself


@dataclass(frozen=True)
class MeanAttribution:
    """What a method attributes to the players, averaged over the signal events."""

    signed: Float[Tensor, " p"]  # mean attribution
    magnitude: Float[Tensor, " p"]  # mean magnitude of the attribution of an event
    # quantiles (GAP_QUANTILES) of |completeness gap| / |f(x) - f(x')|, over events and those of the baselines that
    # count; over events alone where a method has weights and no paths
    gap: Float[Tensor, " quantiles"]
    # how many with equal weights would average as well, 1 / sum of the squared weights, mean over the events; NaN
    # where weights differ from feature to feature
    effective_baselines: Float[Tensor, ""]
    scores: Mapping[str, Float[Tensor, ""]]  # mean of each metric over the events for which it has a meaning


@dataclass(frozen=True)
class ClassAttribution:
    """Attributions averaged over the signal events."""

    of: Mapping[str, MeanAttribution]  # what each method gives
    gradient_points: Int[Tensor, ""]  # that were spent on all of it
    seconds: Float[Tensor, ""]  # that it took, in all attempts together


def class_attribution(
    methods: Mapping[str, Method],
    task: Task,
    key: tuple[int | str, ...],
    checkpoint: Path,
    progress: Callable[[int], object],
    metrics: Mapping[str, Metric] | None = None,
) -> ClassAttribution:
    """Attribute the output to the players by every method; methods that start from the same baselines share gradients.

    Args:
        methods: by name.
        task: the signal events to explain.
        key: seeds whatever is random; all averages over baselines draw them from the same state.
        checkpoint: of the finished attribution; beside it lies an unfinished one, from which it goes on after a kill.
        progress: called with the number of events done.
        metrics: whose values are averaged over the events.

    Raises:
        ValueError: where a method gives what is no attribution of the events.
    """
    sums = _Sums(task, methods, metrics or {}, key)
    if sums.resume(checkpoint):
        progress(len(task.inputs))
        return sums.finished()
    unfinished = checkpoint.with_name(f"unfinished-{checkpoint.name}")
    sums.resume(unfinished)
    saved_at = time.monotonic()
    for job in _jobs(methods, task, key):
        for start in range(sums.events(job.names[0]), len(task.inputs), job.size):
            sums.add(job, slice(start, start + job.size))
            if stop_asked() or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                save_tensors(unfinished, sums.tensors())
                saved_at = time.monotonic()
            progress(sums.events(*methods))
    sums.condense()
    save_tensors(checkpoint, sums.tensors())
    unfinished.unlink(missing_ok=True)
    return sums.finished()


@dataclass(frozen=True)
class _Job:
    """Methods that explain events together, chunk by chunk."""

    names: list[str]  # of the methods
    spenders: list[str]  # those whose gradient points add up to what all spend
    size: int  # events at a time
    attribute: Callable[[slice], Mapping[str, Attribution]]  # explains some of the events


def _jobs(methods: Mapping[str, Method], task: Task, key: tuple[int | str, ...]) -> Iterator[_Job]:
    shared: set[str] = set()
    for some in shareable(methods):
        drawn = SharedGradients.draw(some, task, generator_for(*key, 0))

        def together(rows: slice, drawn: SharedGradients = drawn) -> Mapping[str, Attribution]:
            return drawn.attribute(rows, generator_for(*key, 1, rows.start))

        bytes_of_event = drawn.baselines_an_input * task.inputs[:1].nbytes
        yield _Job(list(some), drawn.one_a_set, max(1, BYTES_PER_CHUNK // bytes_of_event), together)
        shared |= set(some)
    for name, method in methods.items():
        if name not in shared:

            def alone(rows: slice, name: str = name, method: Method = method) -> Mapping[str, Attribution]:
                return {name: method.attribute(task.take(rows), generator_for(*key, name, rows.start))}

            yield _Job([name], [name], EVENTS_PER_CHUNK, alone)


class _Sums:
    """What the signal events explained so far add up to."""

    def __init__(
        self, task: Task, methods: Mapping[str, Method], metrics: Mapping[str, Metric], key: tuple[int | str, ...]
    ) -> None:
        self.task, self.metrics, self.key = task, metrics, key
        none, zeros = task.inputs.new_empty(0), task.inputs.new_zeros(task.player_map.count)
        parts = {"events": torch.tensor(0), "signed": zeros, "magnitude": zeros, "gap": none, "effective": zeros.sum()}
        parts |= {f"score {name}": none for name in metrics}
        # Clones: what shares memory cannot be saved.
        self.of = {name: {part: tensor.clone() for part, tensor in parts.items()} for name in methods}
        self.spent = {"gradient_points": torch.tensor(0), "seconds": torch.tensor(0.0)}

    def events(self, *methods: str) -> int:
        """How many events some methods have explained, on average."""
        return int(torch.stack([self.of[name]["events"] for name in methods]).sum()) // len(methods)

    def add(self, job: _Job, rows: slice) -> None:
        """Explain a chunk of events, and take it in."""
        part = self.task.take(rows)
        results, seconds = timed(lambda: job.attribute(rows), part.inputs.device)
        self.spent["seconds"] = self.spent["seconds"] + seconds
        for name, result in results.items():
            if result.attributions.shape != part.inputs.shape or not result.attributions.isfinite().all():
                raise ValueError(f"method {name} gave no finite number for each feature of {len(part.inputs)} events")
            if name in job.spenders:
                self.spent["gradient_points"] = self.spent["gradient_points"] + result.gradient_points.sum().cpu()
            of, total = self.of[name], len(self.task.inputs)
            of["events"] = of["events"] + len(part.inputs)
            attributed = self.task.player_map.sums(result.attributions)
            of["signed"] = of["signed"] + attributed.sum(dim=0) / total
            of["magnitude"] = of["magnitude"] + attributed.abs().sum(dim=0) / total
            of["gap"] = torch.cat([of["gap"], _relative_gaps(result)])
            of["effective"] = of["effective"] + _effective_baselines(result).sum() / total
        for metric, judge in self.metrics.items():
            maps = {name: result.attributions for name, result in results.items()}
            draws = partial(generator_for, *self.key, metric, rows.start)
            for name, values in judged(judge, part, maps, draws).items():
                self.of[name][f"score {metric}"] = torch.cat([self.of[name][f"score {metric}"], values])

    def condense(self) -> None:
        """Keep of what every event has the quantiles, or the mean, once all events have been taken in."""
        for of in self.of.values():
            # By sorting: torch.quantile refuses more than 16 million values.
            ordered = of["gap"].sort().values
            of["gap"] = torch.stack([ordered[round(q * (len(ordered) - 1))] for q in GAP_QUANTILES.values()])
            for metric in self.metrics:
                of[f"score {metric}"] = of[f"score {metric}"].nanmean()

    def finished(self) -> ClassAttribution:
        """The attribution, once condensed."""
        means = {}
        for name, of in self.of.items():
            scores = {metric: of[f"score {metric}"] for metric in self.metrics}
            means[name] = MeanAttribution(of["signed"], of["magnitude"], of["gap"], of["effective"], scores)
        return ClassAttribution(means, **self.spent)

    def resume(self, file: Path) -> bool:
        """Go on from what was saved, unless it was of other methods or metrics; returns whether it does."""
        saved = load_tensors(file, self.task.inputs.device)
        if saved is None or saved.keys() != self.tensors().keys():
            return False
        self.of = {name: {part: saved[f"{name}: {part}"] for part in of} for name, of in self.of.items()}
        self.spent = {name: saved[name].cpu() for name in self.spent}
        return True

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the rest depends on."""
        of_methods = {f"{name}: {part}": tensor for name, of in self.of.items() for part, tensor in of.items()}
        return of_methods | self.spent


def _relative_gaps(result: Attribution) -> Float[Tensor, " gaps"]:
    """How far paths miss completeness, or events where a method weights baselines and has no paths from them.

    NaN where a method gives completeness up.
    """
    if result.gradients is None and result.weights is not None:
        return relative_gap(result.attributions, result.change)
    if result.gives_up is not None:
        return torch.full_like(result.f_inputs, torch.nan)
    change = (result.f_inputs[:, None] - result.f_baselines).abs()
    gaps = result.completeness_gap.abs() / change.clamp_min(torch.finfo(change.dtype).tiny)
    return gaps.flatten() if result.weights is None else gaps[result.weights > 0]


def _effective_baselines(result: Attribution) -> Float[Tensor, " n"]:
    if result.weights is None:
        return torch.full_like(result.f_inputs, torch.nan)
    return 1 / result.weights.double().square().sum(dim=1)
