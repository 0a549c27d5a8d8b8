"""The launchers behind `hydra/launcher=serial|local|slurm`, and the sweeper; Hydra looks for them here.

Hydra imports this file whenever it starts: what a launcher needs is imported when it launches.
"""

import os
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from igbaselines.launching.jobs import Job


class Sweeper(BasicSweeper):
    """Hydra's own, but neither a run that cannot be composed nor one that fails keeps the others from their work."""

    def __init__(self, params: dict[str, str] | None) -> None:
        super().__init__(max_batch_size=None, params=params)  # behind a batch that failed it would stop

    def sweep(self, arguments: list[str]) -> None:
        """Launch the runs, where there is a place for what comes of them."""
        from igbaselines.common.files import check_writable
        from igbaselines.running.config import absolute

        assert self.config is not None
        check_writable("output_root", Path(absolute(self.config.output_root)))  # Hydra writes there before a launcher
        super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Leave it to the launcher, which composes every run and says what it lacks."""


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="basic",  # in the place of Hydra's own
    node={"_target_": f"{__name__}.Sweeper", "params": None},
)

with suppress(ImportError):  # an extra, without which `hydra/launcher=slurm` says what to install
    from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf

    @dataclass
    class SlurmParameters(SlurmQueueConf):  # type: ignore[misc]  # Any to mypy
        """What hydra-submitit-launcher takes, and what submitit takes beside it."""

        python: str | None = None

    ConfigStore.instance().store(group="hydra/launcher", name="slurm_parameters", node=SlurmParameters)


class _Resuming(Launcher):
    """Does the jobs of a sweep that are not complete."""

    def __init__(self, **parameters: Any) -> None:  # noqa: ANN401 (YAML)
        plain = OmegaConf.to_container(OmegaConf.create(parameters), resolve=True)
        assert isinstance(plain, dict)
        self.parameters: dict[str, Any] = {str(key): value for key, value in plain.items()}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from igbaselines.launching.launcher import launch

        launch(self.hydra_context.config_loader, self.config, job_overrides, initial_job_idx, self.work)
        return []

    @abstractmethod
    def work(self, jobs: "list[Job]") -> None:
        """Do the jobs; each is told how it ended."""

    def logs(self, name: str) -> Path:
        """A folder of this launch's own: another one beside it, or after it, has jobs of the same numbers."""
        return Path(self.config.hydra.sweep.dir) / name / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{os.getpid()}"


class SerialLauncher(_Resuming):
    """One job after another, in this process."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.serial import run_one_by_one

        run_one_by_one(jobs)


class LocalLauncher(_Resuming):
    """Processes side by side on this machine."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.processes import run_processes

        run_processes(jobs, self.parameters["processes"], self.logs("local"))


class SlurmLauncher(_Resuming):
    """Arrays of jobs on a SLURM cluster."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.common.files import locked
        from igbaselines.launching.slurm import adopt, submit, wait

        sweeps = Path(self.config.hydra.sweep.dir)
        with locked(sweeps / ".lock", sweeps):  # one launcher at a time looks what is in the queue and submits the rest
            submit(adopt(jobs), self.parameters)
        wait(jobs)
