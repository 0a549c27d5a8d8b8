"""Reading run folders for the report: whatever state they are in, none may stop it."""

import io
import json
import shlex
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd
import yaml
from PIL import Image

from igbaselines.common.errors import first_line
from igbaselines.common.files import read_bounded, read_json
from igbaselines.reporting.claims import Record
from igbaselines.reporting.papers import LOADER
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.running.rows import Names, read_rows
from igbaselines.running.run_folder import read_status
from igbaselines.running.states import COMPLETE, UNREADABLE, RunState, find_states

DEEPEST = 50  # levels of YAML
MOST_ANSWERS, LONGEST_ANSWER, LONGEST_KIND = 12, 4000, 60  # kinds of data that the page opens with, and characters
MOST_CELLS, LONGEST_CELL = 8, 300  # of an answer in short
CUT = " [...]"
OF_A_JOB = ("shard.", "hydra.mode=")
LARGEST_NUMBER = 1e300  # of a claim's record: others cannot be printed as floats
RECORD = (
    {"id": str, "paper": str, "source": str, "statement": str, "paper_value": str | int | float}
    | dict.fromkeys(("value", "ci_low", "ci_high", "p_value"), int | float | None)
    | {"n": int | None, "test": str | None, "verdict": str, "note": str}
)


@dataclass(frozen=True)
class FigureFile:
    """A figure of a run: its PNG, the caption that it carries, and its width and height [pixels]."""

    name: str
    path: Path
    caption: str
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Origin:
    """How a run was made, as its provenance says: empty where that does not."""

    command: str = ""
    commit: str = ""
    seconds: str = ""
    device: str = ""


@dataclass(frozen=True)
class ReportedRun(RunState):
    """A run as the report shows it: its state and, if it is complete, what it wrote; tables are read when shown."""

    config: str = ""
    provenance: str = ""
    claims: list[Record] = field(default_factory=list)
    judged: str = ""  # checksum of the rules that gave these verdicts; empty: unknown
    judged_anew: bool = False  # by today's rules, and not those in the folder
    figures: list[FigureFile] = field(default_factory=list)
    tables: dict[str, Path] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its folder below the output root."""
        return f"{self.experiment}/{self.label}"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its configuration; nothing where that cannot be read."""
        try:
            found = read_yaml(self.config)
        except ValueError:
            return {}
        return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}

    @cached_property
    def origin(self) -> Origin:
        """Command, commit, time and device; anyone could have written them."""
        said = json.loads(self.provenance) if self.provenance else {}
        if not isinstance(said, dict):
            return Origin()
        git, machine = (found if isinstance(found := said.get(key), dict) else {} for key in ("git", "machine"))
        changed = " with changes" if git.get("dirty") else ""
        commit = f"{str(git['commit'])[:10]}{changed}" if git.get("commit") else ""
        seconds = said.get("wall_time_s")
        time = f"{seconds:.0f} s" if isinstance(seconds, int | float) and abs(seconds) < LARGEST_NUMBER else ""
        return Origin(whole_command(str(said.get("command") or "")), commit, time, str(machine.get("device") or ""))

    @property
    def answers(self) -> dict[str, str]:
        """What a comparison says in plain words, by kind of data: the page opens with it.

        The first MOST_ANSWERS, each cut to LONGEST_ANSWER, since anyone could have written them.
        """
        told = self._answer()
        return {
            shorten(kind, LONGEST_KIND, placeholder=CUT): shorten(words, LONGEST_ANSWER, placeholder=CUT)
            for kind, words in zip(told.get("domain", ()), told.get("answer", ()), strict=True)
        }

    @property
    def taken(self) -> dict[str, tuple[str, str]]:
        """By kind of data what to take, or what cannot be told from it; and beside it the cost, and how sure it is."""
        short = self.in_short
        if not {"domain", "take"} <= set(short):
            return {}
        nothing = pd.Series("", short.index)
        others = short.get("not told from it", nothing)
        known = short.reindex(columns=["spends", "how sure"], fill_value="")
        with_others = [
            f"{take}, or {other}" if other not in ("", "none") and not take.startswith("open") else take
            for take, other in zip(short["take"], others, strict=True)
        ]
        more = ["; ".join(word for word in words if word) for words in known.itertuples(index=False)]
        return dict(zip(short["domain"], zip(with_others, more, strict=True), strict=True))

    @property
    def in_short(self) -> pd.DataFrame:
        """The same as a table: a line for each kind of data, of cells that are cut likewise."""
        told = self._answer().drop(columns="answer", errors="ignore").iloc[:, :MOST_CELLS]
        if told.shape[1] < 2:
            return pd.DataFrame()
        told.columns = [shorten(str(name).replace("_", " "), LONGEST_KIND, placeholder=CUT) for name in told]
        return told.map(lambda words: shorten(words, LONGEST_CELL, placeholder=CUT))

    def _answer(self) -> pd.DataFrame:
        table = read_table(self.tables["answer"]) if "answer" in self.tables else pd.DataFrame()
        if not {"domain", "answer"} <= set(table):
            return pd.DataFrame()
        return table.dropna(subset=["domain", "answer"]).head(MOST_ANSWERS).fillna("").astype(str)


