"""What runs Python in a job of SLURM: the launcher's own, or that of an image."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from igbaselines.launching.slurm import _executor
from igbaselines.running.config import register
from tests.commands import ROOT

IMAGE = "apptainer exec --nv /images/igbaselines.sif python"


@pytest.mark.parametrize(("words", "python"), [([], shlex.quote(sys.executable)), ([IMAGE], IMAGE)])
def test_a_job_runs_the_python_it_is_told(
    words: list[str], python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)  # submitit asks whether there is one
    register()
    given = [f"hydra.launcher.python='{word}'" for word in words]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["hydra/launcher=slurm", *given], return_hydra_config=True)
    keys: Any = OmegaConf.to_container(config.hydra.launcher)
    del keys["_target_"]
    executor: Any = _executor(keys | {"submitit_folder": str(tmp_path)})
    assert executor._executor._submitit_command_str.startswith(f"{python} -u -m submitit.core._submit")
