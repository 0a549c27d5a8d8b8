"""Freed memory stays with the process, ready for the next tensor."""

import platform
import subprocess
import sys

import pytest

MEGABYTES = 240
PROGRAM = f"""
import psutil, sys, torch
from igbaselines.common.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
process = psutil.Process()
before = process.memory_info().rss
tensor = torch.ones({MEGABYTES} * 2**20, dtype=torch.uint8)
del tensor
print((process.memory_info().rss - before) // 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is glibc's")
def test_what_a_large_tensor_took_stays() -> None:
    kept = {}
    for how in ("keep", "leave"):
        command = [sys.executable, "-c", PROGRAM, how]
        kept[how] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert kept["leave"] < 0.2 * MEGABYTES
    assert kept["keep"] > 0.8 * MEGABYTES
