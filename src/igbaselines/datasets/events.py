"""Collision events as a table: one row an event, one column a kinematic feature."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.errors import UserError


@dataclass(frozen=True)
class EventTable:
    """Selected events of a signal and its backgrounds.

    Args:
        features: kinematic features in physical units (GeV for energies, momenta and masses).
        feature_names: a name for each column.
        process: for each event the index of its process in `processes`.
        processes: names of the processes.
        is_signal: for each event whether it is signal.
        weight: cross-section [fb] that each event stands for, or None where it is unknown; the weights of a
            process add up to its selected cross-section.
        checksum: sha256 of the file that the events came from.
    """

    features: Float32[np.ndarray, "n d"]
    feature_names: tuple[str, ...]
    process: Int[np.ndarray, " n"]
    processes: tuple[str, ...]
    is_signal: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"] | None
    checksum: str

    def __len__(self) -> int:
        return len(self.features)

    def require(self, process_events: int) -> None:
        """Check that there is signal, background, and enough events of every process.

        Raises:
            UserError: naming the process and how many events it has.
        """
        if not self.is_signal.any():
            raise UserError("the events hold no signal: at least one needs label 1")
        if self.is_signal.all():
            raise UserError("the events hold no background: at least one needs label 0")
        for index, name in enumerate(self.processes):
            found = int((self.process == index).sum())
            if found < process_events:
                raise UserError(f"process {name!r} has {found} selected events, at least {process_events} are needed")


class EventDataset(Protocol):
    """What a HEP dataset offers an experiment."""

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the events, or make what is not yet under `cache`."""
        ...
