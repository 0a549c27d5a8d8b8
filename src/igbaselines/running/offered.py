"""What plugins add to the choices of a command line, as their own YAML files would.

A dataclass of a file that `plugins=[...]` names is a choice by its name in small letters, with its fields as keys:
`class SmoothGrad` with `attribute` is `methods=[smooth_grad]`. A file with a `STUDY` brings its experiments. A package
that announces a module brings the YAML files of a folder `conf` beside it.
"""

import dataclasses
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.plugins import announced, load_plugins, name_network
from igbaselines.running.study import Study, bring

# The groups of conf/, by what a dataclass has that is a choice of the group: the first that fits (models load, too).
MEMBERS = {
    "methods": ("attribute",),
    "metrics": ("score", "compare"),
    "model": ("build", "trained", "untrained"),
    "dataset": ("photographs", "load"),
}
OF_SEVERAL = ("methods", "metrics")  # groups whose files hold their own name, since several are chosen
PLAIN = (str, int, float, bool, type(None))
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def offer(overrides: Sequence[Override]) -> None:
    """Import the files that a command line names as plugins, and make choices of their dataclasses; note networks.

    Raises:
        UserError: for a file that cannot be taken, and for a class that has the name of one of the suite's choices.
    """
    for override in overrides:
        if override.key_or_group == "plugins" and isinstance(files := override.value(), list):
            for module in load_plugins(list(map(str, files))):
                _offer_classes(module)
                _offer_study(module)
        if override.key_or_group.rpartition(".")[2] == "network_file":
            name_network(str(override.value()))


def search_plugins(path: ConfigSearchPath) -> None:
    """Let configurations be looked for in the folders of installed plugins, behind the suite's own."""
    schemas = SearchPathQuery(provider="schema")  # which Hydra wants to be last
    for folder in conf_folders():
        path.prepend("igbaselines.plugins", f"file://{folder}", schemas)


def conf_folders() -> list[Path]:
    """The folders `conf` beside the modules that packages announce; nothing is imported."""
    found = []
    for module in sorted(announced()):
        top, *below = module.split(".")
        spec = importlib.util.find_spec(top)  # which imports nothing, as long as there is no dot
        places = () if spec is None else spec.submodule_search_locations or ()
        folders = [Path(place, *below[:-1], "conf") for place in places]
        found += [folder for folder in folders if folder.is_dir() and folder not in found]
    return found


def choice_name(name: str) -> str:
    """What a class is called on the command line: `IGMedian` is ig_median."""
    return WORD.sub("_", name).lower()


def _offer_classes(module: str) -> None:
    for cls in vars(sys.modules[module]).values():
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__module__ == module):
            continue
        name, node = choice_name(cls.__name__), _node(cls)
        groups = (group for group, members in MEMBERS.items() if any(hasattr(cls, member) for member in members))
        if (group := next(groups, None)) is None:
            continue
        if (PROJECT_ROOT / "conf" / group / f"{name}.yaml").exists():
            raise UserError(f"{module}.{cls.__name__}: {group} has a {name} already, give yours another name")
        ConfigStore.instance().store(name, {name: node} if group in OF_SEVERAL else node, group)


def _offer_study(module: str) -> None:
    if isinstance(study := getattr(sys.modules[module], "STUDY", None), Study):
        bring(study)
        register()


def _node(cls: type) -> dict[str, Any]:
    """What a YAML file of the class would hold: its fields with their defaults, but those that are objects."""
    node: dict[str, Any] = {"_target_": f"{cls.__module__}.{cls.__qualname__}"}
    for field in (field for field in dataclasses.fields(cls) if field.init):
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        if default is dataclasses.MISSING:
            node[field.name] = "???"
        elif _is_plain(default):
            node[field.name] = default
    return node


def _is_plain(value: object) -> bool:
    return isinstance(value, PLAIN) or (isinstance(value, list) and all(map(_is_plain, value)))
