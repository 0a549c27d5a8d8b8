"""Where the suite's own files lie, and where what it makes goes, in a checkout as where a wheel was installed.

In a checkout conf/ and data/ stand at its top, and outputs go there too. A wheel carries both inside the package, to
which nothing is ever written: outputs go to the current folder, what is generated or fetched to the user's cache.
"""

import os
from importlib.resources import files
from pathlib import Path

PACKAGE = Path(str(files("igbaselines")))
IN_CHECKOUT = not (PACKAGE / "conf").is_dir()
PROJECT_ROOT = PACKAGE.parents[1] if IN_CHECKOUT else PACKAGE  # holds conf/ and data/
COMMAND = ("python", "run.py") if IN_CHECKOUT else ("igbaselines",)  # what a user types


def place(kind: str) -> Path:
    """The folder of `outputs` or of `data` where none is asked for."""
    if IN_CHECKOUT:
        return PROJECT_ROOT / kind
    return Path.cwd() / kind if kind == "outputs" else user_cache()


def user_cache() -> Path:
    """The user's cache, as the XDG base directory specification has it."""
    asked = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(asked) if Path(asked).is_absolute() else Path.home() / ".cache") / "igbaselines"
