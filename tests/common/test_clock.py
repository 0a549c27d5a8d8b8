"""Seconds of work, measured by work that is known to take them."""

import time

import torch

from igbaselines.common.clock import timed


def test_seconds_are_those_of_the_work(device: torch.device) -> None:
    def work() -> str:
        time.sleep(0.05)
        return "done"

    result, seconds = timed(work, device)
    assert result == "done"
    assert 0.05 <= seconds < 5
