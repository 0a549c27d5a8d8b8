"""Which of the methods and metrics that a run names fit a task; what is left out is said, in one line each."""

import logging
from collections.abc import Collection, Mapping

from igbaselines.attribution.methods import Method, why_not
from igbaselines.common.errors import UserError
from igbaselines.metrics import Metric
from igbaselines.running.context import Run
from igbaselines.tasks import Task

log = logging.getLogger(__name__)


def fitting_methods(run: Run, task: Task, own: Mapping[str, Method]) -> dict[str, Method]:
    """The experiment's methods and the run's that make sense for a task.

    Args:
        run: with the methods that the command line names.
        task: what is explained.
        own: methods of the experiment's attribution.

    Raises:
        UserError: where a name stands for two methods, or no method fits.
    """
    if twice := own.keys() & run.methods.keys():
        raise UserError(f"methods: {', '.join(sorted(twice))} is among the methods of the attribution already")
    methods = {**own, **run.methods}
    found = {name: method for name, method in methods.items() if _fits(name, why_not(method, task), task)}
    if not found:
        raise UserError(f"no method fits {task.name}: choose others by methods=[...] or attribution=...")
    return found


def fitting_metrics(run: Run, task: Task, own: Collection[str] = ()) -> dict[str, Metric]:
    """The run's metrics that make sense for a task, by the name of their quantity.

    Args:
        run: with the metrics that the command line names.
        task: what is explained.
        own: names of what the experiment measures by itself.

    Raises:
        UserError: where two metrics would stand under one name in the rows.
    """
    by_name = {name: metric for metric in run.metrics.values() if (name := metric.quantity.name) not in own}
    if len(by_name) < len(run.metrics):
        raise UserError(f"metrics={','.join(run.metrics)}: one of them is measured here anyway, or under another's name")
    return {name: metric for name, metric in by_name.items() if _fits(name, metric.why_not(task), task)}


def _fits(name: str, reason: str | None, task: Task) -> bool:
    if reason is not None:
        log.info("%s: %s is left out: %s", task.name, name, reason)
    return reason is None
