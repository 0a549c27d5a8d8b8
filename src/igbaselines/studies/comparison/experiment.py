"""Which method explains best, and does the answer hold from one domain to another, and from one metric to another?

Every method explains every task that it fits, and every metric judges it there. No paper asks this: 2412.13864,
2310.04821 and 2505.03201 have a domain, a set of methods and a set of metrics each, and no two of these meet.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd

from igbaselines.attribution.methods import attribute_all
from igbaselines.common.errors import UserError
from igbaselines.common.files import file_name_of, read_record, write_record
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity
from igbaselines.running.choice import fitting_methods, fitting_metrics, fitting_pairs
from igbaselines.running.context import Run
from igbaselines.running.rows import write_rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.running.study import Domain, OfDomain, TaskMaker, look_up, task_makers
from igbaselines.studies.comparison.settings import ComparisonEvaluation
from igbaselines.tasks import Task

log = logging.getLogger(__name__)

EVALUATIONS = Quantity("evaluations", "gradients and evaluations spent", "1", "lower")
MEASURED = (EVALUATIONS,)
ATTRIBUTION = "comparison: attribution"  # stream of random numbers


def run(
    run: Run,
    dataset: OfDomain | None,
    model: OfDomain | None,
    attribution: AttributionSettings | None,
    evaluation: ComparisonEvaluation,
) -> None:
    """Carry out the comparison; the measured values go into `run.rows`.

    Each domain has its own dataset and model; one that is given stands in `evaluation`, in the place of its domain's.
    The methods of an attribution are compared too, where there is one.
    """
    if not run.methods and attribution is None:
        raise UserError("choose what is compared: methods=[...], or the methods of a paper by attribution=...")
    if dataset is not None or model is not None:
        log.info("compared is %s alone, of which the given dataset or model is", ", ".join(evaluation.domains))
    planned = [(name, *task) for name, domain in evaluation.domains.items() for task in _planned(run, name, domain)]
    with bar("tasks", len(planned)) as progress:
        for done, (domain, name, make) in enumerate(run.units(planned), start=1):
            run.rows.add_table(_measured(run, attribution, name, make).assign(domain=domain, task=name))
            progress(done)


def _planned(run: Run, name: str, domain: Domain) -> Iterator[tuple[str, Callable[[], Task]]]:
    maker: TaskMaker = look_up(task_makers()[name])
    yield from maker(run, domain).items()


def _measured(run: Run, attribution: AttributionSettings | None, name: str, make: Callable[[], Task]) -> pd.DataFrame:
    """The rows of a task, unless an earlier attempt has left them."""
    record = run.checkpoints / run.fingerprint() / f"{file_name_of(name)}.json"
    table = record.with_suffix(".parquet")
    if read_record(record) is None:
        start = time.monotonic()
        rows = _compared(run, attribution, make())
        record.parent.mkdir(parents=True, exist_ok=True)
        write_rows(table, rows)
        write_record(record, {}, vouched_for=[table])
        log.info("%s: compared in %.1f s", name, time.monotonic() - start)
    return pd.read_parquet(table)


def _compared(run: Run, attribution: AttributionSettings | None, task: Task) -> pd.DataFrame:
    """Attribute by every method that fits, and judge by every metric that fits."""
    methods = fitting_methods(run, {} if attribution is None else attribution.methods(), task)
    found = attribute_all(methods, task, generator_for(run.seed, ATTRIBUTION, task.name))
    values = {(method, EVALUATIONS.name): result.evaluations.double() for method, result in found.items()}
    for metric in fitting_metrics(replace(run, pairs={}), task).values():
        name = metric.quantity.name
        for method, result in found.items():
            generator = generator_for(run.seed, "comparison: metrics", task.name, name)
            values[method, name] = metric.score(task, result.attributions, generator)
    for pair in fitting_pairs(run, task).values():
        name = pair.quantity.name
        variant = pair.variant(task, generator_for(run.seed, "comparison: metrics", task.name, name))
        key = (ATTRIBUTION, task.name, *([name] if pair.redraws else []))
        others = attribute_all(methods, variant, generator_for(run.seed, *key))
        for method, result in found.items():
            values[method, name] = pair.compare(task, result.attributions, others[method].attributions)
    known = {"unit": list(task.units), "data": task.data, "network": task.network}
    tables = [
        pd.DataFrame(known | {"method": method, "metric": metric, "value": each.cpu().numpy()})
        for (method, metric), each in values.items()
    ]
    return pd.concat(tables, ignore_index=True)
