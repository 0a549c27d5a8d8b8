"""Worker processes: what they have in work is given up at once."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

from igbaselines.studies.hep.data.worker_pool import WorkerPool

GIVE_UP = """
import time
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from igbaselines.studies.hep.data.worker_pool import WorkerPool

if __name__ == "__main__":
    for delay in (0.01, 0.02, 0.04, 0.06, 0.08):  # behind the first result, while the next one is handed over
        with suppress(ValueError), WorkerPool(1) as pool:
            wait([pool.submit(bytes, 50_000_000) for _ in range(8)], return_when=FIRST_COMPLETED)
            time.sleep(delay)
            raise ValueError("enough")
        print(delay)
"""


def test_workers_hand_over_what_they_made() -> None:
    with WorkerPool(1) as pool:
        assert [pool.submit(abs, number).result() for number in (-1, 2)] == [1, 2]
    assert multiprocessing.active_children() == []


def test_an_error_does_not_wait_for_a_worker_that_is_handing_over(tmp_path: Path) -> None:
    script = tmp_path / "give_up.py"
    script.write_text(GIVE_UP)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["0.01", "0.02", "0.04", "0.06", "0.08"], done.stderr
