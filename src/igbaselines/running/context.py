"""What an experiment is given beside its settings: where results go, where to compute, and its share of the work."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from igbaselines.common.errors import UserError, first_line
from igbaselines.common.stopping import stop_here
from igbaselines.running.provenance import code_checksum
from igbaselines.running.rows import Names

if TYPE_CHECKING:
    import torch

    from igbaselines.attribution.methods import Method
    from igbaselines.metrics import Metric, PairedMetric
    from igbaselines.running.rows import Rows

Unit = TypeVar("Unit")


@dataclass(frozen=True)
class RunShard:
    """A part of a run's units that one job works on: of `count` jobs that number `index`, from 0; None is the whole."""

    count: int = 1
    index: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"shard.count must be at least 1, got {self.count}")
        if self.count == 1 and self.index == 0:
            object.__setattr__(self, "index", None)  # the whole run
        elif self.index is not None and not 0 <= self.index < self.count:
            raise UserError(f"shard.index must be from 0 to shard.count - 1 = {self.count - 1}, got {self.index}")

    @property
    def is_part(self) -> bool:
        """Whether other jobs do the rest."""
        return self.count > 1 and self.index is not None

    def holds(self, place: int) -> bool:
        """Whether the unit at a place among all units is this shard's."""
        return not self.is_part or place % self.count == self.index

    def of_run(self) -> "list[RunShard]":
        """All shards of the run that this is one of."""
        return [RunShard(self.count, index) for index in range(self.count)]

    def __str__(self) -> str:
        return f"shard {self.index} of {self.count}"


class ShardFinished(Exception):  # noqa: N818 (no error: the rest of the experiment belongs to the whole run)
    """A shard has finished the last of its units."""


@dataclass
class Run:
    """What an experiment is given beside its settings.

    Args:
        rows: where its measured values go.
        checkpoints: folder for what an attempt that is killed shall leave behind, and a shard shall hand over; an
            experiment keeps its own in a folder in it that is named by `fingerprint`.
        artifacts: folder for what belongs to the results beside the rows, such as trained networks.
        cache: folder for generated data.
        device: where to compute.
        seed: of everything random but the events.
        max_batch: gradient points in one pass, or None.
        fast_paths: whether networks are made for gradients first.
        workers: processes that make data.
        units_at_once: photographs worked on side by side, or None.
        shard: the part of the units that is worked on.
        checksums: sha256 of data and weights, for the provenance; the experiment fills it.
        names: labels of methods and metrics; the experiment adds those that no configuration names.
        methods: attribution methods that the command line names, to be taken beside the attribution's.
        metrics: metrics that the command line names, to be taken beside the experiment's.
        pairs: those of them that compare with a variant of a task.
        said: what the log has said of its choices, which hold for many tasks.
    """

    rows: "Rows"
    checkpoints: Path
    artifacts: Path
    cache: Path
    device: "torch.device"
    seed: int
    max_batch: int | None
    workers: int
    fast_paths: bool = True
    units_at_once: int | None = None
    shard: RunShard = field(default_factory=RunShard)
    checksums: dict[str, str] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    methods: "Mapping[str, Method]" = field(default_factory=dict)
    metrics: "Mapping[str, Metric]" = field(default_factory=dict)
    pairs: "Mapping[str, PairedMetric]" = field(default_factory=dict)
    said: set[str] = field(default_factory=set)

    def units(self, units: Sequence[Unit]) -> Iterator[Unit]:
        """Go through an experiment's units: photographs, networks, whatever leaves checkpoints of its own.

        A shard goes through its own units alone and ends behind the last of them; once all shards have, the whole run
        finds every unit's checkpoints and puts them together.

        Raises:
            ShardFinished: behind the last unit of a shard.
            StoppedError: between two units, if a stop was asked for.
        """
        for (unit,) in self.batches(units, 1):
            yield unit

    def batches(self, units: Sequence[Unit], at_once: int) -> Iterator[Sequence[Unit]]:
        """Go through the units as `units` does, so many side by side."""
        own = [unit for place, unit in enumerate(units) if self.shard.holds(place)]
        for start in range(0, len(own), at_once):
            yield own[start : start + at_once]
            stop_here()
        if self.shard.is_part:
            raise ShardFinished

    def fingerprint(self) -> str:
        """Name the checkpoints of this code, these data and weights, and of no others."""
        identity = json.dumps([code_checksum(), self.checksums], sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def device_named(name: str) -> "torch.device":
    """The device that a configuration names, made ready; a UserError says where it cannot be used."""
    import torch

    from igbaselines.common.devices import make_exact

    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"device={name} cannot be used here: {first_line(str(error))}") from error
    if device.type == "cuda":
        make_exact()
    return device
