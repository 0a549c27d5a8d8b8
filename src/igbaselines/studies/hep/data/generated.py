"""What the datasets whose events are generated have in common: the processes of arXiv:2412.13864, and their shares.

The shares of a class, signal or background, say how its events are distributed over its processes: they add up to 1.
"""

from collections.abc import Mapping

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError

SIGNAL = "signal"
# The places of the processes are part of what their random streams begin with.
PROCESSES = (SIGNAL, "tt1l", "wj", "tt2l", "st_t", "st_s", "zj", "ww", "wz", "tth", "wh")


def check_share(share: float) -> None:
    """Check the share of one process."""
    if not 0 < share <= 1:
        raise UserError(f"process.share must lie between 0 and 1, got {share}")


def check_generated(n_events: int, signal_fraction: float, seed: int, shares: Mapping[str, float]) -> None:
    """Check what is asked of a dataset.

    Raises:
        UserError: for numbers out of range, an unknown process, or shares that do not add up to 1.
    """
    at_least("dataset.n_events", n_events, 1)
    if not 0 < signal_fraction < 1:
        raise UserError(f"dataset.signal_fraction must lie between 0 and 1, got {signal_fraction}")
    if seed < 0:
        raise UserError(f"dataset.seed must not be negative, got {seed}")
    if unknown := [name for name in shares if name not in PROCESSES]:
        raise UserError(f"dataset.processes: unknown process {unknown[0]!r}, known are {', '.join(PROCESSES)}")
    for kind, is_signal in (("signal", True), ("background", False)):
        total = sum(share for name, share in shares.items() if (name == SIGNAL) == is_signal)
        if abs(total - 1) > 1e-6:
            raise UserError(f"dataset.processes: shares of the {kind} processes must add up to 1, got {total:g}")
