"""One's own code: Python files that the command line names, `plugins=[my_ideas.py]`.

There alone: no configuration file can name code. What a file defines is found by `_target_: my_ideas.MyBaseline`, as
the suite's own is; the run's hash holds the file's checksum.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256

_loaded: dict[str, Path] = {}  # module -> file


def load_plugins(files: Sequence[str]) -> dict[str, str]:
    """Import files as modules of their names; returns the checksum of each module's file.

    Raises:
        UserError: for a file that is not there, cannot be a module, hides another one, or fails while it is imported.
    """
    return {(path := _checked(file)).stem: _load(path) for file in files}


def is_plugin(module: str) -> bool:
    """Whether a module was loaded from a file that the command line names."""
    return module in _loaded


def _checked(file: str) -> Path:
    path = as_path(file).absolute()
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UserError(f"plugins={file}: a Python file is needed whose name is one of a module, such as my_ideas.py")
    if not path.is_file():
        raise UserError(f"plugins={file}: there is no such file")
    return path


def _load(path: Path) -> str:
    name = path.stem
    if _loaded.get(name) != path:
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            raise UserError(f"plugins={path}: a module {name} is there already: give the file another name")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: dataclasses look themselves up there
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise UserError(f"plugins={path} cannot be imported: {type(error).__name__}: {error}") from error
        _loaded[name] = path
    return sha256(path)
