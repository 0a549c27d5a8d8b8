"""Garbage collection, which has nothing to find among what was imported, and takes seconds to look through it."""

import atexit
import gc


def import_without_collecting() -> None:
    """Look for no garbage while a command imports what it needs, nor when it ends."""
    gc.disable()
    atexit.register(gc.freeze)


def collect_from_here() -> None:
    """Collect from now on, but nothing of what is there: once, after the imports."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
