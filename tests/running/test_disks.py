"""Disks that fill up, or can only be read, before a run or while it works: one clear line, and a run that goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pandas as pd
import pytest

from tests.commands import Command
from tests.running.faults import SMALL, check_equal, ended, finished, started, there, wait_for
from tests.running.test_errors import expect_one_line

# What a run writes next, and the sign that it is about to.
MOMENTS = {
    "the cache": "data/cache/.*.lock",
    "checkpoints": "data/cache/*.json",
    "more checkpoints": "outputs/*/.*/checkpoints/*/*/networks-*.safetensors",
    "tables and figures": "outputs/*/.*/attempt/rows.parquet",
}


class Disk(Protocol):
    """A disk that can be made to fail.

    Args:
        path: where it is mounted.
        words: what the system says once it has failed.
    """

    path: Path
    words: str

    def fail(self) -> None: ...

    def mend(self) -> None: ...


class FullDisk:
    """A disk in memory that a large file fills."""

    words = "space"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self.path.mkdir()
        mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", self.path)

    def fail(self) -> None:
        with (self.path / "ballast").open("wb", buffering=0) as file:
            while free := os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize:
                file.write(bytes(free))

    def mend(self) -> None:
        (self.path / "ballast").unlink()


class BrokenDisk:
    """A disk in a file, which the system makes read-only at its first error, whoever writes to it at that moment.

    What was written shortly before is lost, as it is when the power fails.
    """

    words = "Read-only"

    def __init__(self, folder: Path) -> None:
        self.path, self._image = folder / "disk", folder / "disk.img"
        self.path.mkdir()
        with self._image.open("wb") as file:
            file.truncate(32 * 2**20)
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("a disk that breaks needs mkfs.ext4")
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True)
        self._mount()

    def _mount(self) -> None:
        mount("-o", "loop,errors=remount-ro", self._image, self.path)

    def fail(self) -> None:
        device = subprocess.check_output(["findmnt", "--noheadings", "--output", "SOURCE", self.path], text=True)
        Path("/sys/fs/ext4", Path(device.strip()).name, "trigger_fs_error").write_text("a test")

    def mend(self) -> None:
        umount(self.path)
        repaired = subprocess.run(["e2fsck", "-f", "-y", self._image], capture_output=True, text=True, check=False)
        assert repaired.returncode in (0, 1), repaired.stdout
        self._mount()


def mount(*arguments: str | Path) -> None:
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a disk of one's own needs root")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk of one's own can be mounted here: {done.stderr.strip()}")


def umount(path: Path) -> None:
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Disk]:
    disk = FullDisk(tmp_path)
    yield disk
    umount(disk.path)


@pytest.fixture
def broken_disk(tmp_path: Path) -> Iterator[Disk]:
    disk = BrokenDisk(tmp_path)
    yield disk
    umount(disk.path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("undisturbed")
    return finished(Command(folder / "outputs", folder / "data"), *SMALL)


def test_folders_that_can_only_be_read(full_disk: Disk, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", full_disk.path], check=True)
    commands = {
        "output_root": Command(full_disk.path / "outputs", tmp_path / "data"),
        "data_root": Command(tmp_path / "outputs", full_disk.path / "data"),
    }
    with ThreadPoolExecutor(len(commands)) as pool:
        results = pool.map(lambda command: command(*SMALL), commands.values())
    for key, result in zip(commands, results, strict=True):
        expect_one_line(result, key, "cannot be written", "Read-only file system")
        assert commands[key].runs() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full_disk", "broken_disk"])
def test_a_disk_that_fails_while_a_run_works(
    kind: str, undisturbed: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    disk: Disk = request.getfixturevalue(kind)
    command = Command(disk.path / "outputs", disk.path / "data")
    for sign in MOMENTS.values():
        with started(command.arguments(*SMALL)) as process:
            wait_for(there(disk.path, sign), process)
            disk.fail()
            result = ended(process)
        expect_one_line(result, disk.words)
        assert command.runs() == []
        disk.mend()
        assert command.runs() == []
    check_equal(finished(command, *SMALL), undisturbed)
