"""The part of the report that takes all complete runs of an experiment together: report/tables and report/figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from igbaselines.reporting.claims import Paper, printed_for
from igbaselines.reporting.combination import Combination, Noted
from igbaselines.reporting.labels import printed_as
from igbaselines.reporting.page.missing import say_part
from igbaselines.reporting.page.runs import FigureFile, ReportedRun, Results, read_results
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.running.rows import Names
from igbaselines.running.study import experiments, look_up
from igbaselines.running.sweeps import Sweep


@dataclass(frozen=True)
class CombinedRuns:
    """What the report shows above the runs of an experiment.

    Args:
        runs: number of runs that were combined.
        tables: with their notes.
        figures: as files.
        skipped: label and reason of each complete run that could not be read.
        parts: of each sweep that is not all in, how much of it is.
    """

    runs: int
    tables: list[Noted]
    figures: list[FigureFile]
    skipped: list[tuple[str, str]]
    parts: list[str]


def write_combined(
    report: Path, runs: Sequence[ReportedRun], papers: Sequence[Paper], sweeps: Sequence[Sweep]
) -> dict[str, CombinedRuns]:
    """Combine the complete runs of every experiment that has a combination: experiment -> what was written.

    Tables and figures of earlier reports are replaced.
    """
    written = {}
    for experiment, combine in ((name, found.combine) for name, found in experiments().items() if found.combine):
        for path in [*report.glob(f"tables/{experiment}_*"), *report.glob(f"figures/{experiment}_*")]:
            path.unlink()
        complete = [run for run in runs if run.experiment == experiment and run.state == "complete"]
        results, skipped = _readable(complete)
        if results or skipped:
            with printed_as(Names.of_all(result.names for result in results)):
                made: Combination = look_up(combine)(results, printed_for(papers, experiment))
                tables, figures = _written(report, experiment, made)
            written[experiment] = CombinedRuns(len(results), tables, figures, skipped, _parts(experiment, sweeps, runs))
    return written


def _readable(runs: Sequence[ReportedRun]) -> tuple[list[Results], list[tuple[str, str]]]:
    results, skipped = [], []
    for run in runs:
        try:
            results.append(read_results(run))
        except NotTestable as reason:
            skipped.append((run.label, str(reason)))
    return results, skipped


def _parts(experiment: str, sweeps: Sequence[Sweep], runs: Sequence[ReportedRun]) -> list[str]:
    of_experiment = [sweep for sweep in sweeps if experiment in {run.folder[0] for run in sweep.runs if run.folder}]
    return [words for sweep in of_experiment if (words := say_part(sweep, runs))]


def _written(report: Path, experiment: str, made: Combination) -> tuple[list[Noted], list[FigureFile]]:
    figures = []
    for noted in made.tables:
        write_table(noted.table, report, f"{experiment}_{noted.name}")
    for drawn in made.figures:
        name = f"{experiment}_{drawn.name}"
        save_figure(drawn.figure, report, name, drawn.caption)
        figures.append(FigureFile(name, report / "figures" / f"{name}.png", drawn.caption))
    return made.tables, figures
