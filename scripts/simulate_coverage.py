"""Fill docs/statistics.md in: how often intervals behind verdicts hold what they should, and verdicts decide.

    python scripts/simulate_coverage.py outputs/hep_baselines/*-full-* outputs/shapley_gridworld/*-full-* ...

The units of a large run stand for all there could be, so that the value that each claim is about is known. Runs of the
demo's size, and of the large run's, are drawn from them with replacement, rows of a unit together, and judged as any
run is: their covariance, steps and tails are those of the rows. Once more with normal values of the same covariance:
what a formula misses there is its own fault, and what it misses more of the rows that of their tails.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.common.cores import usable_cores
from igbaselines.common.errors import UserError
from igbaselines.common.files import write_text
from igbaselines.reporting.claims import Claim, judge
from igbaselines.reporting.page.decide import POOLED
from igbaselines.reporting.page.runs import OF_A_JOB, whole_command
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.rows import choose
from igbaselines.reporting.statistics.drawn import Axis, Normal, Resampled
from igbaselines.reporting.statistics.verdicts import NotTestable, Verdict
from igbaselines.running.config import CLAIMS_ROOT

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
SEED = 0
LEAST_COVERED = 0.93  # covered by a 95 % interval, as far as draws can tell
SCALES = ("demo", "full")
RESAMPLED, NORMAL = "the rows themselves", "normal values of their covariance"
NETWORK = r"network_\d+$"
# Tests of "for all": a part may truly contradict where the average lies on the edge.
FOR_ALL = ("curve_difference", "paired_differences")
# A baseline chosen by the other photographs hangs on how many these are: what such tests estimate is the mean of runs.
CHOOSING = ("against_best_single", "best_is_shared")
CURVES = ("curve_difference", "curve_rise", "plateau")  # of what only networks that are retrained have

MARK = "<!-- from here on by scripts/simulate_coverage.py -->"
TABLE = """| test | size | claims | covered (range) | falsely reproduced | falsely not reproduced | decided |
|---|---|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Units:
    """What is drawn for an experiment, and how many of each axis the demo and the large run have."""

    axes: tuple[Axis, ...]
    sizes: tuple[tuple[int, ...], tuple[int, ...]]
    retrained: tuple[tuple[int, ...], tuple[int, ...]] | None = None  # the same for curves, of which there may be fewer

    def sizes_for(self, claim: Claim) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How many of them the demo and the large run have for a claim."""
        of_curves = claim.test in CURVES or "k" in claim.where
        return self.retrained if self.retrained and of_curves else self.sizes


UNITS = {
    "hep_baselines": Units((Axis("unit", rf"(seed_\d+_)?{NETWORK}", "network"),), ((12,), (10,)), ((6,), (10,))),
    "shapley_gridworld": Units(
        (Axis("network", ".", "network"), Axis("unit", "world_", "state")), ((5, 100), (10, 200))
    ),
    "weighted_gradients": Units((Axis("unit", ".*_", "photograph"),), ((18,), (18,))),  # 2 of 20 are left out
    "shapley_images": Units((Axis("unit", ".*_", "photograph"),), ((10,), (10,))),
}


@dataclass(frozen=True)
class Found:
    """What runs of one size, drawn for a claim, said."""

    covered: Sequence[bool]  # of those with an interval: whether it holds the value
    decided: Sequence[bool]  # at the claim's own threshold
    at_edge: Sequence[str]  # verdicts with the threshold at the value; a range has two

    def falsely(self, *verdicts: str) -> float:
        """The share of decisions where the truth lies on the edge; NaN for a range."""
        return sum(verdict in verdicts for verdict in self.at_edge) / len(self.at_edge) if self.at_edge else np.nan

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the value."""
        return float(np.mean(self.covered)) if self.covered else np.nan


