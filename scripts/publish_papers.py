"""Put what runs say of the papers into docs/results/papers/: an article for each paper, its figures, and what was run.

    python scripts/publish_papers.py outputs/hep_baselines/*-full-* outputs/shapley_gridworld/*-full-*

Articles are made anew from the rows of all of the runs; of runs that differ in the seed alone the first one's figures
stand for all. `--demo FOLDER...` says which verdicts were others in runs of the demo.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.reporting.claims import Paper
from igbaselines.reporting.page.anew import judged_by_today
from igbaselines.reporting.page.article.paper import write_articles
from igbaselines.reporting.page.beside import for_page, shown_figures
from igbaselines.reporting.page.by_seed import steady
from igbaselines.reporting.page.runs import OF_A_JOB, ReportedRun, find_runs, whole_command
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.states import COMPLETE

ROOT = Path(__file__).parents[1]
MADE = (
    "Made by `scripts/publish_papers.py` from the rows of these runs; "
    "wall times are those of their machine, whatever else it did."
)
OF_PLACE = (*OF_A_JOB, "output_root=", "data_root=", "force=")  # of a command: no part of the result


def publish(folders: Sequence[Path], root: Path = ROOT, demo: Sequence[Path] = ()) -> Path:
    """Write docs/results/papers/ anew, with what the demo's runs say beside; returns it.

    Raises:
        UserError: for a folder that is no complete run, or where no run says anything of a paper; what was there stays.
    """
    with tempfile.TemporaryDirectory() as place:
        made, papers = Path(place, "papers"), load_papers(CLAIMS_ROOT)
        runs = _read(folders, Path(place, "outputs"), papers)
        smaller = _read(demo, Path(place, "demo"), papers)
        made.mkdir()
        _write(papers, runs, made, beside(smaller, runs))
        to = root / "docs" / "results" / "papers"
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(made, to)
    return to


def _read(folders: Sequence[Path], outputs: Path, papers: Sequence[Paper]) -> list[ReportedRun]:
    """Copies of complete runs, judged by today's rules, in order."""
    copies = {folder: outputs / folder.resolve().parent.name / folder.resolve().name for folder in folders}
    for folder, copy in copies.items():
        if folder.is_dir():
            shutil.copytree(folder, copy)
    runs = steady(judged_by_today(find_runs(outputs), papers, CLAIMS_ROOT, outputs)) if copies else []
    complete = {run.folder for run in runs if run.state == COMPLETE}
    if other := [str(folder) for folder, copy in copies.items() if copy not in complete]:
        raise UserError(f"{', '.join(other)}: no complete run")
    return sorted(map(_without_place, runs), key=_order)


def beside(demo: Sequence[ReportedRun], runs: Sequence[ReportedRun]) -> list[str]:
    """Lines of Markdown: how many claims stay open in the demo and in larger runs, and which verdicts are others."""
    verdicts = [_verdicts(some) for some in (demo, runs)]
    lines: list[str] = []
    for what in verdicts[1]:
        known, found = (of.get(what, {}) for of in verdicts)
        if not known:
            continue
        both = [claim for claim in found if claim in known]
        said = [[verdict for claim in both for verdict in of[claim]] for of in (known, found)]
        shares = [f"{one.count(Verdict.INCONCLUSIVE)} of {len(one)}" for one in said]
        lines += ["", f"**{', '.join(what)}**: inconclusive {shares[0]} in the demo, {shares[1]} here.", ""]
        lines += ["| claim | demo | here |", "| --- | --- | --- |"]
        changed = [claim for claim in both if set(known[claim]) != set(found[claim])]
        lines += [f"| `{claim}` | {_counted(known[claim])} | {_counted(found[claim])} |" for claim in changed]
    return ["", "## Beside the demo", "", "Verdicts that are not the same in all runs:", *lines] if lines else []


def _verdicts(runs: Sequence[ReportedRun]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """By experiment, data and network, and by claim, what the seeds say; what a run does not test is left out."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for run in runs:
        what = found.setdefault(_order(run)[:3], {})
        for record in run.claims:
            if record["verdict"] != Verdict.NOT_TESTED:
                what.setdefault(record["id"].partition("/")[2], []).append(record["verdict"])
    return found


def _counted(verdicts: Sequence[str]) -> str:
    counts = Counter(verdicts)
    return ", ".join(f"{verdict} {times} x" if len(verdicts) > 1 else verdict for verdict, times in counts.items())


def _without_place(run: ReportedRun) -> ReportedRun:
    """The run as any other machine would have made it: every command of an article comes from its provenance."""
    made = json.loads(run.provenance)
    return replace(run, provenance=json.dumps(made | {"command": whole_command(made["command"], OF_PLACE)}))


def _write(papers: Sequence[Paper], runs: Sequence[ReportedRun], to: Path, ending: Sequence[str]) -> None:
    articles = [path for path in write_articles(to.parent, papers, runs).values() if path.suffix == ".md"]
    if not articles:
        raise UserError("no run says anything of a paper")
    lines = ["# The papers, reproduced: the largest runs so far", ""]
    for article in articles:
        text = article.read_text(encoding="utf-8")
        (to / article.name).write_text(text + _figures(article.stem, runs, to), encoding="utf-8")
        lines.append(f"- [{article.stem}]({article.name}): {text.splitlines()[0].lstrip('# ')}")
    lines += ["", MADE, *_table(runs), *ending]
    (to / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _order(run: ReportedRun) -> tuple[str, str, str, int]:
    """By experiment, data and network, and then by seed."""
    known = run.settings
    return run.experiment, str(known.get("dataset_name")), str(known.get("model_name")), int(known.get("seed", 0))


def _figures(paper: str, runs: Sequence[ReportedRun], to: Path) -> str:
    """Copy the figures of a paper's runs, as the page shows them; returns the article's last part."""
    of_data: dict[tuple[str, ...], ReportedRun] = {}
    for run in runs:
        if any(record["paper"] == paper for record in run.claims):
            data = (str(run.settings["dataset_name"]), str(run.settings["model_name"]))
            of_data.setdefault((run.experiment, *data), run)
    lines = ["", "## Figures", ""]
    for names, run in of_data.items():
        for figure in shown_figures(run):
            content, suffix = for_page(figure.path)
            name = "_".join((*names, figure.name)) + suffix
            (to / name).write_bytes(content)
            lines += [f"![{figure.name}]({name})", "", f"{run.place}: {figure.caption}", ""]
    return "\n".join(lines)


def _table(runs: Sequence[ReportedRun]) -> list[str]:
    """By command a line for each of its runs: network, seed, time, rows and their checksum."""
    lines: list[str] = []
    for command, some in groupby(runs, key=lambda run: str(json.loads(run.provenance)["command"])):
        lines += ["", f"    {command}", ""]
        lines += ["| network | seed | wall time | rows | sha256 of rows.parquet | code |", f"|{' --- |' * 6}"]
        for run in some:
            made, rows = json.loads(run.provenance), run.folder / "rows.parquet"
            time, count = f"{made['wall_time_s'] / 60:.0f} min", str(pq.read_metadata(rows).num_rows)
            cells = [str(run.settings["model_name"]), str(made["seed"]), time, count, sha256(rows), made["code"][:16]]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of complete runs")
    parser.add_argument("--demo", type=Path, nargs="+", default=[], help="folders of the same runs at demo scale")
    given = parser.parse_args()
    try:
        print(publish(given.runs, demo=given.demo))
    except UserError as error:
        parser.error(str(error))
