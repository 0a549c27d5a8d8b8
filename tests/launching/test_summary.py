"""What the terminal says: after a sweep, and for `action=status`."""

from pathlib import Path

import pytest

from igbaselines.launching.jobs import Job
from igbaselines.launching.launcher import record_sweep
from igbaselines.launching.slurm import record_gone
from igbaselines.launching.summary import print_status, print_summary
from igbaselines.running.context import RunShard
from igbaselines.running.provenance import code_checksum
from igbaselines.running.rows import Names
from igbaselines.running.run_folder import RunFolder
from igbaselines.running.runner import Prepared
from igbaselines.running.states import WHAT_NEXT
from igbaselines.running.sweeps import Sweep, SweepRun, find_sweeps

COMMAND = "python run.py hydra/launcher=local seed=0,1,2,ten"


def job(root: Path, seed: int, shard: int | None = None) -> Job:
    folder = RunFolder(root, "experiment", f"demo-{seed}")
    run = Prepared({}, {}, {}, Names(), folder, RunShard(2 if shard is not None else 1, shard))
    return Job(seed, (f"seed={seed}", "scale=demo"), run, differs=f"seed={seed}")


def swept(root: Path) -> list[Job]:
    """A complete run, one that failed, one of two shards, and one that cannot work."""
    jobs = [job(root, 0), job(root, 1), job(root, 2, shard=0), job(root, 2, shard=1)]
    jobs.append(Job(3, ("seed=ten",), None, "failed", "seed must be a number", differs="seed=ten"))
    record_sweep(root, COMMAND, "local", jobs)
    for seed in (0, 1):
        RunFolder(root, "experiment", f"demo-{seed}").begin(afresh=False)
    RunFolder(root, "experiment", "demo-0").complete(seconds=75.0, code=code_checksum())
    (RunFolder(root, "experiment", "demo-1").attempt / "run.log").write_text("log")
    RunFolder(root, "experiment", "demo-1").fail(ValueError("no signal"))
    return jobs


def status_of(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_status(root)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_sweep_is_noted_with_its_runs(tmp_path: Path) -> None:
    swept(tmp_path)
    runs = [SweepRun(f"seed={seed}", ("experiment", f"demo-{seed}")) for seed in range(3)]
    runs.append(SweepRun("seed=ten", None, "seed must be a number"))
    assert find_sweeps(tmp_path) == [Sweep(COMMAND, "local", tuple(runs))]


def test_the_status_of_a_sweep_names_what_is_not_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path)
    lines = status_of(tmp_path, capsys)
    assert (
        lines
        == [
            "sweep (local): 1 of 4 complete, 2 failed, 1 not begun",
            f"  {COMMAND}",
            "  failed                  seed=1",
            "      ValueError: no signal",
            f"      {tmp_path}/experiment/demo-1/run.log",
            "      | ValueError: no signal",  # the end of its traceback
            "  not begun               seed=2",
            "  failed                  seed=ten",
            "      seed must be a number",
            "",
            *lines[-3:],
        ]
    )
    assert [line.partition(":")[0] for line in lines[-3:]] == ["failed", "not begun", "Next"]
    assert lines[-1] == WHAT_NEXT


def test_runs_of_no_sweep_stand_for_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seconds, name in ((4000.0, "x-1"), (0.4, "x-2"), (61.0, "x-3"), (None, "x-4")):
        folder = RunFolder(tmp_path, "experiment", name)
        folder.begin(afresh=False)
        folder.complete(code=code_checksum(), **({} if seconds is None else {"seconds": seconds}))
    assert status_of(tmp_path, capsys) == [
        "runs of no sweep: 4 of 4 complete",
        "  complete      1 h 06 m  experiment/x-1",
        "  complete           0 s  experiment/x-2",
        "  complete      1 m 01 s  experiment/x-3",
        "  complete                experiment/x-4",
        "",
    ]


def test_without_runs_the_status_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = status_of(tmp_path / "nowhere", capsys)
    assert line.startswith("no runs under")
    assert "python run.py experiment=" in line


@pytest.mark.parametrize(
    ("answer", "state", "note"),
    [
        ("echo 6; echo 7_1", "submitted", "SLURM job 7_1; 0 of 2 shards complete"),
        ("echo 7_2; echo 17_0", "interrupted", "SLURM says FAILED, SIGKILL; 0 of 2 shards complete"),
        ("exit 1", "submitted", "SLURM job 7_0, 7_1; 0 of 2 shards complete"),  # its controller is down: nobody knows
    ],
)
def test_the_queue_knows_whether_a_job_is_still_there(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    state: str,
    note: str,
) -> None:
    folder = RunFolder(tmp_path / "outputs", "experiment", "x-1")
    for shard in (0, 1):
        folder.shard(shard, 2).record_job(id=f"7_{shard}", log=str(tmp_path / "7.log"))
    (tmp_path / "7.log").write_text("its last words\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for command, said in (("squeue", answer), ("scontrol", "echo JobId=7 JobState=FAILED Restarts=0 ExitCode=0:9")):
        (tmp_path / command).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / command).chmod(0o755)
    record_gone(tmp_path / "outputs")
    lines = status_of(tmp_path / "outputs", capsys)
    assert lines[1:4] == [f"  {state:<13}           experiment/x-1", f"      {note}", f"      {tmp_path}/7.log"]
    assert ("      | its last words" in lines) == (state == "interrupted")
    assert any(line.startswith(f"{state}: ") for line in lines)


def test_the_summary_names_every_job_and_counts_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete, _, first, second, impossible = swept(tmp_path)
    complete.judge("")
    for shard in (first, second):
        shard.log = tmp_path / f"{shard.name}.log"
        shard.judge("killed by SIGKILL")
    print_summary([complete, first, second, impossible])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "  complete      1 m 15 s  0: seed=0",
        f"  killed                  {first.label}",
        "      killed by SIGKILL",
        f"      {tmp_path}/2-shard-0.log",
        f"  killed                  {second.label}",
        "      killed by SIGKILL",
        f"      {tmp_path}/2-shard-1.log",
        "  failed                  3: seed=ten",
        "      seed must be a number",
        "  2 killed, 1 complete, 1 failed",
    ]
