"""The launchers behind `hydra/launcher=serial|local|joblib|slurm`; Hydra looks for them in this package.

Hydra imports this file whenever it starts: what a launcher needs is imported when it launches.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from igbaselines.launching.jobs import Job


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

    def work(self, jobs: "list[Job]") -> None:
        """Do the jobs; each is told how it ended."""
        raise NotImplementedError


class SerialLauncher(_Resuming):
    """One job after another, in this process."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.serial import run_one_by_one

        run_one_by_one(jobs)


class LocalLauncher(_Resuming):
    """Processes side by side on this machine."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.processes import run_processes

        run_processes(jobs, self.parameters["processes"], Path(self.config.hydra.sweep.dir) / "local")


class JoblibLauncher(_Resuming):
    """Worker processes of joblib, which stay up from one job to the next."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.workers import run_in_workers

        run_in_workers(jobs, self.parameters, Path(self.config.hydra.sweep.dir) / "joblib")


class SlurmLauncher(_Resuming):
    """Arrays of jobs on a SLURM cluster."""

    def work(self, jobs: "list[Job]") -> None:  # noqa: D102
        from igbaselines.launching.launcher import launching_alone
        from igbaselines.launching.slurm import adopt, submit, wait

        with launching_alone(Path(self.config.output_root)):
            submit(adopt(jobs), self.parameters)
        wait(jobs)
