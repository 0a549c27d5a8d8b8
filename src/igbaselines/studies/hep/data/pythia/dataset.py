"""Collisions from Pythia 8 and FastJet: the signal and ten backgrounds of arXiv:2412.13864 with real showers.

The paper used MadGraph, Pythia and Delphes. Here everything is leading order from Pythia, and the detector is a
resolution, efficiencies and acceptances. The events of a
process are made in ranges of pTHat, the hard process's transverse momentum, and stitched by cross-section: rare, hard
events come in numbers without a cut that would bias the rest.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError
from igbaselines.common.files import locked, read_record, replacing, write_record
from igbaselines.common.values import SEED, value
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.generated import SIGNAL, check_generated, check_share
from igbaselines.studies.hep.data.pythia.processes import Beam
from igbaselines.studies.hep.data.pythia.shards import (
    VERSION,
    Shard,
    ShardRecipe,
    make_missing,
    shard_weights,
    together_sha256,
)
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection
from igbaselines.studies.hep.data.table import CROSS_SECTION_ERROR, read_events


@dataclass
class PythiaShare:
    """How many events a process has, and in which ranges of pTHat."""

    share: float  # part of its class's events (signal or background); the shares of a class add up to 1
    # lower edges of the ranges [GeV], ascending; each range ends where the next begins, the last nowhere
    pt_hat: list[float]
    pt_hat_shares: list[float]  # part of the process's events in each range; they add up to 1

    def __post_init__(self) -> None:
        check_share(self.share)
        if not self.pt_hat or self.pt_hat[0] < 0 or any(b <= a for a, b in itertools.pairwise(self.pt_hat)):
            raise UserError(f"process.pt_hat needs ascending edges from 0 GeV up, got {list(self.pt_hat)}")
        if len(self.pt_hat_shares) != len(self.pt_hat) or min(self.pt_hat_shares) <= 0:
            raise UserError(
                f"process.pt_hat_shares needs a positive share for each of {len(self.pt_hat)} ranges, got "
                f"{list(self.pt_hat_shares)}"
            )
        if abs(sum(self.pt_hat_shares) - 1) > 1e-6:
            raise UserError(f"process.pt_hat_shares must add up to 1, got {sum(self.pt_hat_shares):g}")

    def ranges(self) -> list[tuple[float, float]]:
        """The ranges of pTHat [GeV]."""
        return list(itertools.pairwise([*self.pt_hat, math.inf]))


@dataclass
class HepPythia:
    """Events of a signal and its backgrounds from Pythia."""

    # selected events of all processes, at least: a shard ends with a batch of Pythia's, and is taken whole
    n_events: int
    signal_fraction: float  # part of them that is signal
    # Full shards of a seed stay the same when `n_events` grows: more are added.
    seed: int = field(metadata=value(SEED))
    shard_events: int  # selected events of a full shard, at least
    beam: Beam
    selection: EventSelection
    detector: Detector
    processes: dict[str, PythiaShare]  # the processes, by their names in `PROCESSES`

    def __post_init__(self) -> None:
        shares = {name: process.share for name, process in self.processes.items()}
        check_generated(self.n_events, self.signal_fraction, self.seed, shares)
        at_least("dataset.shard_events", self.shard_events, 1)

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def checksum(self) -> str:
        """What the events depend on: a new version of the generation makes new results."""
        return hashlib.sha256(json.dumps([recipe.fingerprint() for recipe in self.recipes()]).encode()).hexdigest()

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the events, or make what is not yet under `cache`; they do not depend on the number of workers.

        Raises:
            UserError: if Pythia or FastJet is missing, a shard is of another configuration, or hardly any event passes.
        """
        return read_events(self.events_file(cache, workers))

    def events_file(self, cache: Path, workers: int) -> Path:
        """The parquet file of all events, made from the shards if need be."""
        folder = self.folder(cache)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock", folder):
            shards = make_missing(self.recipes(), folder, workers)
            path = folder / f"events-{VERSION}-{together_sha256(shards)[:16]}.parquet"
            record = path.with_suffix(".json")
            if read_record(record) is None:
                with replacing(path) as temporary:
                    pq.write_table(stitched(shards), temporary, use_dictionary=["process"])
                write_record(record, {}, vouched_for=[path])
        return path

    def recipes(self) -> list[ShardRecipe]:
        """What each shard is made of."""
        recipes, same = [], (self.beam, self.detector, self.selection, self.seed)
        for name, events in self.events_of().items():
            share = self.processes[name]
            for place, (pt_hat, part) in enumerate(zip(share.ranges(), share.pt_hat_shares, strict=True)):
                full, rest = divmod(max(1, round(events * part)), self.shard_events)
                sizes = [self.shard_events] * full + [rest] * (rest > 0)
                recipes += [ShardRecipe(name, pt_hat, place, shard, size, *same) for shard, size in enumerate(sizes)]
        return recipes

    def events_of(self) -> dict[str, int]:
        """Number of events that are asked for of each process."""
        signal = round(self.n_events * self.signal_fraction)
        totals = {True: signal, False: self.n_events - signal}
        return {name: max(1, round(totals[name == SIGNAL] * share.share)) for name, share in self.processes.items()}

    def folder(self, cache: Path) -> Path:
        """Where the shards lie: other processes, ranges and numbers of events share it."""
        settings = [asdict(part) for part in (self.beam, self.selection, self.detector)]
        name = hashlib.sha256(json.dumps([VERSION, self.seed, *settings]).encode()).hexdigest()[:16]
        return cache / f"hep_pythia-{name}"


def stitched(shards: Sequence[Shard]) -> pa.Table:
    """The events of all shards in one table; its metadata has the relative error of each process's cross-section.

    The error is that of the cross-section before the selection: Pythia's integration, and the counting in the vetoes.
    The latter is a part of the spread of the events' own weights too, so that the error is a little too large. The
    counting of selected events is in their weights alone.
    """
    tables = []
    for shard, weight in zip(shards, shard_weights(shards), strict=True):
        table = pq.read_table(shard.path)
        tables.append(table.set_column(table.column_names.index("weight"), "weight", pa.array(weight)))
    together = pa.concat_tables(tables)
    return together.replace_schema_metadata({CROSS_SECTION_ERROR: json.dumps(cross_section_errors(shards))})


def cross_section_errors(shards: Sequence[Shard]) -> dict[str, float]:
    """Relative error of each process's cross-section before the selection, from Pythia's integration.

    The luminosity of a range is the sum of its shards'; their errors are independent.
    """
    variance: dict[str, float] = {}
    selected: dict[str, float] = {}
    ranges = itertools.groupby(shards, key=lambda shard: (shard.recipe.process, shard.recipe.place))
    weights = iter(shard_weights(shards))
    for (process, _), members in ranges:
        of_range = list(members)
        cross_section = sum(float(next(weights).sum()) for _ in of_range)
        luminosity = np.array([shard.luminosity for shard in of_range])
        relative = np.array([shard.cross_section_error / shard.cross_section for shard in of_range])
        error = float(np.hypot.reduce(luminosity * relative) / luminosity.sum())
        variance[process] = variance.get(process, 0.0) + (cross_section * error) ** 2
        selected[process] = selected.get(process, 0.0) + cross_section
    return {process: math.sqrt(variance[process]) / selected[process] for process in selected}
