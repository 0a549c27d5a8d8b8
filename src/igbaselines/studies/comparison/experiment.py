"""Which method explains best, and does the answer hold from one domain to another, and from one metric to another?

Every method explains every task that it fits, and every metric judges it there. No paper asks this: 2412.13864,
2310.04821 and 2505.03201 have a domain, a set of methods and a set of metrics each, and no two of these meet.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial

import pandas as pd

from igbaselines.common.errors import UserError
from igbaselines.common.files import file_name_of, read_record, write_record
from igbaselines.common.progress import bar
from igbaselines.common.threads import one_thread
from igbaselines.running.context import Run
from igbaselines.running.rows import write_rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.running.study import Domain, OfDomain, TaskMaker, look_up, task_makers
from igbaselines.studies.comparison.compared import MEASURED, Compared
from igbaselines.studies.comparison.settings import ComparisonEvaluation
from igbaselines.tasks import Task

log = logging.getLogger(__name__)

__all__ = ["MEASURED", "run"]


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
            compared = partial(Compared.of, run, attribution, evaluation, evaluation.domains[domain].budgets)
            run.rows.add_table(_measured(run, name, make, compared).assign(domain=domain, task=name))
            progress(done)


def _planned(run: Run, name: str, domain: Domain) -> Iterator[tuple[str, Callable[[], Task]]]:
    maker: TaskMaker = look_up(task_makers()[name])
    yield from maker(run, domain).items()


def _measured(run: Run, name: str, make: Callable[[], Task], compared: Callable[[Task], Compared]) -> pd.DataFrame:
    """The rows of a task, unless an earlier attempt has left them."""
    record = run.checkpoints / run.fingerprint() / f"{file_name_of(name)}.json"
    table = record.with_suffix(".parquet")
    if read_record(record) is None:
        start = time.monotonic()
        with one_thread():
            task = make()
        with nullcontext() if task.is_picture else one_thread():
            rows = compared(task).rows()
        record.parent.mkdir(parents=True, exist_ok=True)
        write_rows(table, rows)
        write_record(record, {}, vouched_for=[table])
        log.info("%s: compared in %.1f s", name, time.monotonic() - start)
    return pd.read_parquet(table)
