"""The guard at the ways by which Hydra itself calls, imports, unpickles or writes what a configuration names.

That is callbacks, logging handlers, launchers and their job scripts, places to search and to write: a configuration
asks for none of them here. What the suite itself builds, `igbaselines.running.targets` builds.
"""

import functools
import operator
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import absolute
from igbaselines.running.offered import offer, search_plugins
from igbaselines.running.targets import check_targets, without_interpolations

CONFIG = "config"  # where every configuration begins
# Where Hydra would write, and from where it would run: `output_root` says it for all.
PLACES = ("run.dir", "sweep.dir", "sweep.subdir", "output_subdir", "job.chdir")
OUR_LAUNCHERS = "hydra_plugins.igbaselines_launchers."
# Where configurations may be: in folders, in Hydra and its plugins, and among our schemas. To look into any other
# module would import it.
SEARCHED = r"file://.*|(?!.*://).*|pkg://(hydra\.conf|hydra_plugins)(\..*)?|structured://"
RERUN = "--experimental-rerun"


def guard_hydra(arguments: Sequence[str] = ()) -> None:
    """Close the ways on which Hydra itself would call, import, unpickle or write what a command line names.

    To be called in every process before Hydra starts there; what is refused, a rerun too, becomes a UserError.
    """
    for option in (word.partition("=")[0] for word in arguments):
        if len(option) > 2 and RERUN.startswith(option):  # Hydra takes a beginning for the whole
            raise UserError(f"{RERUN} would read a pickle, which can run code: give the run's command again")
    # Hydra acts on a configuration (logging, callbacks, environment, plugins) as soon as its loader has returned it,
    # so what the YAML files and the command line ask for can be refused nowhere else.
    hydra._internal.hydra.ConfigLoaderImpl = GuardedLoader  # type: ignore[attr-defined]


class GuardedRepository(ConfigRepository):
    """Looks for configurations only where that imports nothing of a configuration's choice."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Search these places; a UserError says where one of them is a module."""
        for place in config_search_path.get_path():
            if not re.fullmatch(SEARCHED, place.path, re.DOTALL):
                raise UserError(f"{place.path} is not searched for configurations: give a folder, --config-dir=FOLDER")
        super().initialize_sources(config_search_path)


class GuardedLoader(ConfigLoaderImpl):
    """Composes configurations, and refuses those whose `hydra` node asks for more than the suite needs of Hydra."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        search_plugins(config_search_path)
        self.config_search_path = config_search_path
        self.repository = GuardedRepository(config_search_path)
        self._own: dict[str, Any] = {}

    def load_configuration(self, config_name: str | None, *args: Any, **kwargs: Any) -> DictConfig:  # noqa: ANN401
        """Compose a configuration as Hydra does; a UserError says where it would make Hydra call or write something."""
        words = kwargs.get("overrides", args[0] if args else [])
        overrides = [one for one in OverridesParser.create().parse_overrides(words) if not one.is_sweep_override()]
        offer(overrides)
        self._check_groups(overrides)
        config = super().load_configuration(config_name or CONFIG, *args, **kwargs)  # --hydra-help comes without one
        _keep_text(config, [one for one in overrides if not self.repository.group_exists(one.key_or_group)])
        _check_code(config, words)
        written: Any = OmegaConf.to_container(config)  # interpolations stay: they may become something else later
        _check_logging(written)
        _check_environment(written)
        _check_callbacks(config, written)
        launcher = written["hydra"]["launcher"]
        if not isinstance(launcher, dict | None):  # of what it refers to nothing is read here
            raise UserError("hydra.launcher must be a node of its own, as hydra/launcher=slurm has one")
        if launcher and "setup" in launcher:
            _check_job_script(launcher, self._own_launcher(config, words, *args[1:], **kwargs), words)
        _check_plugins(config)
        _check_places(written)
        _check_launcher_folder(config)
        return config

    def _check_groups(self, overrides: Sequence[Override]) -> None:
        """Refuse for a group what names no file of it: a number, null, a dictionary."""
        for override in overrides:
            key, value = override.key_or_group, override.value()
            is_name = isinstance(value, str | list) or (override.is_delete() and value is None)
            if not is_name and self.repository.group_exists(key):
                shown = "null" if value is None else value
                raise UserError(f"{key}={shown} does not exist: choose from {', '.join(self.get_group_options(key))}")

    def _own_launcher(self, config: DictConfig, words: Sequence[str], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """What the launcher's own file makes of it, without any other that was named."""
        choice = str(OmegaConf.select(config, "hydra.runtime.choices.hydra/launcher"))
        if choice not in self._own:
            known = dict(zip(("run_mode", "from_shell", "validate_sweep_overrides"), args, strict=False)) | kwargs
            own = [f"hydra/launcher={choice}", *(word for word in words if word.startswith("hydra.searchpath="))]
            alone = super().load_configuration(CONFIG, **known | {"overrides": own})
            self._own[choice] = OmegaConf.to_container(alone.hydra.launcher)
        return self._own[choice]

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """The names in a group of configurations, as Hydra has them.

        `--help` asks some 200 times, and each time Hydra would copy all that it has read, in case that overrides
        name other places to search: for a question without any there is no need.
        """
        if config_name is None and not overrides:
            return self.repository.get_group_options(group_name, results_filter)
        return super().get_group_options(group_name, results_filter, config_name, overrides)


