"""What a run works with beside its own: the methods and metrics that were named for it, where they fit its tasks."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from igbaselines.attribution.methods import Method, gives_up, why_not
from igbaselines.common.errors import UserError
from igbaselines.metrics import Metric, PairedMetric, Quantity
from igbaselines.running.context import Run
from igbaselines.running.rows import BETTER
from igbaselines.tasks import Task

log = logging.getLogger(__name__)

Choice = TypeVar("Choice")


def fitting_methods(run: Run, own: Mapping[str, Method], task: Task) -> dict[str, Method]:
    """The methods of an attribution, and behind them those named on the command line; what does not fit is left out.

    The task is one of the run's, or what is known of them before any work.

    Raises:
        UserError: where a name stands for two methods, or none is left.
    """
    if taken := set(own) & set(run.methods):
        raise UserError(f"methods={min(taken)}: the attribution has a method of this name, give yours another")
    methods = {**own, **run.methods}
    reasons = {name: reason for name, method in methods.items() if (reason := why_not(method, task)) is not None}
    if len(reasons) == len(methods):
        said = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise UserError(f"no method fits {task.name}: {said or 'the attribution has none, name some by methods=[...]'}")
    fitting = _without(run, methods, reasons, "method")
    for name, method in fitting.items():
        if (sums_to := gives_up(method)) is not None:
            _say_once(run, f"method {name} gives completeness up: its attributions sum to {sums_to}")
    return fitting


def check_metrics(metrics: Mapping[str, Any], measured: Iterable[Quantity]) -> None:
    """Check before any work what metrics named on the command line measure, beside what the run measures anyway.

    Raises:
        UserError: where one does not say what it measures, or two would have one name in the rows.
    """
    taken = {quantity.name for quantity in measured}
    for key, metric in metrics.items():
        kind = type(metric).__name__
        members = ("why_not", "variant", "compare") if isinstance(metric, PairedMetric) else ("why_not", "score")
        for member in members:
            if not callable(getattr(metric, member, None)):
                raise UserError(f"metrics.{key} has no {member}(task, ...): {kind} is none of the metrics")
        quantity = getattr(metric, "quantity", None)
        if not isinstance(quantity, Quantity) or quantity.better not in (*BETTER, None):
            said = f"a Quantity(name, label, unit, better), better one of {', '.join(BETTER)} and None"
            raise UserError(f"metrics.{key}: the quantity of {kind} must be {said}, not {quantity!r}")
        if quantity.name in taken:
            raise UserError(f"metrics={key}: {quantity.name} is measured already, give yours another name")
        taken.add(quantity.name)


def fitting_metrics(run: Run, task: Task) -> dict[str, Metric]:
    """The metrics named on the command line that can judge the run's tasks; the others are left out."""
    for name in run.pairs:
        _say_once(run, f"metric {name} is left out: experiment=comparison alone makes what it compares with")
    return _without(run, run.metrics, {name: metric.why_not(task) for name, metric in run.metrics.items()}, "metric")


def fitting_pairs(run: Run, task: Task) -> dict[str, PairedMetric]:
    """The metrics named on the command line that compare with a variant which the task has."""
    return _without(run, run.pairs, {name: metric.why_not(task) for name, metric in run.pairs.items()}, "metric")


def _without(
    run: Run, choices: Mapping[str, Choice], reasons: Mapping[str, str | None], kind: str
) -> dict[str, Choice]:
    for name, reason in reasons.items():
        if reason is not None:
            _say_once(run, f"{kind} {name} is left out: {reason}")
    return {name: choice for name, choice in choices.items() if reasons.get(name) is None}


def _say_once(run: Run, text: str) -> None:
    """A run has many tasks that are alike, and so is what is said of them."""
    if text not in run.said:
        run.said.add(text)
        log.info("%s", text)
