"""Reading run folders for the report: whatever state they are in, none may stop it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from PIL import Image, UnidentifiedImageError

from igbaselines.reporting.claims import Record
from igbaselines.reporting.verdicts import NotTestable

LAST_LINES = 12
TABLES, ABLATION = "tables", "ablation"  # studies: what runs of one experiment are made for

RECORD_KEYS = (
    *("id", "paper", "source", "statement", "paper_value"),
    *("value", "ci_low", "ci_high", "n", "p_value", "test", "verdict", "note"),
)


@dataclass(frozen=True)
class FigureFile:
    """A figure of a run: the file, and the caption that it carries."""

    name: str
    path: Path
    caption: str


@dataclass(frozen=True)
class Run:
    """A run's folder as the report shows it.

    Args:
        experiment: name of the experiment.
        label: name of the folder.
        state: `complete`, `failed`, or `unreadable`.
        error: what went wrong, in one line; empty for a complete run.
        last_lines: of the traceback or the log of a failed run.
        config: resolved configuration, as text.
        provenance: as text.
        claims: the records of claims.json.
        figures: in order of their names.
        tables: name -> table.
        folder: where it lies.
        ended: when it was complete, in ISO 8601.
    """

    experiment: str
    label: str
    state: str
    error: str = ""
    last_lines: str = ""
    config: str = ""
    provenance: str = ""
    claims: list[Record] = field(default_factory=list)
    figures: list[FigureFile] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    folder: Path = Path()
    ended: str = ""


@dataclass(frozen=True)
class Results:
    """What a complete run measured, for what combines several runs.

    Args:
        label: name of the run's folder.
        config: its resolved configuration.
        rows: one for each measured value.
    """

    label: str
    config: dict[str, Any]
    rows: pd.DataFrame

    @property
    def scale(self) -> str:
        """Scale of the run: runs of different scales are never put into one table."""
        return str(self.config["scale"])

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.config["dataset_name"])

    @property
    def model(self) -> str:
        """Name of the network."""
        return str(self.config["model_name"])

    @property
    def protocol(self) -> str:
        """The protocol that its attributions follow; empty where it follows none by name."""
        return str(_node(self.config, "attribution").get("protocol") or "")

    @property
    def study(self) -> str:
        """What it was run for: the paper's tables, or an ablation of them."""
        return str(_node(self.config, "evaluation").get("study") or TABLES)


def read_results(run: Run) -> Results:
    """Read the rows and the configuration of a complete run.

    Raises:
        NotTestable: where they cannot be read, with the reason.
    """
    try:
        config = yaml.safe_load(_text(run.folder / "config.yaml"))
        results = Results(run.label, config, pd.read_parquet(run.folder / "rows.parquet"))
        _ = (results.scale, results.dataset, results.model, results.rows[["method", "metric", "unit", "value"]])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = str(error).strip().splitlines()
        raise NotTestable(f"{type(error).__name__}: {reason[0] if reason else ''}") from error
    return results


def find_runs(output_root: Path) -> list[Run]:
    """Read every run that has a status, complete or not; names that start with a dot are work in progress."""
    statuses = sorted(output_root.glob("*/*/status.json"))
    return [read_run(path.parent) for path in statuses if not _hidden(path.relative_to(output_root))]


def read_run(folder: Path) -> Run:
    """Read one run; a folder that cannot be read becomes a run in the state `unreadable`."""
    experiment, label = folder.parent.name, folder.name
    try:
        status = json.loads(_text(folder / "status.json"))
        if status["state"] == "failed":
            return Run(experiment, label, "failed", _message(status), _last_lines(folder, status))
        if status["state"] != "complete":
            raise ValueError(f"status.json has the unknown state {status['state']!r}")
        return Run(
            experiment,
            label,
            "complete",
            config=_text(folder / "config.yaml"),
            provenance=json.dumps(json.loads(_text(folder / "provenance.json")), indent=2, ensure_ascii=False),
            claims=[_checked(record) for record in json.loads(_text(folder / "claims.json"))],
            figures=[_figure(path) for path in sorted((folder / "figures").glob("*.png"))],
            tables={path.stem: pd.read_csv(path) for path in sorted((folder / "tables").glob("*.csv"))},
            folder=folder,
            ended=str(status.get("ended") or ""),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UnidentifiedImageError) as error:
        return Run(experiment, label, "unreadable", f"{type(error).__name__}: {error}")


def _node(config: dict[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _checked(record: Record) -> Record:
    """Take a claim's record only with the fields that the report prints."""
    return {key: record[key] for key in RECORD_KEYS}


def _figure(path: Path) -> FigureFile:
    with Image.open(path) as image:
        return FigureFile(path.stem, path, str(image.info.get("Description", path.stem)))


def _message(status: dict[str, Any]) -> str:
    """Find the error in one line: what the run noted, else the last line of its traceback."""
    lines = str(status.get("error") or status.get("traceback") or "no message").strip().splitlines()
    return lines[-1]


def _last_lines(folder: Path, status: dict[str, Any]) -> str:
    told = str(status.get("traceback") or "")
    log = folder / "run.log"
    if not told and log.is_file():
        told = log.read_text(encoding="utf-8", errors="replace")
    return "\n".join(told.splitlines()[-LAST_LINES:])
