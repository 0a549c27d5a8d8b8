"""The part of the report that takes all complete runs of an experiment together: report/tables and report/figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from igbaselines.reporting import weighted_combined
from igbaselines.reporting.claims import Paper, Printed, printed_for
from igbaselines.reporting.combination import Combination, Noted
from igbaselines.reporting.runs import FigureFile, Results, Run, read_results
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.reporting.verdicts import NotTestable

Combiner = Callable[[Sequence[Results], Printed], Combination]

COMBINERS: Mapping[str, Combiner] = {"weighted_gradients": weighted_combined.combine}


@dataclass(frozen=True)
class Together:
    """What the report shows above the runs of an experiment.

    Args:
        runs: number of runs that were combined.
        tables: with their notes.
        figures: as files.
        skipped: label and reason of each complete run that could not be read.
    """

    runs: int
    tables: list[Noted]
    figures: list[FigureFile]
    skipped: list[tuple[str, str]]


def write_combined(report: Path, runs: Sequence[Run], papers: Sequence[Paper]) -> dict[str, Together]:
    """Combine the complete runs of every experiment that has a combination.

    Args:
        report: folder of the report; `tables/` and `figures/` of earlier reports are replaced.
        runs: all runs; only complete ones are read.
        papers: for the numbers that they print.

    Returns:
        Experiment -> what was written.
    """
    found = {}
    for experiment, combine in COMBINERS.items():
        for path in [*report.glob(f"tables/{experiment}_*"), *report.glob(f"figures/{experiment}_*")]:
            path.unlink()
        complete = [run for run in runs if run.experiment == experiment and run.state == "complete"]
        results, skipped = _readable(complete)
        if results or skipped:
            combination = combine(results, printed_for(papers, experiment))
            found[experiment] = _written(report, experiment, combination, len(results), skipped)
    return found


def _readable(runs: Sequence[Run]) -> tuple[list[Results], list[tuple[str, str]]]:
    results, skipped = [], []
    for run in runs:
        try:
            results.append(read_results(run))
        except NotTestable as reason:
            skipped.append((run.label, str(reason)))
    return results, skipped


def _written(
    report: Path, experiment: str, combination: Combination, runs: int, skipped: list[tuple[str, str]]
) -> Together:
    figures = []
    for noted in combination.tables:
        write_table(noted.table, report, f"{experiment}_{noted.name}")
    for drawn in combination.figures:
        name = f"{experiment}_{drawn.name}"
        save_figure(drawn.figure, report, name, drawn.caption)
        figures.append(FigureFile(name, report / "figures" / f"{name}.png", drawn.caption))
    return Together(runs, combination.tables, figures, skipped)
