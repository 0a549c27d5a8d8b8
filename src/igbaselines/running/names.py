"""How the methods and metrics of a run are printed: said where they are defined, kept in the run's names.json."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from igbaselines.common.files import write_text

FILE = "names.json"
WORDS = ("label", "unit", "better")  # of a metric
BETTER = ("lower", "higher")


@runtime_checkable
class Described(Protocol):
    """What a metric says of itself: `better` is lower or higher."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def better(self) -> str: ...  # noqa: D102


@dataclass
class Names:
    """The names in a run's rows.

    Args:
        methods: method -> label.
        metrics: metric -> its label, unit and the better direction.
    """

    methods: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, str]] = field(default_factory=dict)

    def method(self, name: str, label: str) -> None:
        """Name a method; what the configuration calls it goes first."""
        self.methods.setdefault(name, label)

    def metric(self, metric: Described) -> None:
        """Name a metric.

        Raises:
            ValueError: where it does not say which direction is better.
        """
        if metric.better not in BETTER:
            raise ValueError(f"of the metric {metric.name} {' or '.join(BETTER)} is better, not {metric.better!r}")
        self.metrics[metric.name] = {word: getattr(metric, word) for word in WORDS}

    @property
    def labels(self) -> dict[str, str]:
        """The label of every name."""
        return {name: metric["label"] for name, metric in self.metrics.items()} | self.methods

    def write(self, folder: Path) -> None:
        """Write names.json into a run's folder."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Names":
        """The names of a run; none where it was made before there were any.

        Raises:
            ValueError, LookupError, TypeError, AttributeError, OSError: where the file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls()
        found = json.loads(path.read_text(encoding="utf-8"))
        methods = {name: str(label) for name, label in found["methods"].items()}
        return cls(methods, {name: {key: str(of[key]) for key in WORDS} for name, of in found["metrics"].items()})
