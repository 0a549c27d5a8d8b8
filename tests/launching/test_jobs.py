"""Which jobs a sweep has, what tells one from the next, and what is made of the files that they leave."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.launching.jobs import COMPLETE, FAILED, KILLED, SKIPPED, WAITING, Job, judge_whole_runs, plan
from igbaselines.launching.slurm import adopt
from igbaselines.running.config import register
from igbaselines.running.context import RunShard
from igbaselines.running.run_folder import RunFolder, write_failure
from igbaselines.running.runner import Prepared

HEP = ("experiment=hep_baselines", "scale=smoke")


@pytest.fixture(autouse=True)
def hydra_as_before() -> Iterator[None]:
    before = HydraConfig.instance().cfg
    yield
    HydraConfig.instance().cfg = before


def planned(folder: Path, *overrides: str) -> list[Job]:
    """The jobs of `python run.py -m ...`, whose folders are here."""
    register()
    overrides = (f"output_root={folder / 'outputs'}", f"data_root={folder / 'data'}", *overrides)
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("config", list(overrides), RunMode.MULTIRUN)
        swept = OverridesParser.create(loader).parse_overrides(list(master.hydra.overrides.task))
        return plan(loader, master, BasicSweeper.split_arguments(swept, None)[0], 0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A run of which nothing is there yet."""
    (job,) = planned(tmp_path_factory.mktemp("prepared"), *HEP, "dataset=hep_synthetic")
    assert job.run is not None
    return job.run


@pytest.fixture
def run(prepared: Prepared, tmp_path: Path) -> Prepared:
    return replace(prepared, folder=RunFolder(tmp_path / "outputs", "hep_baselines", "run"))


@pytest.fixture
def shards(run: Prepared) -> tuple[Job, Job]:
    first, second = (Job(0, (), replace(run, shard=RunShard(2, index))) for index in range(2))
    return first, second


def complete(job: Job, shard: bool = False) -> None:
    """Leave the files that a job leaves which has worked."""
    assert job.run is not None
    if shard:
        folder = job.run.shard_folder(job.run.shard)
        folder.begin()
        folder.complete()
    else:
        job.run.folder.begin(afresh=False)
        (job.run.folder.attempt / "provenance.json").write_text(
            json.dumps({"checksums": {"events": job.run.settings["dataset"].checksum()}})
        )
        job.run.folder.complete(seconds=1.5)


def states(jobs: Sequence[Job]) -> list[str]:
    return [job.state for job in jobs]


def test_a_job_for_every_combination_with_what_tells_it_from_the_others(tmp_path: Path) -> None:
    jobs = planned(tmp_path, *HEP, "seed=0,1", "evaluation.networks=2,3")
    assert [job.label for job in jobs] == [
        f"{number}: seed={seed} evaluation.networks={networks}"
        for number, (seed, networks) in enumerate([(0, 2), (0, 3), (1, 2), (1, 3)])
    ]
    assert len({job.folder for job in jobs}) == len({job.name for job in jobs}) == 4
    assert states(jobs) == [WAITING] * 4
    assert not (tmp_path / "outputs" / "hep_baselines").exists()


def test_the_same_run_is_done_once(tmp_path: Path) -> None:
    # device is no part of what a run is: these four are two
    first, second, third, fourth = planned(tmp_path, *HEP, "seed=0,1", "device=cpu,auto")
    assert (first.state, third.state) == (WAITING, WAITING)
    assert (second.state, second.note) == (SKIPPED, "the same run as 0")
    assert (fourth.state, fourth.note) == (SKIPPED, "the same run as 2")


def test_what_is_complete_is_skipped_unless_it_is_forced(tmp_path: Path) -> None:
    swept = (*HEP, "dataset=hep_synthetic", "seed=0,1")
    first, second = planned(tmp_path, *swept)
    complete(first)
    again = planned(tmp_path, *swept)
    assert states(again) == [SKIPPED, WAITING]
    assert again[0].seconds == 1.5
    assert again[1].folder == second.folder
    assert states(planned(tmp_path, *swept, "force=true")) == [WAITING, WAITING]
    assert again[0].run is not None
    (again[0].run.folder.path / "provenance.json").write_text(json.dumps({"checksums": {"events": "of other data"}}))
    assert states(planned(tmp_path, *swept)) == [WAITING, WAITING]


