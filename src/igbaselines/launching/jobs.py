"""The jobs of a sweep: one for each run, or for each shard of it, that is not complete yet."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from igbaselines.common.errors import UserError, first_line
from igbaselines.running.config import explanation, one_line
from igbaselines.running.run_folder import read_status
from igbaselines.running.runner import Prepared, prepare

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
        end: what is known of its end, where that was not the end of a whole run.
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
    end: str = ""

    def __post_init__(self) -> None:
        self._before = self._statuses()

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
        return self.run.place.path

    def fail(self, note: str, state: str = FAILED) -> None:
        """Take down that the job did not work, and why; the run's folder remembers it."""
        self.state, self.note = state, note
        if self.run is not None:
            where = {} if self.log is None else {"log": str(self.log)}
            try:
                self.run.place.record_job(state=state, ended=note, **where)
            except OSError as error:  # a full disk: the other jobs shall be judged all the same
                log.warning("how %s ended could not be written: %s", self.label, error.strerror)

    def judge(self, otherwise: str, state: str = KILLED) -> None:
        """Find out from the status files, and where they are silent from its log, how a job that is over ended.

        `otherwise` is known of its end if neither tells (a signal, the scheduler's word), and `state` what that makes.
        """
        assert self.run is not None
        if self.is_whole():
            self.state, self.seconds = COMPLETE, self.time_of_run()
        elif (error := self._new_failure() or last_error(self.log)) is not None:
            self.fail(error)
        elif self.run.shard.is_part and read_status(self.folder).get("state") == COMPLETE:
            # Whether somebody has put the run together, is seen when all jobs are over.
            self.state, self.end = COMPLETE, otherwise
        else:
            self.fail(otherwise, state)

    def time_of_run(self) -> float | None:
        """Seconds that the run took, all of its jobs together; None for a part of them."""
        whole = self.run is not None and not self.run.shard.is_part
        return read_status(self.folder).get("seconds") if whole else None

    def has_new_status(self) -> bool:
        """Whether the run, or the shard, has ended since the job was planned."""
        return self._statuses() != self._before

    def is_whole(self) -> bool:
        """Whether the run is complete; one that is made again (force=true, other data) was so before."""
        assert self.run is not None
        return self.run.folder.is_complete() and (self._statuses()[0] != self._before[0] or self.run.is_done())

    def _new_failure(self) -> str | None:
        """What the run, or the shard, failed of since the job was planned."""
        for folder, status, before in zip(self._folders(), self._statuses(), self._before, strict=True):
            found = read_status(folder)
            if status != before and found.get("state") == FAILED:
                return first_line(str(found.get("error", "failed")))
        return None

    def _folders(self) -> tuple[Path, ...]:
        """Of the run, and of the shard."""
        return () if self.run is None else (self.run.folder.path, self.folder)

    def _statuses(self) -> list[tuple[int, int] | None]:
        """Tells the status files of now from those of before without asking a clock."""
        return [_identity(folder / "status.json") for folder in self._folders()]


def check_gpu(jobs: Sequence[Job]) -> None:
    """Refuse jobs of this machine that ask for a GPU where there is none, before any of them fails by itself."""
    names = {str(job.run.plain["device"]) for job in jobs if job.run is not None}
    if wanted := sorted(name for name in names if name.startswith("cuda")):
        import torch

        if not torch.cuda.is_available():
            raise UserError(
                f"device={wanted[0]} cannot be used here: torch sees no GPU (device=auto takes what there is)"
            )


def plan(loader: ConfigLoader, master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """List the jobs of a sweep; those whose run is complete are skipped, those that cannot work have failed already.

    Arguments are those of `launch`; a UserError says that no run can work.
    """
    jobs: list[Job] = []
    options = _options(master)
    common = set(job_overrides[0]).intersection(*job_overrides) if len(job_overrides) > 1 else set[str]()
    for number, overrides in enumerate(job_overrides, start=first):
        words = (*options, *overrides)
        try:
            jobs += _of_run(number, words, _prepared(loader, master, overrides))
        except Exception as error:
            line, code = explanation(error)
            if code == 1 and line is None:
                raise
            jobs.append(Job(number, words, None, FAILED, line or one_line(error)))
    for job in jobs:
        job.differs = " ".join(word for word in job_overrides[job.number - first] if word not in common)
    _skip_the_same(jobs)
    if jobs and all(job.state == FAILED for job in jobs):
        same = len({job.note for job in jobs}) == 1
        raise UserError(jobs[0].note if same else f"none of the {len(jobs)} runs can work; the first: {jobs[0].note}")
    return jobs


def _of_run(number: int, overrides: tuple[str, ...], run: Prepared) -> list[Job]:
    """The job that does a run, or one for each of its missing shards; if none is, the first puts the run together."""
    if run.is_done():
        return [Job(number, overrides, run, SKIPPED, seconds=read_status(run.folder.path).get("seconds"))]
    if run.shard.count == 1 or run.shard.is_part:
        return [Job(number, overrides, run)]
    if run.plain["force"]:
        raise UserError("force=true makes a whole run again: leave shard.count out")
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


def _prepared(loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]) -> Prepared:
    config = loader.load_sweep_config(master, list(overrides))
    HydraConfig.instance().set_config(config)
    with read_write(config), open_dict(config):
        del config["hydra"]
    if config.action != "run":
        raise UserError(f"action={config.action} looks at all runs that there are: give it alone")
    return prepare(config)


def judge_whole_runs(jobs: Sequence[Job]) -> None:
    """Behind the last job: a run whose shards are complete has failed if nobody has put them together."""
    of_runs: dict[Path, list[Job]] = {}
    for job in jobs:
        if job.run is not None and job.run.shard.is_part:
            of_runs.setdefault(job.run.folder.path, []).append(job)
    for sharing in of_runs.values():
        last = sharing[-1]
        assert last.run is not None
        shards = [last.run.shard_folder(shard) for shard in last.run.shard.of_run()]
        are_complete = all(job.state == COMPLETE for job in sharing) and all(shard.is_complete() for shard in shards)
        if are_complete and not last.is_whole():
            ends = ", ".join(dict.fromkeys(job.end for job in sharing if job.end))
            last.fail(f"its shards are complete, but were not put together: {ends}", KILLED)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        list(file.parents[1].iterdir())  # which makes NFS look again for a folder that was not there a moment ago
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _options(master: DictConfig) -> list[str]:
    """Options of the command line that are no overrides, and that every job needs too."""
    sources = OmegaConf.to_container(master.hydra.runtime.config_sources)
    assert isinstance(sources, list)
    folders = [source["path"] for source in sources if source["provider"] == "command-line"]
    paths = [word for word in master.hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
    return [word for folder in folders for word in ("--config-dir", folder)] + paths


def last_error(file: Path | None) -> str | None:
    """The line that a job ended with, if it told what the user can mend."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file else []
    except OSError:
        return None
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else None
