"""Fill docs/statistics.md in: how often intervals behind verdicts hold what they should, and verdicts decide.

    python scripts/simulate_coverage.py outputs/hep_baselines/*-full-* outputs/shapley_gridworld/*-full-* ...

The units of a large run stand for all there could be, so that the value that each claim is about is known. Runs of the
demo's size, and of the large run's, are drawn from them with replacement, rows of a unit together, and judged as any
run is: their covariance, steps and tails are those of the rows.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.common.errors import UserError
from igbaselines.common.files import write_text
from igbaselines.reporting.claims import Claim, judge
from igbaselines.reporting.page.runs import OF_A_JOB, whole_command
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.rows import choose
from igbaselines.reporting.statistics.estimates import ENOUGH
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.config import CLAIMS_ROOT

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
SEED = 0
LEAST_COVERED = 0.93  # covered by a 95 % interval, as far as draws can tell
SCALES = ("demo", "full")
NETWORK = r"network_\d+$"
POOLED = "replicates of"  # in a record's test: networks that a run has pooled are no rows to draw
# Tests of "for all": a part may truly contradict where the average lies on the edge.
FOR_ALL = ("curve_difference", "paired_differences")
CURVES = ("curve_difference", "curve_rise", "plateau")  # of what only networks that are retrained have

MARK = "<!-- from here on by scripts/simulate_coverage.py -->"
TABLE = """| test | size | claims | covered (lowest) | falsely reproduced | falsely not reproduced | decided |
|---|---|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Axis:
    """What is drawn: the names in a column that match, and how many of them the demo and the large run have."""

    column: str
    names: str  # a regular expression
    sizes: tuple[int, int]
    called: str = "unit"
    retrained: tuple[int, int] | None = None  # the same for curves, of which there may be fewer

    def sizes_for(self, claim: Claim) -> tuple[int, int]:
        """How many of them the demo and the large run have for a claim."""
        of_curves = claim.test in CURVES or "k" in claim.where
        return self.retrained if self.retrained and of_curves else self.sizes


# By experiment; names that stand in the same column are units of their own.
AXES = {
    "hep_baselines": (Axis("unit", rf"(seed_\d+_)?{NETWORK}", (12, 10), "network", retrained=(6, 10)),),
    "shapley_gridworld": (Axis("network", ".", (5, 10), "network"), Axis("unit", "world_", (100, 200), "state")),
    "weighted_gradients": (Axis("unit", ".*_", (20, 20)),),
    "shapley_images": (Axis("unit", ".*_", (10, 10)),),
}


