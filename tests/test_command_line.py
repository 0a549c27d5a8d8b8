"""What a command line means, and what is said where it means nothing."""

import errno
import sys
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf.errors import ConfigKeyError

from igbaselines.common.errors import RunFailedError, UserError
from igbaselines.running.config import explanation
from tests import prepared
from tests.commands import ROOT

HEP = "experiment=hep_baselines"
RUN, SWEEP = "give -m", "leave shard.count out"  # what the one and the other say of shards that are forced
MEANT = [
    ([HEP], RUN),
    ([HEP, "-m"], SWEEP),
    ([HEP, "hydra/launcher=local"], SWEEP),
    ([HEP, "hydra/launcher=local", "-m"], SWEEP),
    (["-m", "hydra/launcher=local", HEP], SWEEP),
    ([HEP, "hydra/launcher=local", "--config-dir", "conf"], SWEEP),
    ([HEP, "hydra/launcher=local", "hydra.mode=RUN"], RUN),
    (["experiment=weighted_gradients", "scale=full"], SWEEP),
    (["experiment=weighted_gradients", "scale=full", "hydra.mode=RUN"], RUN),
]


@pytest.mark.parametrize(("arguments", "meant"), MEANT)
def test_whoever_chooses_a_launcher_means_a_sweep(tmp_path: Path, arguments: list[str], meant: str) -> None:
    more = [f"output_root={tmp_path}", f"data_root={tmp_path}", "shard.count=2", "force=true"]
    options = [word for word in arguments[:1] if word == "-m"]  # argparse takes -m only before the overrides
    command = [sys.executable, str(ROOT / "run.py"), *options, *more, *arguments[len(options) :]]
    result = prepared.run(command)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert meant in line


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (UserError("give another"), "give another", 2),
        (RunFailedError("see run.log"), "see run.log", 1),
        (ConfigCompositionException("over\ntwo lines"), "over two lines", 2),
        (ConfigKeyError("no key"), "no key", 2),
        (ModuleNotFoundError(name="timm"), None, 1),
        (
            ModuleNotFoundError(name="torchvision.models"),
            'torchvision is not installed: pip install "igbaselines[images]"',
            2,
        ),
        (OSError(errno.ENOSPC, "No space left on device", "rows.parquet"), "rows.parquet: No space left on device", 1),
        (OSError(errno.EROFS, "Read-only file system"), "the output or data folder: Read-only file system", 1),
        (OSError(errno.ECHILD, "No child processes"), None, 1),
        (ValueError("of ours"), None, 1),
    ],
)
def test_an_error_in_one_line(error: Exception, line: str | None, code: int) -> None:
    assert explanation(error) == (line, code)
