"""The first signal asks, the second ends, and afterwards signals mean what they meant before."""

import os
import signal
import subprocess
import sys
import time

import pytest

from igbaselines.common.stopping import StoppedError, stop_asked, stop_here, stoppable

WORK = """
import time
from igbaselines.common.stopping import stop_asked, stop_here, stoppable
with stoppable():
    print("working", flush=True)
    for _ in range(600):
        time.sleep(0.05)
        {place}
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_asks_for_a_stop_at_the_next_place(signum: int, code: int) -> None:
    with stoppable():
        stop_here()
        os.kill(os.getpid(), signum)
        assert stop_asked()
        with pytest.raises(StoppedError) as stopped:
            stop_here()
    assert stopped.value.exit_code == code
    assert not isinstance(stopped.value, Exception)  # no `except Exception` takes it for a failure


def test_what_was_asked_in_one_block_is_not_asked_in_the_next() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before
    with stoppable():
        assert not stop_asked()
        stop_here()


def test_behind_the_block_ctrl_c_interrupts_as_ever() -> None:
    with stoppable():
        pass
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def working(place: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(place=place)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM,) * 2]
)
def test_the_second_signal_ends_the_process_at_once(first: int, second: int) -> None:
    process = working(place="pass")
    process.send_signal(first)
    assert process.stderr is not None
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("stopping")
    assert process.poll() is None
    start = time.monotonic()
    process.send_signal(second)
    process.communicate(timeout=20)
    assert process.returncode == -second
    assert time.monotonic() - start < 10  # of 30 seconds of work


def test_the_first_signal_is_answered_at_the_next_place() -> None:
    process = working(place="stop_here()")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert said.strip().splitlines()[-1].endswith("StoppedError: stopped by SIGTERM")


def test_a_stop_is_asked_for_even_where_nobody_reads_what_is_said() -> None:
    process = working(place="if stop_asked(): raise SystemExit(7)")
    assert process.stderr is not None
    process.stderr.close()  # `2>&1 | tee log`: Ctrl-C has ended the tee
    process.stderr = None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 7
