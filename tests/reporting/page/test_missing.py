"""The words for what is not there: each state's own reason, and no list without an end."""

import pytest

from igbaselines.reporting.page.missing import say_part, why_untested
from igbaselines.running.states import RunState
from igbaselines.running.sweeps import Sweep, SweepRun

COMMAND = "python run.py -m experiment=e"


def made(*states: str, note: str = "", experiment: str = "e") -> list[RunState]:
    return [RunState(experiment, f"x-{place}", state, note) for place, state in enumerate(states)]


def sweep_of(count: int, *words: str) -> Sweep:
    overrides = words or [f"seed={place}" for place in range(count)]
    return Sweep(COMMAND, "local", tuple(SweepRun(word, ("e", f"x-{place}")) for place, word in enumerate(overrides)))


@pytest.mark.parametrize(
    ("state", "note", "reason"),
    [
        ("failed", "ValueError: no signal", "the run failed: ValueError: no signal"),
        ("interrupted", "killed by SIGKILL", f"the run was interrupted (killed by SIGKILL): {COMMAND} goes on"),
        ("interrupted", "", f"the run was interrupted: {COMMAND} goes on"),
        ("running", "1 of 3 shards complete", "the run is still running (1 of 3 shards complete)"),
        ("submitted", "SLURM job 7", "the run has been submitted to SLURM"),
        ("unreadable", "status.json is damaged", "the run cannot be read: status.json is damaged"),
        ("not begun", "", f"the run has not begun: {COMMAND}"),
    ],
)
def test_a_run_gives_its_reason(state: str, note: str, reason: str) -> None:
    assert why_untested("e", made(state, note=note), [sweep_of(1)]) == reason


def test_a_run_of_no_sweep_goes_on_by_its_own_command() -> None:
    assert why_untested("e", made("interrupted"), []) == "the run was interrupted: the same command goes on"


def test_runs_that_sweeps_share_count_once_and_the_same_reasons_together() -> None:
    runs = made("failed", "failed", note="no signal") + made("running", experiment="other")
    reason = why_untested("e", runs, [sweep_of(2), sweep_of(3)])
    assert reason == f"2 runs failed: no signal; 1 run has not begun: {COMMAND}"


def test_many_reasons_are_not_all_said() -> None:
    runs = [RunState("e", str(place), "failed", f"reason {place // 2}") for place in range(9)]
    assert why_untested("e", runs, []) == "; ".join(f"2 runs failed: reason {n}" for n in range(3)) + " and 3 more"


def test_without_a_run_that_is_under_way_the_command_is_named() -> None:
    for runs in ([], made("complete"), made("failed", experiment="other")):
        assert why_untested("e", runs, []) == "no complete run has tested it yet: python run.py experiment=e"


def test_a_part_of_a_sweep_is_counted_in_its_own_words() -> None:
    runs = made("complete", "failed", "complete")
    assert say_part(sweep_of(3), runs) == "2 of 3 runs of a sweep are in; missing: seed=1 (failed)"
    networks = sweep_of(0, "model=vgg16", "model=vgg19")
    assert say_part(networks, runs) == "1 of 2 networks of a sweep are in; missing: model=vgg19 (failed)"
    assert say_part(sweep_of(1), runs) == ""
    many = say_part(sweep_of(9), runs)
    assert many.endswith("missing: seed=1 (failed), seed=3 (not begun), seed=4 (not begun) and 4 more")
