"""`python run.py ...`: a run, the report of all runs, their status, or archives of them."""

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from igbaselines.common.garbage import collect_from_here
from igbaselines.running.command import run_command
from igbaselines.running.config import resolve


def main() -> None:
    """Do what the command line asks for; the exit code says whether it worked."""
    sys.exit(run_command(sys.argv[1:], act))


def act(config: DictConfig) -> None:
    """Do the action of a configuration; each imports what it needs.

    Raises:
        UserError: for what the user can mend.
        RunFailedError: where a run broke.
    """
    if config.action == "run":
        from igbaselines.reporting.render import render_run
        from igbaselines.running.runner import execute, prepare

        prepared = prepare(config)
        collect_from_here()
        execute(prepared, render_run)
        return
    collect_from_here()
    from igbaselines.launching.slurm import record_gone

    output_root = Path(resolve(config)["output_root"])
    record_gone(output_root)
    if config.action in ("report", "paper"):
        from igbaselines.common.files import check_writable
        from igbaselines.reporting.page.html import write_papers, write_report

        check_writable("output_root", output_root)
        (write_report if config.action == "report" else write_papers)(output_root)
    elif config.action == "export":
        from igbaselines.common.files import check_writable
        from igbaselines.reporting.export import export_runs

        check_writable("output_root", output_root)
        export_runs(output_root, None if OmegaConf.is_missing(config, "experiment") else config.experiment)
    else:
        from igbaselines.launching.summary import print_status

        print_status(output_root)