def simulate(claim: Claim, population: Resampled | Normal, sizes: Sequence[int], draws: int) -> Found:
    """Judge a claim on runs drawn from a population, which tells its value, and again with the threshold there."""
    records = [judge(claim, run) for run in _runs(population, sizes, draws)]
    held = [record for record in records if record["value"] is not None]
    value = judge(claim, population.whole)["value"]
    if claim.test in CHOOSING and held:
        value = float(np.mean([record["value"] for record in held]))
    edge = _with_edge(claim, value)
    return Found(
        covered=[record["ci_low"] <= value <= record["ci_high"] for record in held],
        decided=[record["verdict"] not in (Verdict.INCONCLUSIVE, Verdict.NOT_TESTED) for record in records],
        at_edge=[judge(edge, run)["verdict"] for run in _runs(population, sizes, draws)] if edge else [],
    )


def _runs(population: Resampled | Normal, sizes: Sequence[int], draws: int) -> Iterator[pd.DataFrame]:
    """The same ones at every call."""
    rng = np.random.default_rng(SEED)
    return (population.draw(sizes, rng) for _ in range(draws))


def _with_edge(claim: Claim, value: float) -> Claim | None:
    """The claim with its only edge moved to a value; None for a range, which has two."""
    if claim.claimed.threshold is None:
        return None
    edges = [key for key in ("more_than", "at_least", "at_most") if np.isfinite(getattr(claim.claimed, key))]
    return replace(claim, claimed=replace(claim.claimed, **dict.fromkeys(edges, value)))


