"""Complete runs for others: an archive each that a paper can cite, and the file store of MLflow where that is there.

It reads what runs have written, after the fact: no run knows of any tracker.
"""

import logging
from importlib.util import find_spec
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.reporting.export.crate import write_crate
from igbaselines.reporting.page.runs import find_runs
from igbaselines.running.states import COMPLETE

log = logging.getLogger(__name__)


def export_runs(output_root: Path, experiment: str | None = None) -> Path:
    """Export every complete run, or those of an experiment; what is damaged is left out, and said.

    Returns:
        output_root/export, with `<experiment>/<run>.zip` and, where mlflow is installed, `mlruns/`.

    Raises:
        UserError: where there is nothing to export.
    """
    runs = [run for run in find_runs(output_root) if experiment in (None, run.experiment)]
    whole = [run for run in runs if run.state == COMPLETE]
    for run in runs:
        if run.state != COMPLETE:
            log.warning("%s is left out: %s%s", run.folder, run.state, run.note and f", {run.note}")
    if not whole:
        of = f" of experiment={experiment}" if experiment else ""
        raise UserError(f"there is no complete run{of} under {output_root}: make one first")
    export = output_root / "export"
    for run in whole:
        log.info("archive: %s", write_crate(run, export / run.experiment / f"{run.label}.zip"))
    if find_spec("mlflow") is None:
        log.info('for MLflow too: pip install "igbaselines[mlflow]"')
    else:
        from igbaselines.reporting.export.tracker import track

        for run in whole:
            track(run, export / "mlruns")
        store = (export / "mlruns").resolve().as_uri()
        log.info("MLflow: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri %s", store)
    return export