def test_what_cannot_work_has_failed_and_the_rest_waits(tmp_path: Path) -> None:
    jobs = planned(tmp_path, *HEP, "dataset.n_events=6000,many,-1")
    assert states(jobs) == [WAITING, FAILED, FAILED]
    assert "many" in jobs[1].note
    assert "n_events" in jobs[2].note
    assert not any("\n" in job.note for job in jobs)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["dataset.n_events=many,lots"], ["none of the 2 runs", "many"]),
        (["dataset.n_events=many,many"], ["many"]),
        (["action=report"], ["action=report", "alone"]),
        (["shard.count=2", "force=true"], ["force=true", "shard.count"]),
        (["shard.count=0"], ["shard.count", "at least 1"]),
        (["shard.count=2", "shard.index=2"], ["shard.index", "0 to shard.count - 1 = 1"]),
        (["shard.count=2", "shard.index=-1"], ["shard.index", "-1"]),
    ],
)
def test_a_sweep_in_which_nothing_can_work_says_so(tmp_path: Path, overrides: list[str], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        planned(tmp_path, *HEP, *overrides)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_one_job_for_each_shard_that_is_missing(tmp_path: Path) -> None:
    swept = (*HEP, "shard.count=3", "seed=0,1")
    jobs = planned(tmp_path, *swept)
    assert [job.label for job in jobs] == [f"{seed}: seed={seed} shard {i} of 3" for seed in (0, 1) for i in range(3)]
    assert [job.arguments[-2] for job in jobs] == ["shard.index=0", "shard.index=1", "shard.index=2"] * 2
    assert len({job.folder for job in jobs}) == len({job.name for job in jobs}) == 6
    complete(jobs[1], shard=True)
    assert [job.label for job in planned(tmp_path, *swept)][:2] == ["0: seed=0 shard 0 of 3", "0: seed=0 shard 2 of 3"]
    complete(jobs[0], shard=True)
    complete(jobs[2], shard=True)
    first, *others = planned(tmp_path, *swept)  # of the first run none is missing, but it is not put together
    assert first.label == "0: seed=0 shard 0 of 3"
    assert [job.number for job in others] == [1, 1, 1]


def test_whatever_a_value_holds_a_job_is_given_the_same(tmp_path: Path) -> None:
    names = ["a folder/x, y.parquet", "it's, a.parquet", "{a}=[b].parquet", 'q"u"ote$1:2.parquet', "ü.parquet"]
    quoted = ["'" + name.replace("'", "\\'") + "'" for name in names]
    jobs = planned(tmp_path, *HEP, "dataset=hep_table", f"dataset.path={','.join(quoted)}")
    found = [job.run.plain["dataset"]["path"] for job in jobs if job.run is not None]
    assert found == [str(Path(name).absolute()) for name in names]
    for job in jobs:
        (of_the_job,) = planned(tmp_path, *(word for word in job.arguments if not word.startswith("hydra.")))
        assert of_the_job.folder == job.folder


def test_what_happened_before_the_job_was_planned_does_not_count(run: Prepared) -> None:
    run.folder.begin(afresh=False)
    run.folder.fail(ValueError("of yesterday"))
    job = Job(0, (), run)
    assert not job.has_new_status()
    job.judge("killed by SIGKILL")
    assert (job.state, job.note) == (KILLED, "killed by SIGKILL")
    run.folder.begin(afresh=False)
    run.folder.fail(ValueError("of today\nand more"))
    assert job.has_new_status()
    job.judge("killed by SIGKILL")
    assert (job.state, job.note) == (FAILED, "ValueError: of today")
    complete(job)
    job.judge("killed by SIGKILL")
    assert (job.state, job.seconds) == (COMPLETE, 1.5)


def test_a_run_that_is_made_again_is_not_complete_because_it_was(run: Prepared) -> None:
    forced = replace(run, plain=run.plain | {"force": True})
    complete(Job(0, (), forced))
    job = Job(0, (), forced)
    job.judge("killed by SIGKILL")
    assert job.state == KILLED
    complete(job)
    job.judge("killed by SIGKILL")
    assert job.state == COMPLETE


def test_another_launcher_may_have_completed_a_run_while_this_one_planned_it(run: Prepared) -> None:
    complete(Job(0, (), run))
    late = Job(0, (), run)  # looked at the files a moment after it had asked whether the run is done
    late.judge("ended with exit code 0", FAILED)
    assert late.state == COMPLETE


def test_what_a_job_said_last_is_why_it_failed(run: Prepared, tmp_path: Path) -> None:
    job = Job(0, (), run, log=tmp_path / "0.log")
    assert job.log is not None
    job.log.write_text("hep_baselines on cpu\nerror: the first\nerror: no such file\n")
    job.judge("ended with exit code 2", FAILED)
    assert (job.state, job.note) == (FAILED, "no such file")
    assert run.folder.job_record() == {"state": FAILED, "ended": "no such file", "log": str(job.log)}


def test_a_shard_is_complete_when_its_units_are_but_the_run_must_be_put_together(shards: tuple[Job, Job]) -> None:
    for job in shards:
        complete(job, shard=True)
        job.judge("killed by SIGKILL")
    assert states(shards) == [COMPLETE, COMPLETE]
    judge_whole_runs(shards)  # the second was killed while it did that
    assert states(shards) == [COMPLETE, KILLED]
    assert "not put together" in shards[1].note
    complete(shards[0])
    shards[1].judge("killed by SIGKILL")
    judge_whole_runs(shards)
    assert states(shards) == [COMPLETE, COMPLETE]
    assert [job.seconds for job in shards] == [None, None]  # the run's time is that of both


def test_an_earlier_complete_run_does_not_hide_that_its_shards_were_not_put_together(run: Prepared) -> None:
    run.folder.begin(afresh=False)
    run.folder.complete()
    of_other_data = replace(run, plain={**run.plain, "force": True})
    shards = [Job(0, (), replace(of_other_data, shard=RunShard(2, index))) for index in range(2)]
    for job, end in zip(shards, ("ended with exit code 0", "killed by SIGKILL"), strict=True):
        complete(job, shard=True)
        job.judge(end)
    judge_whole_runs(shards)
    assert states(shards) == [COMPLETE, KILLED]
    assert shards[1].note.endswith("not put together: ended with exit code 0, killed by SIGKILL")


def test_what_another_launcher_has_finished_meanwhile_is_not_submitted_again(
    run: Prepared, shards: tuple[Job, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    complete(shards[0], shard=True)
    assert adopt(shards) == list(shards)  # nobody has put the run together yet, and somebody must
    complete(shards[0])
    assert adopt(shards) == []
    assert states(shards) == [COMPLETE, COMPLETE]


def test_a_run_that_fails_when_it_is_put_together_has_failed(run: Prepared, shards: tuple[Job, Job]) -> None:
    for job in shards:
        complete(job, shard=True)
    shards[0].judge("")
    run.folder.begin(afresh=False)
    run.folder.fail(ValueError("unit 3 is too many"))
    shards[1].judge("ended with exit code 1", FAILED)
    judge_whole_runs(shards)
    assert [(job.state, job.note) for job in shards] == [(COMPLETE, ""), (FAILED, "ValueError: unit 3 is too many")]


def test_shards_that_do_not_work(shards: tuple[Job, Job]) -> None:
    first, second = shards
    first.folder.mkdir(parents=True)
    write_failure(first.folder, ValueError("a unit is broken"))
    for job in shards:
        job.judge("killed by SIGKILL")
    judge_whole_runs(shards)
    assert (first.state, first.note) == (FAILED, "ValueError: a unit is broken")
    assert (second.state, second.note) == (KILLED, "killed by SIGKILL")


def test_a_full_disk_does_not_keep_the_other_jobs_from_being_judged(
    prepared: Prepared, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(0, (), replace(prepared, folder=RunFolder(small_disk, "hep_baselines", "run")))
    with pytest.raises(OSError, match="space"):
        (small_disk / "full").write_bytes(bytes(10**6))
    job.judge("killed by SIGKILL")
    assert job.state == KILLED
    assert "space" in caplog.text