def slim(claim: Claim, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that a claim needs, as far as its parameters name them: what it finds in them is the same."""
    record, kept = judge(claim, rows), choose(rows, claim.where)
    words = set(_words(claim.parameters))
    for column in ("method", "metric"):
        fewer = kept[kept[column].isin(words)]
        if judge(claim, fewer) == record:
            kept = fewer
    return kept


def _words(value: Any) -> Iterator[str]:  # noqa: ANN401 (YAML)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | Sequence):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _words(part)


def populations(folders: Sequence[Path]) -> dict[tuple[str, ...], pd.DataFrame]:
    """The rows of runs by experiment, data and network.

    Collision networks of several seeds are one population. With every seed photographs are the same, and states are
    explained by networks of their own: there the first run is the population.

    Raises:
        UserError: for a folder without rows, or of an experiment that has no axes here.
    """
    found: dict[tuple[str, ...], list[pd.DataFrame]] = {}
    for folder in folders:
        if not (folder / "rows.parquet").is_file():
            raise UserError(f"{folder}: no complete run, it has no rows.parquet")
        rows = pd.read_parquet(folder / "rows.parquet")
        key = tuple(str(rows[column].iloc[0]) for column in ("experiment", "dataset", "model"))
        if key[0] not in UNITS:
            raise UserError(f"{folder}: {key[0]} is none of {', '.join(UNITS)}")
        found.setdefault(key, []).append(rows)
    return {key: _together(runs) if key[0] == "hep_baselines" else runs[0] for key, runs in found.items()}


def _together(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Networks of all runs, and what is no network's of the first; replicates of whole runs are of no use here."""
    parts = []
    for seed, rows in enumerate(runs):
        unit = rows["unit"].astype(str)
        own, whole = unit.str.match(NETWORK), ~unit.str.startswith("bootstrap_")
        kept = rows[own | (whole & (seed == 0))]
        parts.append(kept.assign(unit=unit[kept.index].where(~own[kept.index], f"seed_{seed}_" + unit[kept.index])))
    return pd.concat(parts, ignore_index=True)


def simulated(experiment: str, rows: pd.DataFrame, claims: Iterable[Claim], draws: int) -> pd.DataFrame:
    """A line for each claim that an interval over units decides, for each size and each way to draw."""
    with ProcessPoolExecutor(usable_cores(), get_context("fork")) as processes:
        jobs = [
            processes.submit(_lines, UNITS[experiment], claim, slim(claim, rows), draws)
            for claim in claims
            if (known := judge(claim, rows))["value"] is not None
            and not POOLED.search(known["test"])  # what a run has pooled is no row to draw
        ]
        return pd.DataFrame([line for job in jobs for line in job.result()])


def _lines(units: Units, claim: Claim, rows: pd.DataFrame, draws: int) -> list[dict[str, Any]]:
    print(claim.id, file=sys.stderr)  # minutes an experiment
    of_size: dict[tuple[int, ...], list[str]] = {}
    for scale, sizes in zip(SCALES, units.sizes_for(claim), strict=True):
        of_size.setdefault(sizes, []).append(scale)
    lines = []
    for how, population in _populations(rows, units.axes):
        if judge(claim, population.whole)["value"] is None:  # it needs rows that not all units have
            continue
        for sizes, scales in of_size.items():
            found = simulate(claim, population, sizes, draws)
            counted = " x ".join(f"{n} {axis.called}s" for n, axis in zip(sizes, units.axes, strict=True))
            lines.append(
                {
                    "how": how,
                    "claim": claim.id.partition("/")[2],
                    "test": claim.test,
                    "scale": f"{', '.join(scales)}: {counted}",
                    "coverage": found.coverage,
                    "reproduced": found.falsely(Verdict.REPRODUCED, Verdict.PARTLY),
                    "not reproduced": np.nan if claim.test in FOR_ALL else found.falsely(Verdict.NOT_REPRODUCED),
                    "decided": float(np.mean(found.decided)),
                }
            )
    return lines


def _populations(rows: pd.DataFrame, axes: Sequence[Axis]) -> Iterator[tuple[str, Resampled | Normal]]:
    yield RESAMPLED, Resampled(rows, axes)
    if len(axes) == 1:  # what is crossed has no covariance of one kind
        with suppress(NotTestable):
            yield NORMAL, Normal(rows, axes[0])


def page(tables: Mapping[tuple[str, ...], pd.DataFrame], commands: Sequence[str], draws: int) -> str:
    """The part of the page that is made here."""
    error = 100 * (0.95 * 0.05 / draws) ** 0.5
    known = f"{draws} draws a claim and size: a share of 95 % is known to {error:.1f} percentage points or so"
    lines = [f"{known}, one in three is further off.", ""]
    for (experiment, *what), found in tables.items():
        for how, every in found.groupby("how", sort=False):
            lines += _section(f"{experiment}: {', '.join(what)}, {how}", every)
    return "\n".join([*lines, "The rows were those of:", "", *(f"    {command}" for command in commands)]) + "\n"


def _section(heading: str, found: pd.DataFrame) -> Iterator[str]:
    yield from (f"### {heading}", "", TABLE)
    for (test, scale), some in found.groupby(["test", "scale"], sort=False):
        covered = [_percent(value) for value in some["coverage"].quantile([0.5, 0.0, 1.0])]
        falsely = [_percent(some[name].max()) for name in ("reproduced", "not reproduced")]
        cells = [f"`{test}`", scale, len(some), "{} ({} to {})".format(*covered), *falsely]
        yield f"| {' | '.join(map(str, [*cells, _percent(some['decided'].mean())]))} |"
    low = found[found["coverage"] < LEAST_COVERED]
    short = f"Less than {_percent(LEAST_COVERED)} is covered by {len(low)} of {len(found)} intervals"
    yield from ("", f"{short}{':' if len(low) else '.'}", "")
    for claim, some in low.groupby("claim", sort=False):
        sizes = zip(some["coverage"], some["scale"], strict=True)
        yield f"- `{claim}`: " + ", ".join(f"{_percent(covered)} ({scale})" for covered, scale in sizes)
    yield from ([""] if len(low) else [])


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if np.isfinite(share) else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of complete runs, larger than the demo")
    parser.add_argument("--draws", type=int, default=1000, help="runs that are drawn for a claim and a size")
    given = parser.parse_args()
    if given.draws < 1:
        parser.error(f"--draws must be at least 1, got {given.draws}")
    try:
        found = populations(given.runs)
    except UserError as error:
        parser.error(str(error))
    claims = [(name, claim) for paper in load_papers(CLAIMS_ROOT) for name, of in paper.claims.items() for claim in of]
    tables = {
        key: simulated(key[0], rows, [claim for name, claim in claims if name == key[0]], given.draws)
        for key, rows in found.items()
    }
    made = [json.loads((run / "provenance.json").read_text(encoding="utf-8")) for run in given.runs]
    commands = dict.fromkeys(
        whole_command(one["command"], (*OF_A_JOB, "output_root=", "data_root=", "force=")) for one in made
    )
    said = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    write_text(PAGE, f"{said}{MARK}\n\n{page(tables, list(commands), given.draws)}")