def _keep_text(config: DictConfig, overrides: Sequence[Override]) -> None:
    """What is text stays as it was typed: a folder 2024_11_05 is no number 20241105, and sort(a) none called a."""
    for override in overrides:
        key, typed = override.key_or_group, str(override.input_line).partition("=")[2].strip()
        is_typed = isinstance(override._value, QuotedString) or "\\" in typed or override.is_delete()
        is_plain = isinstance(override.value(), int | float | str) and "${" not in typed
        if is_plain and not is_typed and isinstance(OmegaConf.select(config, key, throw_on_missing=False), str):
            OmegaConf.update(config, key, typed, force_add=True)


def _check_code(config: DictConfig, overrides: Sequence[str]) -> None:
    """A file of the user's is run: the command line alone may say which, and no YAML file of somebody else's."""
    on_command_line = any(word.lstrip("+~").partition("=")[0] == "plugins" for word in overrides)
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    for key in params:
        if key.lstrip("+~").rpartition(".")[2] in ("plugins", "network_file"):
            raise UserError(f"{key} names code: it can stand on the command line alone, in no configuration file")
    if OmegaConf.select(config, "plugins") and not on_command_line:
        raise UserError("plugins=[...] names code: it can stand on the command line alone, in no configuration file")


def _check_logging(written: Any) -> None:  # noqa: ANN401 (any YAML)
    """Any handler is a call of a configuration's choice, and most write a file of its choice; `root: null` has none."""
    for key in ("hydra_logging", "job_logging"):
        logging = written["hydra"][key]
        if not isinstance(logging, dict) or logging.get("root", "") is not None:
            raise UserError(f"hydra.{key} cannot be set: the log of a run is its run.log")


def _check_environment(written: Any) -> None:  # noqa: ANN401 (any YAML)
    """LD_PRELOAD, PYTHONPATH and their like make other programs of those that a run starts."""
    for key in ("env_copy", "env_set"):
        if written["hydra"]["job"][key]:
            raise UserError(f"hydra.job.{key} cannot be set: set environment variables where the command is given")


def _check_callbacks(config: DictConfig, written: Any) -> None:  # noqa: ANN401 (any YAML)
    """Hydra builds these, and calls what it has built; the suite has none."""
    if written["hydra"]["callbacks"]:
        check_targets(
            OmegaConf.to_container(without_interpolations(config.hydra.callbacks))
        )  # which says what is wrong with it
        raise UserError("hydra.callbacks cannot be set: the suite has none")


def _check_plugins(config: DictConfig) -> None:
    """Hydra looks these up among its plugins itself, but ends in a traceback, and builds what is nested in them."""
    for key, kind in (("launcher", Launcher), ("sweeper", Sweeper)):
        known = [f"{plugin.__module__}.{plugin.__qualname__}" for plugin in Plugins.instance().discover(kind)]
        if kind is Launcher:  # others read pickles from where the results are
            known = [name for name in known if name.startswith(OUR_LAUNCHERS)]
        node = config.hydra[key]
        found = without_interpolations(node if isinstance(node, DictConfig) else OmegaConf.create({}))
        values: Any = OmegaConf.to_container(found)
        target = values.pop("_target_", None)
        if target not in known:
            raise UserError(f"hydra.{key}._target_ {target!r} is no {key} that can be taken: {', '.join(known)}")
        check_targets(values)
        config.hydra[key] = found  # what was checked, so that nothing else is built


def _check_job_script(asked: Any, ours: Any, overrides: Sequence[str]) -> None:  # noqa: ANN401 (any YAML)
    """A job script is run: its lines are the launcher's own file's, and other keys the command line's, or its."""
    keys = [word.lstrip("+~").partition("=")[0].split(".") for word in overrides]
    typed = {key[2] for key in keys if key[:2] == ["hydra", "launcher"] and len(key) > 2}
    for key in asked.keys() | ours.keys():
        if asked.get(key) != ours.get(key) and (key == "setup" or key not in typed):
            raise UserError(
                f"hydra.launcher.{key} can be set in the launcher's own file (--config-dir=FOLDER hydra/launcher=FILE)"
                f"{' alone: its lines are run' if key == 'setup' else ' or on the command line, in no other file'}"
            )


def _check_places(written: Any) -> None:  # noqa: ANN401 (any YAML)
    ours: Any = OmegaConf.to_container(OmegaConf.load(PROJECT_ROOT / "conf" / f"{CONFIG}.yaml"))
    for place in PLACES:
        asked, own = (functools.reduce(operator.getitem, place.split("."), node["hydra"]) for node in (written, ours))
        if asked != own:
            raise UserError(f"hydra.{place} cannot be set: the suite names its own folders, under output_root")


def _check_launcher_folder(config: DictConfig) -> None:
    folder = OmegaConf.select(config, "hydra.launcher.submitit_folder")
    if folder is not None:
        inside, outside = (os.path.normpath(absolute(name)) for name in (folder, config.output_root))  # drops the `..`
        if not Path(inside).is_relative_to(outside):
            raise UserError(f"hydra.launcher.submitit_folder={folder} must lie in output_root={config.output_root}")
