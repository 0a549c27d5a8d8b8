"""Time the suite against other people's tools and against what the machine can do at best.

    python -m benchmarks.bench              # nine minutes on two cores
    python -m benchmarks.bench --only hep   # the jobs whose names begin so; writes nothing without --output
    python -m benchmarks.bench --full       # 8 images and 50 nodes for every CNN, too: half an hour
    python -m benchmarks.bench --quick      # tiny jobs: shows that it works, and writes nothing without --output

Every candidate has a process of its own; they take turns, and their results are compared first (`turns`). Tables and
figures go to outputs/benchmarks/, where `python run.py action=report` finds them. On a machine that others use, threads
wait for one another and times scatter: take --threads 1.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import around, field, generation, hep, images, players, retraining, scaling, weighted
from benchmarks.output import write
from benchmarks.turns import Goal, Job, Timing, time_in_turns
from igbaselines.common.files import write_text
from igbaselines.common.places import PROJECT_ROOT

PACKAGES = ("torch", "torchvision", "captum", "shap", "saliency", "quantus", "path-explain", "numpy")
SECONDS_A_TURN = 1.0
GOAL_COLUMNS = ["job", "candidate", "against", "times as fast", "goal", "met", "why not"]
Row = dict[str, object]


def jobs(quick: bool, full: bool = False) -> Iterator[Job]:
    """Every job, in the order of the table."""
    yield hep.job(quick)
    for architecture in images.NETWORKS:
        yield images.job(architecture, 1, 16, quick, everybody=full or architecture == "mobilenet_v2")
        more = ((8, 16), (1, 50), (8, 50)) if full else ((8, 16),) if architecture == "mobilenet_v2" else ()
        yield from (images.job(architecture, n, steps, quick) for n, steps in more if not quick)
    yield images.first_call_job("mobilenet_v2", quick)
    yield weighted.job(quick)
    yield players.job(quick)
    yield from field.jobs(quick)
    yield from around.jobs(quick)
    yield retraining.job(quick)
    yield from generation.jobs(quick)


def timing_rows(job: Job, timings: Sequence[Timing]) -> list[Row]:
    """One row for each candidate."""
    limit = next((t for t in timings if t.candidate == job.limit), None)
    first = timings[0]
    return [
        {
            "job": job.name,
            "candidate": t.candidate,
            "seconds": t.median if t.seconds else None,
            "least": min(t.seconds, default=None),
            "most": max(t.seconds, default=None),
            "times_ours": ratio(t, first),
            "times_limit": None if limit is None else ratio(t, limit),
            "peak_mib": t.memory if t.seconds else None,
            "difference": t.difference,
            "timed": t.failed or ("whole" if t.units == job.units else f"{t.units}/{job.units} {job.unit}"),
        }
        for t in timings
    ]


def ratio(slower: Timing, faster: Timing) -> float | None:
    """Median over the rounds of how many times as long one takes as the other."""
    if not slower.seconds or not faster.seconds:
        return None
    return statistics.median(a / b for a, b in zip(slower.seconds, faster.seconds, strict=True))


def goal_row(job: Job, goal: Goal, timings: Sequence[Timing]) -> Row | None:
    """Whether a goal is met, and where it is not, how much there was to gain; None where nothing was measured."""
    of = {t.candidate: t for t in timings}
    measured = ratio(of[goal.against], of[goal.candidate])
    if measured is None:
        return None
    met = measured >= goal.at_least
    reason = "" if met else goal.note
    if not met and job.limit and goal.against != job.limit:
        most, left = ratio(of[goal.against], of[job.limit]), ratio(of[goal.candidate], of[job.limit])
        reason = f"the limit itself is {most:.2f} times as fast as {goal.against}; this takes {left:.2f} times its time"
    return {
        "job": job.name,
        "candidate": goal.candidate,
        "against": goal.against,
        "times as fast": measured,
        "goal": goal.at_least,
        "met": "yes" if met else "no",
        "why not": reason,
    }


def print_job(job: Job, rows: Sequence[Row], console: Console) -> None:
    """Show the candidates of a job."""
    table = Table(title=job.title, title_justify="left")
    for heading in ("candidate", "s", "least", "most", "x ours", "x limit", "MiB", "difference", "timed"):
        table.add_column(heading, justify="left" if heading in ("candidate", "timed") else "right")
    formats = {"peak_mib": ".0f", "difference": ".0e"}
    for row in rows:
        cells = [
            value if isinstance(value, str) else "" if value is None else f"{value:{formats.get(key, '.3g')}}"
            for key, value in row.items()
            if key != "job"
        ]
        table.add_row(*cells)
    console.print(table)


def print_goals(goals: pd.DataFrame, console: Console) -> None:
    """Show what was wanted beside what was measured."""
    table = Table(title="How many times as fast, against what was wanted", title_justify="left")
    for column in goals.columns:
        table.add_column(column)
    for row in goals.itertuples(index=False):
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)


def system(threads: int, seconds: float) -> Row:
    """What it ran on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        processor = names[0].partition(": ")[2] if names else processor
    return {
        "processor": processor,
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
        "seconds": round(seconds),
        "packages": {name: version(name) for name in PACKAGES if _installed(name)},
    }


def _installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny jobs, to see that it works")
    parser.add_argument("--full", action="store_true", help="every size of the jobs on images")
    parser.add_argument("--only", default="", help="the jobs whose names begin so, without the scaling")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="one a core (the default)")
    parser.add_argument("--output", type=Path, help="folder of the results: outputs/benchmarks for all jobs")
    arguments = parser.parse_args()
    partly = arguments.only or arguments.quick
    folder = arguments.output or (None if partly else PROJECT_ROOT / "outputs" / "benchmarks")
    rounds, turn = (1, 0.05) if arguments.quick else (arguments.rounds, SECONDS_A_TURN)
    console, start = Console(width=150), time.perf_counter()
    timings: list[Row] = []
    goals: list[Row] = []
    for job in jobs(arguments.quick, arguments.full):
        if job.name.startswith(arguments.only):
            measured = time_in_turns(job, rounds, turn, arguments.threads)
            rows = timing_rows(job, measured)
            print_job(job, rows, console)
            console.print(f"[{time.perf_counter() - start:.0f} s so far]", markup=False)
            timings += rows
            goals += [row for goal in job.goals if (row := goal_row(job, goal, measured)) is not None]
    if not timings:
        names = ", ".join(job.name for job in jobs(arguments.quick))
        raise SystemExit(f"no job begins with {arguments.only!r}: {names}")
    grown = [] if arguments.only else scaling.measure(arguments.quick, rounds, turn / 4, arguments.threads)
    console.print(f"{time.perf_counter() - start:.0f} s")
    judged = pd.DataFrame(goals, columns=GOAL_COLUMNS)
    ran_on = system(arguments.threads, time.perf_counter() - start)
    if folder is not None:
        write(folder, pd.DataFrame(timings), judged, pd.DataFrame(grown))
        write_text(folder / "system.json", json.dumps(ran_on, indent=2))
        console.print(f"tables and figures: {folder}")
    print_goals(judged, console)
    console.print(ran_on)


if __name__ == "__main__":
    main()
