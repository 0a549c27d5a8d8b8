"""Shards: Pythia's events of one process and one range of pTHat, each from a seed of its own.

A shard is a parquet file and a .json of its cutflow and cross-section. Both appear whole or not at all, so generation
goes on after a kill with the shards that are missing, and no event is counted twice.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.stopping import stop_here
from igbaselines.studies.hep.data.cache import is_whole, whole_file
from igbaselines.studies.hep.data.generated import PROCESSES
from igbaselines.studies.hep.data.pythia.processes import Beam
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection
from igbaselines.studies.hep.data.worker_pool import WorkerPool

VERSION = 1  # of the generation: raise it whenever the same recipe gives other events
EXTRA = ("pythia8mc", "fastjet", "awkward")
# Events that Pythia makes at once, growing: 50 of a range that hardly passes the vetoes take minutes, and 200 of a
# heavy process with multiple parton interactions 100 MB.
_FIRST_BATCH, _LARGEST_BATCH = 25, 200
_SECONDS_BETWEEN_LINES = 60.0
_SECONDS_BETWEEN_LOOKS = 0.5
_FRUITLESS = 5_000  # events behind the vetoes: if none is selected, more of them are no use
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShardRecipe:
    """What a shard is made of."""

    process: str  # its name, of `PROCESSES`
    pt_hat: tuple[float, float]  # range of the hard process's transverse momentum [GeV]
    place: int  # of the range among the process's ranges
    number: int  # of the shard among the range's shards
    # it ends with the batch that reaches so many selected events; the cross-section of n events is therefore too high
    # by a part of 1 / n
    events: int
    beam: Beam
    detector: Detector
    selection: EventSelection
    seed: int  # of the dataset

    def path(self, folder: Path) -> Path:
        """The shard's parquet file."""
        low, high = self.pt_hat
        return folder / f"{self.process}-{low:g}-{high:g}-{self.number:04d}-{self.events}.parquet"

    def random_key(self) -> tuple[int, ...]:
        """Seeds the shard."""
        return self.seed, PROCESSES.index(self.process), self.place, self.number

    def fingerprint(self) -> str:
        """Hash of everything that the events depend on."""
        return hashlib.sha256(json.dumps([VERSION, asdict(self)]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Shard:
    """A finished shard."""

    recipe: ShardRecipe
    path: Path  # its parquet file
    accepted: int  # events that were not vetoed
    cross_section: float  # of these [fb]
    cross_section_error: float  # statistical error of it [fb]
    cutflow: dict[str, int]  # events left after each step
    sha256: str  # checksum of the file
    cpu_seconds: float  # that it took

    @property
    def luminosity(self) -> float:
        """Integrated luminosity that the shard stands for [1/fb]."""
        return self.accepted / self.cross_section


def make_shard(recipe: ShardRecipe, folder: Path) -> None:
    """Generate one shard; a UserError if hardly any event passes the selection."""
    # Pythia, FastJet and awkward come with the extra `pythia`, and are only needed where events are made.
    from igbaselines.studies.hep.data.pythia.collisions import HopelessSelectionError, PythiaCollisions
    from igbaselines.studies.hep.data.pythia.detector import see
    from igbaselines.studies.hep.data.pythia.features import pythia_features

    start = time.process_time()
    key = recipe.random_key()
    collisions = PythiaCollisions(recipe.process, recipe.pt_hat, recipe.beam, recipe.detector, recipe.selection, key)
    rng = np.random.default_rng((*key, 1))  # not the stream of Pythia's seed
    cutflow: dict[str, int] = {}
    with whole_file(recipe.path(folder)) as writer:
        size = _FIRST_BATCH
        while cutflow.get("selected", 0) < recipe.events:
            try:
                batch = collisions.batch(size)
            except HopelessSelectionError:
                raise fruitless(recipe) from None
            seen, steps = see(rng, batch, recipe.detector, recipe.selection, collisions.prescale)
            cutflow = {step: cutflow.get(step, 0) + count for step, count in steps.items()}
            features = pythia_features(seen, recipe.detector.fat_jet_radius).astype(np.float32)
            writer.add(recipe.process, seen.weight, features)
            size = min(2 * size, _LARGEST_BATCH)
            if cutflow["vetoes"] >= _FRUITLESS and not cutflow["selected"]:
                raise fruitless(recipe)
        writer.record |= {
            "recipe": recipe.fingerprint(),
            "process": recipe.process,
            "pt_hat": [low_or_high if np.isfinite(low_or_high) else None for low_or_high in recipe.pt_hat],
            "random_key": key,
            "accepted": collisions.accepted,
            "cross_section": collisions.cross_section,
            "cross_section_error": collisions.cross_section_error,
            "cutflow": cutflow,
            "versions": {name: importlib.metadata.version(name) for name in EXTRA},
            "cpu_seconds": round(time.process_time() - start, 1),
        }


def make_missing(recipes: Sequence[ShardRecipe], folder: Path, workers: int) -> list[Shard]:
    """Generate the shards that are not there yet, side by side; one process at a time works on the folder.

    Returns:
        All shards, in the order of the recipes.

    Raises:
        UserError: if Pythia or FastJet is missing, a shard is of another configuration, or hardly any event passes.
    """
    _remove_unfinished(folder)  # of a process that was killed
    missing = [recipe for recipe in recipes if not _is_there(recipe, folder)]
    if missing:
        _require_extra()
    # The lowest ranges are the slowest: begun last, one of them would keep one core busy and the others waiting.
    # Within a range processes are mixed, so that what is done by now tells how long the rest will take.
    order = np.random.default_rng(0).permutation(len(missing))
    ordered = sorted([missing[i] for i in order], key=lambda recipe: recipe.place)
    try:
        _in_parallel(ordered, folder, workers, len(recipes))
    finally:
        _remove_unfinished(folder)  # of workers that were ended because another failed
    return [read_shard(recipe, folder) for recipe in recipes]


def read_shard(recipe: ShardRecipe, folder: Path) -> Shard:
    """Read what a finished shard says of itself."""
    path = recipe.path(folder)
    record = _record(path)
    names = ("accepted", "cross_section", "cross_section_error", "cutflow", "sha256", "cpu_seconds")
    return Shard(recipe, path, **{name: record[name] for name in names})


def shard_weights(shards: Sequence[Shard]) -> list[np.ndarray]:
    """Cross-section [fb] that each event of each shard stands for.

    Shards of one process and range add up their luminosities; ranges of a process add up their cross-sections.
    """
    luminosity: dict[tuple[str, int], float] = {}
    for shard in shards:
        key = shard.recipe.process, shard.recipe.place
        luminosity[key] = luminosity.get(key, 0.0) + shard.luminosity
    return [
        pq.read_table(shard.path, columns=["weight"])["weight"].to_numpy()
        / luminosity[shard.recipe.process, shard.recipe.place]
        for shard in shards
    ]


def together_sha256(shards: Sequence[Shard]) -> str:
    """Checksum of all shards."""
    return hashlib.sha256("".join(shard.sha256 for shard in shards).encode()).hexdigest()


def _require_extra() -> None:
    absent = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(
            f"dataset=hep_pythia needs {' and '.join(absent)}: pip install -e '.[pythia]' (or take "
            "dataset=hep_pythia_sample, which needs nothing)"
        )


def _remove_unfinished(folder: Path) -> None:
    for unfinished in folder.glob(".?*-*"):
        unfinished.unlink()


def _is_there(recipe: ShardRecipe, folder: Path) -> bool:
    path = recipe.path(folder)
    if not is_whole(path):
        return False
    found, asked = _record(path).get("recipe"), recipe.fingerprint()
    if found != asked:
        raise UserError(
            f"{path}: this shard is of another configuration ({found}, not {asked}): remove it, then it is made again"
        )
    return True


def _record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return record


def _in_parallel(recipes: Sequence[ShardRecipe], folder: Path, workers: int, shards: int) -> None:
    if not recipes:
        return
    told = _Told(len(recipes))
    _log.info("generating %d of %d shards with Pythia on %d processes", len(recipes), shards, workers)
    with bar("shards", len(recipes)) as show:
        if workers == 1 or len(recipes) == 1:
            for recipe in recipes:
                make_shard(recipe, folder)
                show(told.one_more())
            return
        with WorkerPool(workers) as pool:
            making = {pool.submit(make_shard, recipe, folder) for recipe in recipes}
            try:
                while making:
                    made, making = wait(making, timeout=_SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
                    for shard in made:
                        shard.result()
                        show(told.one_more())
                    stop_here()  # and not only behind a shard, which may take minutes
            except BrokenProcessPool as error:
                raise UserError(
                    "a process that generated events was killed, for want of memory perhaps: the same command goes on, "
                    "and fewer workers need less memory"
                ) from error


class _Told:
    """Counts shards, and says now and then in the log how long the rest will take."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._start = self._last = time.monotonic()

    def one_more(self) -> int:
        self._done += 1
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_LINES and self._done < self._total:
            left = (now - self._start) / self._done * (self._total - self._done)
            _log.info("%d of %d shards, about %.0f minutes left", self._done, self._total, left / 60)
            self._last = now
        return self._done


def fruitless(recipe: ShardRecipe) -> UserError:
    """What to say of a range of which hardly any event passes."""
    return UserError(
        f"process {recipe.process!r}, pTHat {_range(recipe.pt_hat)} GeV: no event passes the selection: loosen "
        "dataset.selection, or take this range out of dataset.processes"
    )


def _range(pt_hat: tuple[float, float]) -> str:
    low, high = pt_hat
    return f"above {low:g}" if not np.isfinite(high) else f"{low:g} to {high:g}"
