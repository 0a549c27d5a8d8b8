"""What a command line means, and what is said where it means nothing."""

import errno
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf.errors import ConfigKeyError

from igbaselines.common.errors import RunFailedError, UserError
from igbaselines.running.config import explanation

ROOT = Path(__file__).parents[1]
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
    (["experiment=weighted_gradients"], SWEEP),
    (["experiment=weighted_gradients", "hydra.mode=RUN"], RUN),
]
Results = list["Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    folders = [f"{key}={tmp_path_factory.mktemp(key)}" for key in ("output_root", "data_root")]

    def run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(ROOT / "run.py"), "shard.count=2", "force=true", *folders, *arguments]
        if arguments[0] == "-m":
            command.insert(2, command.pop(command.index("-m")))
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    with ThreadPoolExecutor(2) as pool:
        yield [pool.submit(run, arguments) for arguments, _ in MEANT]


@pytest.mark.parametrize("which", range(len(MEANT)), ids=lambda which: " ".join(MEANT[which][0]))
def test_whoever_chooses_a_launcher_means_a_sweep(results: Results, which: int) -> None:
    result = results[which].result()
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert MEANT[which][1] in line


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (UserError("give another"), "give another", 2),
        (RunFailedError("see run.log"), "see run.log", 1),
        (ConfigCompositionException("over\ntwo lines"), "over two lines", 2),
        (ConfigKeyError("no key"), "no key", 2),
        (OSError(errno.ENOSPC, "No space left on device", "rows.parquet"), "rows.parquet: No space left on device", 1),
        (OSError(errno.EROFS, "Read-only file system"), "the output or data folder: Read-only file system", 1),
        (OSError(errno.ECHILD, "No child processes"), None, 1),
        (ValueError("of ours"), None, 1),
    ],
)
def test_an_error_in_one_line(error: Exception, line: str | None, code: int) -> None:
    assert explanation(error) == (line, code)
