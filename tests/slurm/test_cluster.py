"""The cluster's own scripts: what the tests of sweeps rely on."""

import subprocess
from pathlib import Path

import pytest

from tests.slurm.conftest import SCRIPTS, Cluster, running_cluster, until, up

pytestmark = pytest.mark.slurm


def test_up_again_keeps_the_daemons(cluster: Cluster) -> None:
    before = cluster.processes()
    up(cluster.folder)
    assert cluster.processes() == before


def test_the_nodes_offer_what_the_sweeps_ask_for(cluster: Cluster) -> None:
    nodes = cluster.run("sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %c %G").stdout.splitlines()
    assert nodes == ["node1 4 gpu:1", "node2 4 gpu:1"]
    partitions = cluster.run("sinfo", "--noheader", "--format=%R").stdout.split()
    assert partitions == ["main", "low", "high"]


def test_an_array_runs_two_at_a_time_and_sacct_tells_how_it_ended(cluster: Cluster, tmp_path: Path) -> None:
    script = f"echo + >> {tmp_path}/events; sleep 1; echo - >> {tmp_path}/events; exit $SLURM_ARRAY_TASK_ID"
    job = cluster.submit(script, "--array=0-3%2")
    until(lambda: "PENDING" not in cluster.states(job).values(), "the last tasks start")
    until(lambda: set(cluster.states(job).values()) <= {"COMPLETED", "FAILED"}, "the array ends")

    running, most = 0, 0
    for event in (tmp_path / "events").read_text().split():
        running += 1 if event == "+" else -1
        most = max(most, running)
    assert most == 2
    told = cluster.run("sacct", "-o", "JobID,State,NodeList", "--parsable2", "-j", job).stdout.splitlines()
    assert told[0] == "JobID|State|NodeList"
    states = dict(line.split("|")[:2] for line in told[1:])
    assert states == {f"{job}_{task}": "COMPLETED" if task == 0 else "FAILED" for task in range(4)}


def test_a_job_above_its_memory_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = cluster.submit("python3 -c 'import time; x = b\"x\" * 300_000_000; time.sleep(60)'", f"--output={log}")
    cluster.wait_for(job, "FAILED")
    (record,) = cluster.records(job)
    assert record["ExitCode"] == "0:9"
    assert "Exceeded job memory limit" in log.read_text()


def test_a_job_of_low_is_told_and_requeued_for_one_of_high(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "echo start; trap 'echo USR2; scontrol requeue $SLURM_JOB_ID; exit' USR2; while :; do sleep 0.1; done"
    options = ("--exclusive", "--nodelist=node1", "--signal=B:USR2@60", f"--output={log}", "--open-mode=append")
    low = cluster.submit(script, "--partition=low", *options)
    until(lambda: log.exists() and "start" in log.read_text(), "the job runs")
    high = cluster.submit("sleep 1", "--partition=high", "--exclusive", "--nodelist=node1")
    cluster.wait_for(high, "COMPLETED")
    assert "USR2" in log.read_text()
    until(lambda: log.read_text().count("start") == 2, "the job runs again", 60)  # SLURM's own default: two minutes
    cluster.run("scancel", low)


def test_jobs_outlive_the_controller(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(f"until [ -e {tmp_path}/end ]; do sleep 0.1; done")
    cluster.wait_for(job, "RUNNING")
    until(lambda: len(cluster.pids_of(job)) > 0, "its script runs")
    pids = cluster.pids_of(job)
    cluster.kill_controller()
    assert cluster.run("scontrol", "ping", check=False).returncode != 0
    cluster.start_controller()
    assert cluster.state(job) == "RUNNING"
    assert cluster.pids_of(job)[0] == pids[0]
    (tmp_path / "end").touch()
    cluster.wait_for(job, "COMPLETED")


def test_two_clusters_side_by_side_and_nothing_left_of_a_dead_one(cluster: Cluster) -> None:
    with running_cluster() as other:
        # The job ignores signals, its child has left the job, and no controller is there to cancel it.
        job = other.submit("trap '' TERM; setsid sleep 1000 & sleep 1000; sleep 1000")
        other.wait_for(job, "RUNNING")
        until(lambda: len(other.pids_of(job)) == 3, "all of its processes run")
        assert not set(other.processes()) & set(cluster.processes())
        other.kill_controller()
    assert cluster.run("sinfo").returncode == 0


def test_a_path_too_long_for_sockets_is_told_in_a_line(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    result = subprocess.run([SCRIPTS / "up.sh", folder], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "must have at most 75 characters" in line
    assert not folder.exists()
