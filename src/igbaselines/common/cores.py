"""How many cores there are to use."""

import os


def usable_cores() -> int:
    """Cores that this process may use: on a cluster those of its job, not those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