def whole_command(command: str, without: tuple[str, ...] = OF_A_JOB) -> str:
    """A command as a user types it: without the part of a run that a job of a sweep has noted, or others' words."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return shlex.join(word for word in words if not word.startswith(without))


@dataclass(frozen=True)
class Results:
    """What a complete run measured, for what combines several runs; the label is the name of the run's folder."""

    label: str
    config: dict[str, Any]
    rows: pd.DataFrame
    names: Names = field(default_factory=Names)

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


def read_results(run: ReportedRun) -> Results:
    """Read the rows and the configuration of a complete run; NotTestable gives the reason where they cannot be."""
    try:
        config = read_yaml(_text(run.folder / "config.yaml"))
        rows = read_rows(run.folder / "rows.parquet").astype({"value": float})
        results = Results(run.label, config, rows, Names.read(run.folder))
        _ = (results.scale, results.dataset, results.model, results.rows[["method", "metric", "unit", "value"]])
    except Exception as error:  # damaged files break their readers in any way
        raise NotTestable(f"{type(error).__name__}: {first_line(str(error))}") from error
    return results


def find_runs(output_root: Path) -> list[ReportedRun]:
    """Read every run that has been begun or submitted, in order of their names."""
    return [read_run(state) for state in find_states(output_root)]


def read_run(state: RunState) -> ReportedRun:
    """Read what a run wrote, if it is complete; where that cannot be read its state is `unreadable`."""
    if state.state != COMPLETE:
        return ReportedRun(**vars(state))
    try:
        return ReportedRun(**vars(state), **_contents(state.folder))
    except Exception as error:  # damaged files break their readers in any way
        note = f"{type(error).__name__}: {first_line(str(error))}"
        return ReportedRun(**vars(replace(state, state=UNREADABLE, note=note)))


def _contents(folder: Path) -> dict[str, Any]:
    return {
        "config": _text(folder / "config.yaml"),
        "provenance": json.dumps(read_json(folder / "provenance.json"), indent=2, ensure_ascii=False),
        "claims": [checked_record(record) for record in read_json(folder / "claims.json")],
        "judged": str(read_status(folder).get("judged") or ""),
        "figures": [figure_file(path) for path in sorted((folder / "figures").glob("*.png"))],
        "tables": {path.stem: _readable(path) for path in sorted((folder / "tables").glob("*.csv"))},
    }


def _text(path: Path) -> str:
    return read_bounded(path).decode("utf-8")


def read_yaml(text: str) -> Any:  # noqa: ANN401 (YAML)
    """Read YAML that anyone could have written; what the suite writes has no aliases, and a few can stand for billions.

    Raises:
        ValueError: for what is no YAML, has aliases, or is nested deeply.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                raise ValueError("YAML with aliases, or nested too deeply")
        loader = LOADER(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(first_line(str(error))) from error


def _readable(path: Path) -> Path:
    """The path of a table that can be read; of 300 runs not all are held at a time."""
    read_table(path)
    return path


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of a run, or of the benchmarks; whatever pandas raises where it cannot be."""
    return pd.read_csv(io.BytesIO(read_bounded(path)))


def checked_record(record: Record) -> Record:
    """Take a claim's record only with the fields that the report prints."""
    for key, kind in RECORD.items():
        value = record[key]
        if not isinstance(value, kind) or (isinstance(value, int | float) and not abs(value) < LARGEST_NUMBER):
            raise TypeError(f"claims.json has {key} {value!r}")
    return {key: record[key] for key in RECORD}


def figure_file(path: Path) -> FigureFile:
    """A figure with the caption that it carries; an OSError or SyntaxError where it cannot be read."""
    with Image.open(io.BytesIO(read_bounded(path)), formats=["PNG"]) as image:
        caption = str(image.info.get("Description", path.stem))
        size = image.size
        image.verify()  # the page may have to convert it
    return FigureFile(path.stem, path, caption, size)
