"""`dataset=hep_ntuple`: an analyst's own files, a process or all of them together, as features, labels and weights."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from igbaselines.common.files import as_path, sha256
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.ntuple.files import find_files
from igbaselines.studies.hep.data.ntuple.reading import Reading
from igbaselines.studies.hep.data.ntuple.settings import NtupleSettings

log = logging.getLogger(__name__)


@dataclass
class HepNtuple(NtupleSettings):
    """Events of the user's, as ntuples hold them."""

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def checksum(self) -> str:
        """Checksum of all files: events that have changed make another result."""
        digest = hashlib.sha256()
        for path in dict.fromkeys(path for _, paths in self._sources() for path in paths):
            digest.update(f"{path.name} {sha256(path)}\n".encode())
        return digest.hexdigest()

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the files; nothing is cached and no workers are needed.

        Raises:
            UserError: in one line with the key that mends it, for whatever is wrong with them.
        """
        events = Reading(self, self._sources()).events(self.checksum())
        chosen = events if self.n_events is None else events.at_most(self.n_events, self.seed)
        log.info("%d events, %d of them taken, %d features", len(events), len(chosen), len(chosen.feature_names))
        return chosen

    def _sources(self) -> list[tuple[str | None, list[Path]]]:
        """The files of each process; None: those that hold several."""
        folder = as_path(self.folder).absolute()
        found: list[tuple[str | None, list[Path]]] = [
            (name, find_files(folder, process.files, f"dataset.processes.{name}.files"))
            for name, process in self.processes.items()
            if process.files
        ]
        return [*found, (None, find_files(folder, self.files, "dataset.files"))] if self.files else found