@dataclass
class Found:
    """What runs of one size, drawn for a claim, said."""

    covered: list[bool] = field(default_factory=list)  # of those with an interval: whether it holds the value
    decided: list[bool] = field(default_factory=list)  # at the claim's own threshold
    at_edge: list[str] = field(default_factory=list)  # verdicts with the threshold at the value; a range has two

    def falsely(self, *verdicts: str) -> float:
        """The share of decisions where the truth lies on the edge; NaN for a range."""
        return sum(verdict in verdicts for verdict in self.at_edge) / len(self.at_edge) if self.at_edge else np.nan

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the value."""
        return float(np.mean(self.covered)) if self.covered else np.nan


class Population:
    """Rows of which runs are drawn: names of each axis with replacement, all rows of a name together.

    Few networks, such as those of a study beside, are fixed, as they are for the tests.
    """

    def __init__(self, rows: pd.DataFrame, axes: Sequence[Axis]) -> None:
        self.rows, self.axes = rows, axes
        self.codes: list[np.ndarray] = []  # of each axis the number of a row's name; -1: it has none
        for axis in axes:
            values = rows[axis.column] if axis.column in rows else pd.Series(pd.NA, index=rows.index)
            there = values.notna() & values.astype(str).str.match(axis.names)
            codes, names = pd.factorize(values.where(there), sort=True)
            self.codes.append(codes if len(names) >= ENOUGH else np.full(len(rows), -1))
        self.own = [  # rows that are named by the unit, too
            np.asarray(rows["unit"] == rows[axis.column]) if axis.column in rows else np.zeros(len(rows), bool)
            for axis in axes
        ]

    def draw(self, sizes: Sequence[int], rng: np.random.Generator) -> pd.DataFrame:
        """A run with so many names of each axis."""
        places, labels = np.arange(len(self.rows)), list[tuple[str, np.ndarray]]()
        for axis, codes, own, size in zip(self.axes, self.codes, self.own, sizes, strict=True):
            here = codes[places]
            if (here < 0).all():
                continue
            groups = np.split(
                np.argsort(here, kind="stable"), np.searchsorted(np.sort(here), np.arange(here.max() + 1))
            )
            drawn = [groups[0], *(groups[1 + name] for name in rng.integers(here.max() + 1, size=size))]
            kept = np.concatenate(drawn)
            names = np.array(["", *(f"{axis.called}_{i}" for i in range(size))], object)
            labels = [(column, label[kept]) for column, label in labels]
            labels.append((axis.column, np.repeat(names, [len(part) for part in drawn])))
            labels.append(("unit", np.where(own[places[kept]], labels[-1][1], "")))
            places = places[kept]
        found = self.rows.iloc[places].reset_index(drop=True)
        for column, label in labels:
            found[column] = np.where(label == "", found[column].astype(object), label)
        return found


def simulate(claim: Claim, population: Population, sizes: Sequence[int], draws: int) -> Found:
    """Judge a claim on runs drawn from the rows of a large one, which tell its value."""
    rng, found, value = np.random.default_rng(SEED), Found(), judge(claim, population.rows)["value"]
    edge = _with_edge(claim, value)
    for _ in range(draws):
        drawn = population.draw(sizes, rng)
        record = judge(claim, drawn)
        found.decided.append(record["verdict"] not in (Verdict.INCONCLUSIVE, Verdict.NOT_TESTED))
        if record["value"] is not None:
            found.covered.append(record["ci_low"] <= value <= record["ci_high"])
        if edge is not None:
            found.at_edge.append(judge(edge, drawn)["verdict"])
    return found


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
        if key[0] not in AXES:
            raise UserError(f"{folder}: {key[0]} is none of {', '.join(AXES)}")
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
    """A line for each claim that an interval over units decides, and for each size."""
    axes, lines = AXES[experiment], []
    for claim in claims:
        known = judge(claim, rows)
        if known["value"] is None or POOLED in known["test"]:
            continue
        of_size: dict[tuple[int, ...], list[str]] = {}
        for scale, sizes in zip(SCALES, zip(*(axis.sizes_for(claim) for axis in axes), strict=True), strict=True):
            of_size.setdefault(sizes, []).append(scale)
        print(claim.id, file=sys.stderr)  # minutes an experiment
        population = Population(slim(claim, rows), axes)
        for sizes, scales in of_size.items():
            found = simulate(claim, population, sizes, draws)
            lines.append(
                {
                    "claim": claim.id.partition("/")[2],
                    "test": claim.test,
                    "scale": f"{', '.join(scales)}: "
                    + " x ".join(f"{n} {axis.called}s" for n, axis in zip(sizes, axes, strict=True)),
                    "coverage": found.coverage,
                    "reproduced": found.falsely(Verdict.REPRODUCED, Verdict.PARTLY),
                    "not reproduced": np.nan if claim.test in FOR_ALL else found.falsely(Verdict.NOT_REPRODUCED),
                    "decided": float(np.mean(found.decided)),
                }
            )
    return pd.DataFrame(lines)


def page(tables: Mapping[tuple[str, ...], pd.DataFrame], commands: Sequence[str], draws: int) -> str:
    """The part of the page that is made here."""
    error = 100 * (0.95 * 0.05 / draws) ** 0.5
    known = f"{draws} draws a claim and size: a share of 95 % is known to {error:.1f} percentage points or so"
    lines = [f"{known}, one in three is further off.", ""]
    for (experiment, *what), found in tables.items():
        lines += [f"### {experiment}: {', '.join(what)}", "", TABLE]
        for (test, scale), some in found.groupby(["test", "scale"], sort=False):
            covered = f"{_percent(some['coverage'].median())} ({_percent(some['coverage'].min())})"
            falsely = [_percent(some[name].max()) for name in ("reproduced", "not reproduced")]
            cells = [f"`{test}`", scale, len(some), covered, *falsely, _percent(some["decided"].mean())]
            lines.append(f"| {' | '.join(map(str, cells))} |")
        lines += ["", *_short(found), ""]
    return "\n".join([*lines, "The rows were those of:", "", *(f"    {command}" for command in commands)]) + "\n"


def _short(found: pd.DataFrame) -> Iterator[str]:
    """The claims whose intervals hold too little, and at which size."""
    low = found[found["coverage"] < LEAST_COVERED]
    ending = ":" if len(low) else "."
    yield f"Less than {_percent(LEAST_COVERED)} is covered by {len(low)} of {len(found)} intervals{ending}"
    yield ""
    for claim, some in low.groupby("claim", sort=False):
        sizes = zip(some["coverage"], some["scale"], strict=True)
        yield f"- `{claim}`: " + ", ".join(f"{_percent(covered)} ({scale})" for covered, scale in sizes)


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
