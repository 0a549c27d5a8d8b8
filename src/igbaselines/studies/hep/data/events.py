"""Collision events as a table: one row an event, one column a kinematic feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.common.columns import some
from igbaselines.common.errors import UserError


@dataclass(frozen=True)
class EventTable:
    """Selected events of a signal and its backgrounds."""

    features: Float32[np.ndarray, "n d"]  # kinematic features in physical units (GeV for energies, momenta and masses)
    feature_names: tuple[str, ...]  # a name for each column
    process: Int[np.ndarray, " n"]  # for each event the index of its process in `processes`
    processes: tuple[str, ...]  # names of the processes
    is_signal: Bool[np.ndarray, " n"]  # for each event whether it is signal
    # cross-section [fb] that each event stands for, or None where it is unknown; the weights of a process add up to
    # its selected cross-section. Generators beyond leading order give negative ones
    weight: Float[np.ndarray, " n"] | None
    checksum: str  # sha256 of the file that the events came from
    # process -> relative Monte Carlo error of its cross-section, or None where unknown
    cross_section_error: Mapping[str, float] | None = None
    # what each event counts in training, not negative, 1 on average in its process; None: all the same
    training_weight: Float[np.ndarray, " n"] | None = None
    # column -> the category that it is a value of, where it is one: the columns of a category are one player
    category_of: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def players(self) -> tuple[str, ...]:
        """What is ranked, in the order of the columns: each category once, and every other feature."""
        return tuple(dict.fromkeys(self.category_of.get(name, name) for name in self.feature_names))

    @property
    def player_of(self) -> Int[np.ndarray, " d"]:
        """The index in `players` of what each column belongs to."""
        return np.array([self.players.index(self.category_of.get(name, name)) for name in self.feature_names])

    def at_most(self, n_events: int, seed: int) -> "EventTable":
        """Take a random part with about the same shares of processes; cross-sections and errors stay what they are."""
        if len(self) <= n_events:
            return self
        order = np.random.default_rng(seed).permutation(len(self))
        order = order[np.argsort(self.process[order], kind="stable")]
        # Every (len / n_events)-th event of the list that is sorted by process, shuffled within each.
        chosen = np.sort(order[np.arange(n_events) * len(self) // n_events])
        weight = None
        if self.weight is not None:
            total, left = (
                np.bincount(self.process[part], self.weight[part], len(self.processes))
                for part in (slice(None), chosen)
            )
            kept = np.bincount(self.process[chosen], minlength=len(self.processes))
            every = np.bincount(self.process, minlength=len(self.processes))
            # By their sums; by their numbers where those that are left happen to cancel.
            by_number = every / np.where(kept > 0, kept, 1)
            least = total / (2 * by_number) if (self.weight < 0).any() else np.zeros_like(total)
            factor = np.where(left > least, total / np.where(left > 0, left, 1), by_number)
            weight = self.weight[chosen] * factor[self.process[chosen]]
        return replace(
            self,
            features=self.features[chosen],
            process=self.process[chosen],
            is_signal=self.is_signal[chosen],
            weight=weight,
            training_weight=None if self.training_weight is None else self.training_weight[chosen],
        )

    def of_features(self, names: Sequence[str]) -> "EventTable":
        """The same events with some of the features alone, in this order; a UserError names those that lack."""
        if missing := [name for name in names if name not in self.feature_names]:
            raise UserError(f"the events have no feature {', '.join(missing)}; there are {some(self.feature_names)}")
        index = [self.feature_names.index(name) for name in names]
        return replace(self, features=self.features[:, index], feature_names=tuple(names))

    def require(self, process_events: int) -> None:
        """Check that there is signal, background, and enough events of every process; a UserError says what lacks."""
        for index, name in enumerate(self.processes):
            found = int((self.process == index).sum())
            if found < process_events:
                needed = f"at least {process_events} are needed: raise dataset.n_events"
                raise UserError(f"process {name!r} has {found} selected events, {needed}")
        for name, label, part in (("signal", 1, self.is_signal), ("background", 0, ~self.is_signal)):
            if not part.any():
                raise UserError(f"the events hold no {name}: at least one needs label {label}")
            if self.weight is not None and not self.weight[part].sum() > 0:
                raise UserError(f"the weights of the {name} add up to 0: give cross-sections [fb], or no column weight")
        for index, name in enumerate(self.processes):
            if self.weight is not None and not self.weight[self.process == index].sum() > 0:
                raise UserError(
                    f"the weights of process {name!r} are all 0: give its cross-section [fb], or leave it out"
                )


@runtime_checkable
class EventDataset(Protocol):
    """What a HEP dataset offers an experiment."""

    def checksum(self) -> str | None:
        """What a result hangs on beside the configuration: a file's checksum or a generator's version; or None."""
        ...

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the events, or make what is not yet under `cache`."""
        ...
