"""The jobs of a sweep: one for each run, or for each shard of it, that is not complete yet."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from igbaselines.command_line import explanation
from igbaselines.config import one_line
from igbaselines.errors import UserError
from igbaselines.experiments.runner import Prepared, prepare
from igbaselines.results.run_folder import read_status
from igbaselines.results.states import first_line

log = logging.getLogger(__name__)

COMPLETE, SKIPPED, FAILED, KILLED = "complete", "skipped", "failed", "killed"
RUNNING, WAITING = "still running", "waiting"


@dataclass
class Job:
    """One command of a sweep.

    Args:
        number: in the sweep.
        overrides: of the command line.
        run: what they ask for; None where they ask for something impossible.
        state: `waiting`, then what became of it.
        note: why it failed or is skipped, in one line.
        log: what it printed, if that is in a file.
        seconds: that it took.
        differs: those of the overrides by which the sweep's runs differ.
        id: that a batch system knows it by.
    """

    number: int
    overrides: tuple[str, ...]
    run: Prepared | None
    state: str = WAITING
    note: str = ""
    log: Path | None = None
    seconds: float | None = None
    differs: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        self._before = self._status_identity()

    @property
    def label(self) -> str:
        """What tells the job from the others, for people."""
        shard = f" {self.run.shard}" if self.run is not None and self.run.shard.is_part else ""
        return f"{self.number}: {self.differs}{shard}"

    @property
    def name(self) -> str:
        """The same for files."""
        shard = f"-shard-{self.run.shard.index}" if self.run is not None and self.run.shard.is_part else ""
        return f"{self.number}{shard}"

    @property
    def arguments(self) -> list[str]:
        """Of `python run.py` that do the job's part, and no more."""
        return [*self.overrides, "hydra.mode=RUN"]

    @property
    def folder(self) -> Path:
        """Where the job's status is written: the run's folder, or the shard's."""
        assert self.run is not None
        return self.run.shard_folder(self.run.shard).path if self.run.shard.is_part else self.run.folder.path

    def fail(self, note: str, state: str = FAILED) -> None:
        """Take down that the job did not work, and why; the run's folder remembers it."""
        self.state, self.note = state, note
        if self.run is not None:
            self.run.folder.record_job(self.run.shard.index, state=state, ended=note)

    def judge(self, otherwise: str) -> None:
        """Find out from the status file, and from nothing else, how a job that is over ended.

        Args:
            otherwise: what is known of its end if there is no status: a signal, or the scheduler's word.
        """
        assert self.run is not None
        status = read_status(self.folder)
        if status.get("state") == COMPLETE or self.run.folder.is_complete():
            self.state = COMPLETE
            self.seconds = status.get("seconds", read_status(self.run.folder.path).get("seconds"))
        elif status and self._status_identity() != self._before:
            self.fail(first_line(str(status.get("error", "failed"))))
        elif (error := last_error(self.log)) is not None:
            self.fail(error)
        else:
            self.fail(otherwise, KILLED)

    def has_new_status(self) -> bool:
        """Whether the run is complete, or has failed since the job was planned."""
        assert self.run is not None
        return self.run.folder.is_complete() or self._status_identity() != self._before

    def _status_identity(self) -> tuple[int, int] | None:
        """Tells one status file from the next without asking a clock."""
        if self.run is None:
            return None
        try:
            status = (self.folder / "status.json").stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def plan(loader: ConfigLoader, master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """List the jobs of a sweep; those whose run is complete are skipped, those that cannot work have failed already.

    Args:
        loader: of the configuration.
        master: configuration of the sweep.
        job_overrides: overrides of each run.
        first: number of the first of them.

    Raises:
        UserError: if no run can work, and all for the same reason.
    """
    jobs: list[Job] = []
    options = _options(master)
    common = set(job_overrides[0]).intersection(*job_overrides) if len(job_overrides) > 1 else set[str]()
    for number, overrides in enumerate(job_overrides, start=first):
        words = (*options, *overrides)
        try:
            run = prepare(_compose(loader, master, overrides))
            done = run.is_done()
        except Exception as error:
            line, code = explanation(error)
            if code == 1 and line is None:
                raise
            jobs.append(Job(number, words, None, FAILED, line or one_line(error)))
            continue
        if done:
            seconds = read_status(run.folder.path).get("seconds")
            jobs.append(Job(number, words, run, SKIPPED, seconds=seconds))
        elif run.shard.count == 1 or run.shard.is_part:
            jobs.append(Job(number, words, run))
        else:
            jobs += _of_shards(number, words, run)
    for job in jobs:
        job.differs = " ".join(word for word in job_overrides[job.number - first] if word not in common)
    _skip_the_same(jobs)
    if jobs and len({job.note for job in jobs}) == 1 and all(job.state == FAILED for job in jobs):
        raise UserError(jobs[0].note)
    return jobs


def _of_shards(number: int, overrides: tuple[str, ...], run: Prepared) -> list[Job]:
    """A job for each missing shard; if none is, the first puts the run together."""
    parts = [replace(run, shard=shard) for shard in run.shard.of_run()]
    missing = [part for part in parts if not part.shard_folder(part.shard).is_complete()] or parts[:1]
    return [Job(number, (*overrides, f"shard.index={part.shard.index}"), part) for part in missing]


def _skip_the_same(jobs: Sequence[Job]) -> None:
    known: dict[tuple[Path, int | None], int] = {}
    for job in jobs:
        if job.run is not None:
            other = known.setdefault((job.run.folder.path, job.run.shard.index), job.number)
            if other != job.number and job.state == WAITING:
                job.state, job.note = SKIPPED, f"the same run as {other}"


def _compose(loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
    config = loader.load_sweep_config(master, list(overrides))
    HydraConfig.instance().set_config(config)
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config


def _options(master: DictConfig) -> list[str]:
    """Options of the command line that are no overrides, and that every job needs too."""
    sources = OmegaConf.to_container(master.hydra.runtime.config_sources)
    assert isinstance(sources, list)
    return [
        word for source in sources if source["provider"] == "command-line" for word in ("--config-dir", source["path"])
    ]


def last_error(file: Path | None) -> str | None:
    """The line that a job ended with, if it told what the user can mend."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file else []
    except OSError:
        return None
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else None
