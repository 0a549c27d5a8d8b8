"""Synthetic collisions: the signal and ten backgrounds of arXiv:2412.13864, made in minutes by numpy alone.

The paper used MadGraph, Pythia and Delphes; this stands in for them with real relativistic decay chains, toy
radiation and jets, and a parametrised detector.
"""

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from igbaselines.common.checks import fields_must
from igbaselines.common.errors import UserError
from igbaselines.common.files import locked
from igbaselines.common.progress import bar
from igbaselines.common.values import SEED, value
from igbaselines.studies.hep.data.cache import is_whole, whole_file
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.generated import SIGNAL, check_generated, check_share
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection
from igbaselines.studies.hep.data.synthetic.generation import (
    Recipe,
    calibrate,
    calibration_chunk,
    collect,
    event_chunk,
    in_order,
)
from igbaselines.studies.hep.data.table import read_events
from igbaselines.studies.hep.data.worker_pool import WorkerPool

VERSION = 2  # of the generator: raise it whenever the same parameters give other events
_POOL_EVENTS = 60_000  # times workers; below, starting workers and what they make too much cost more than they save


@dataclass
class Process:
    """A process."""

    cross_section: float  # after the reference selection [fb]
    pt_hat_min: float  # least transverse momentum of the collision's two bodies in their frame [GeV]
    share: float  # part of its class's events (signal or background); the shares of a class add up to 1

    def __post_init__(self) -> None:
        fields_must("process", self, ["cross_section"], lambda value: value > 0, "be positive")
        fields_must("process", self, ["pt_hat_min"], lambda value: value >= 0, "not be negative")
        check_share(self.share)


@dataclass
class HepSynthetic:
    """Synthetic events of a signal and its backgrounds."""

    n_events: int  # selected events of all processes
    signal_fraction: float  # part of them that is signal
    # Events of a seed stay the same when `n_events` grows: more are appended to each process.
    seed: int = field(metadata=value(SEED))
    cross_section_error: float  # largest relative error of the counting behind each cross-section
    selection: EventSelection
    reference_selection: EventSelection  # a looser selection, for which the cross-sections are known
    detector: Detector
    processes: dict[str, Process]  # the processes, by their names in `PROCESSES`

    def __post_init__(self) -> None:
        shares = {name: process.share for name, process in self.processes.items()}
        check_generated(self.n_events, self.signal_fraction, self.seed, shares)
        fields_must("dataset", self, ["cross_section_error"], lambda value: 0 < value < 1, "lie between 0 and 1")
        for cut in fields(EventSelection):
            asked, least = getattr(self.selection, cut.name), getattr(self.reference_selection, cut.name)
            if asked < least:
                raise UserError(
                    f"dataset.selection.{cut.name} = {asked:g} is looser than the reference selection "
                    f"({least:g}), for which the cross-sections are known"
                )

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the events, or make what is not yet under `cache`; they do not depend on the number of workers.

        Raises:
            UserError: if hardly any event of a process passes the selection.
        """
        path = cache / f"hep_synthetic-{self.checksum()}.parquet"
        cache.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.stem}.lock"), path):  # whoever comes second finds the events made
            if not is_whole(path):
                for unfinished in cache.glob(f".{path.stem}-*"):  # of a process that was killed
                    unfinished.unlink()
                self._make(path, workers)
        return read_events(path)

    def checksum(self) -> str:
        """Hash of everything that the events depend on: a new version of the generator makes new results."""
        return hashlib.sha256(json.dumps([VERSION, asdict(self)]).encode()).hexdigest()[:16]

    def events_of(self) -> dict[str, int]:
        """Number of events of each process; they add up to `n_events`."""
        signal = round(self.n_events * self.signal_fraction)
        counts: dict[str, int] = {}
        for is_signal, total in ((True, signal), (False, self.n_events - signal)):
            members = {n: p.share for n, p in self.processes.items() if (n == SIGNAL) == is_signal}
            ends = np.rint(total * np.cumsum(list(members.values()))).astype(int)
            counts |= dict(zip(members, np.diff(ends, prepend=0).tolist(), strict=True))
        return {name: counts[name] for name in self.processes if counts[name]}

    def recipe(self, name: str) -> Recipe:
        """What a chunk of a process is made of."""
        pt_hat_min = self.processes[name].pt_hat_min
        return Recipe(name, pt_hat_min, self.detector, self.selection, self.reference_selection, self.seed)

    def _make(self, path: Path, workers: int) -> None:
        pays = workers > 1 and self.n_events * workers >= _POOL_EVENTS
        pool: AbstractContextManager[WorkerPool | None] = WorkerPool(workers) if pays else nullcontext()
        done, cutflows = 0, {}
        with whole_file(path) as writer, pool as executor, bar("collisions", self.n_events) as show:
            for name, events in self.events_of().items():
                recipe = self.recipe(name)
                counts = in_order(calibration_chunk, recipe, executor, workers)
                cross_section = self.processes[name].cross_section
                cutflow = calibrate(recipe, cross_section, self.cross_section_error, counts)
                cutflows[name] = asdict(cutflow)
                for chunk in collect(recipe, events, in_order(event_chunk, recipe, executor, workers)):
                    writer.add(name, cutflow.cross_section / events, chunk)
                    done += len(chunk)
                    show(done)
            writer.record["cutflow"] = cutflows
