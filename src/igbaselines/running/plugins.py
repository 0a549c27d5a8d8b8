"""Code of others: files that the command line names, `plugins=[my_ideas.py]`, and packages that announce themselves.

An installed package does so by an entry point of the group `igbaselines.plugins`, whose value is a module of its own.
Nothing else brings code: no configuration file and no run folder can name any. What a plugin defines is found by
`_target_: my_ideas.MyBaseline`, as the suite's own is. So it is with networks that are saved with their code, which
`model.network_file=FILE` names, on the command line alone too. The run's hash and its provenance hold the checksums of
the files that the command line names, and of the installed plugins that the configuration takes something from.
"""

import hashlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256

GROUP = "igbaselines.plugins"
_loaded: dict[str, Path] = {}  # module -> file
_networks: set[Path] = set()  # files of networks with their code


def load_plugins(files: Sequence[str]) -> dict[str, str]:
    """Import files as modules of their names; returns the checksum of each module's file.

    Raises:
        UserError: for a file that is not there, cannot be a module, hides another one, or fails while it is imported.
    """
    return {(path := _checked(file)).stem: _load(path) for file in files}


def name_network(file: str) -> None:
    """Let a file be loaded as a network with its code, since the command line names it."""
    _networks.add(as_path(file).absolute())


def check_named_network(file: str) -> None:
    """Refuse a network with its code that the command line does not name.

    Raises:
        UserError: saying so.
    """
    if as_path(file).absolute() not in _networks:
        raise UserError(
            f"network_file={file} names code: it can stand on the command line alone, in no configuration file"
        )


def network_path(file: str) -> Path:
    """The file of a network with its code.

    Raises:
        UserError: where it is not there.
    """
    path = as_path(file)
    if not path.is_file():
        raise UserError(f"{path}: no such file, model.network_file must name a network saved by torch")
    return path


def installed_plugins(config: Any) -> dict[str, str]:  # noqa: ANN401 (any YAML)
    """The checksum of each announced module from which a configuration takes something."""
    names = [name for name in _targets(config) if not name.startswith("igbaselines.")]
    used = {module for name in names for module in announced() if name.startswith(f"{module}.")}
    return {module: _checksum(module) for module in sorted(used)}


def is_plugin(name: str) -> bool:
    """Whether a dotted name lies in a file that the command line names, or in a module that a package announces."""
    return name.partition(".")[0] in _loaded or any(name.startswith(f"{module}.") for module in announced())


@cache
def announced() -> frozenset[str]:
    """Modules that installed packages announce; nothing is imported."""
    return frozenset(point.module for point in importlib.metadata.entry_points(group=GROUP))


def _targets(node: Any) -> Iterator[str]:  # noqa: ANN401 (any YAML)
    """Every `_target_` of a configuration."""
    if isinstance(node, Mapping):
        yield from (str(value) for key, value in node.items() if key == "_target_")
    for value in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _targets(value)


def _checksum(module: str) -> str:
    """sha256 of a module's file, or of all Python files of a package."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise UserError(f"a package announces the plugin {module}, but there is no such module: install it anew")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [(path.relative_to(folder).as_posix(), path) for folder in folders for path in folder.rglob("*.py")]
    if not folders and spec.origin is not None:
        return sha256(Path(spec.origin))
    digest = hashlib.sha256()
    for name, path in sorted(files):
        digest.update(f"{name} {sha256(path)}\n".encode())
    return digest.hexdigest()


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
        if name in sys.modules or _hides(path):
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
            line = _line(error, path)
            raise UserError(f"plugins={path} cannot be imported: {type(error).__name__}: {error}{line}") from error
        _loaded[name] = path
    return sha256(path)


def _hides(path: Path) -> bool:
    """Whether a module of the file's name is there which is another one: `python -m` finds those of the folder too."""
    spec = importlib.util.find_spec(path.stem)
    if spec is None:
        return False
    return spec.origin is None or not Path(spec.origin).is_file() or not path.samefile(spec.origin)


def place_in_plugin(error: BaseException) -> str:
    """Where in a plugin an error of a run arose, " in my_ideas.py, line 12"; nothing where that was not in one."""
    modules = (sys.modules.get(name) for name in {*_loaded, *announced()})
    files = {file for module in modules if (file := getattr(module, "__file__", None))}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def _line(error: Exception, path: Path) -> str:
    """Where in a file an error arose; a SyntaxError says it itself."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" (line {lines[-1]})" if lines and not isinstance(error, SyntaxError) else ""
