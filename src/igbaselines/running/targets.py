"""The one way from a configuration to code.

Hydra calls what a configuration names, and its own list of forbidden names (hydra-core 1.3.8, GHSA-2cp2-2r3c-7p7r) is,
in its words, no complete security boundary. Here it is the other way round: nothing is built but dataclasses of this
package and of plugins, which hold values and check them. `igbaselines.running.guard` stands at Hydra's other ways.
"""

import copy
import dataclasses
import pkgutil
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from hydra.utils import instantiate as build
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from igbaselines.common.errors import UserError
from igbaselines.common.values import absolute_files, check_values
from igbaselines.running.config import one_line
from igbaselines.running.plugins import is_plugin

PACKAGE = "igbaselines."
# What stood elsewhere, or had another name, in configurations of earlier versions.
RENAMED = {
    "attribution.baselines.ZeroPhysical": "attribution.baselines.ZeroBaseline",
    "attribution.baselines.ZeroStandardised": "attribution.baselines.TrainingMean",
    "attribution.masking.Black": "attribution.baselines.ZeroBaseline",
    "attribution.masking.BlurredImage": "attribution.image_baselines.Blurred",
    "attribution.masking.Colour": "attribution.baselines.TrainingMean",
    "attribution.masking.CornerMean": "attribution.image_baselines.CornerMean",
    "attribution.masking.MeanColour": "attribution.image_baselines.MeanColour",
    "evaluation.perturbation_curves.PercentileGrid": "metrics.perturbation_curves.PercentileGrid",
    "evaluation.perturbation_curves.ShareGrid": "metrics.perturbation_curves.ShareGrid",
    "running.domains.Domain": "running.study.Domain",
}
# How Hydra would call a target; a dataclass takes its fields by name and needs none of it.
CALLING_KEYS = ("_args_", "_convert_", "_partial_", "_recursive_")


def instantiate(node: object, where: str = "") -> Any:  # noqa: ANN401 (whatever the target builds)
    """Build the object that a node's `_target_` names, with the objects that are nested in it; `where` it stands.

    Raises:
        UserError: where a target is none of this package's dataclasses, or refuses its values.
    """
    try:
        return build(checked(node, where), _convert_="object")
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        place = re.search(r"full_key: (\S+)", str(error))
        said = f"{place[1]}: " if place and not isinstance(cause, UserError) else ""  # which names its key itself
        raise UserError(f"{said}{one_line(cause)}") from error


def checked(node: object, where: str = "") -> DictConfig:
    """A copy of a node that can be built: without interpolations, the paths of the user's files absolute.

    Raises:
        UserError: where a target is none of this package's dataclasses, or a value none of its field's.
    """
    if not isinstance(node, DictConfig):
        said = f"{where}: " if where else ""
        raise UserError(f"{said}nothing can be built from {node!r}: a node with a _target_ is needed")
    resolved = without_interpolations(node)
    plain: Any = OmegaConf.to_container(resolved)
    check_targets(plain, keys=True)
    if "_target_" in plain:
        check_values(where or str(node._key() or "node"), pkgutil.resolve_name(plain["_target_"]), plain)
    absolute_files(resolved)
    return resolved


def without_interpolations(node: DictConfig) -> DictConfig:
    """A copy without interpolations, so that what is checked is what is built."""
    resolved = copy.deepcopy(node)  # of which OmegaConf keeps the parent: interpolations reach out of the node
    OmegaConf.set_readonly(resolved, False)
    try:
        OmegaConf.resolve(resolved)
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from error
    return resolved


def check_targets(node: Any, keys: bool = False) -> None:  # noqa: ANN401 (any YAML)
    """Refuse what would call something else than this package's dataclasses, or gives one `keys` that it has not."""
    if isinstance(node, Mapping):
        for key in CALLING_KEYS:
            if key in node:
                raise UserError(f"{key} is not allowed: an object is built from its own keys alone")
        if "_target_" in node:
            known = {one.name for one in dataclasses.fields(_checked_target(node["_target_"]))}
            for key in (key for key in node if keys and key not in ("_target_", *known)):
                has = ", ".join(sorted(known)) or "none"
                raise UserError(f"unknown key {key}: the keys of {node['_target_'].rpartition('.')[2]} are {has}")
        for value in node.values():
            check_targets(value, keys)
    elif isinstance(node, list):
        for value in node:
            check_targets(value, keys)
    elif isinstance(node, str) and "${" in node:  # Hydra would resolve it once more
        raise UserError(f"{node!r} is not allowed: an interpolation that makes another one")


def _is_allowed(name: str) -> bool:
    """Whether a dotted name begins with this package, or with a plugin."""
    return name.startswith(PACKAGE) or is_plugin(name)


def _checked_target(target: object) -> type[Any]:
    """The dataclass that a target names, if it may be built."""
    refusal = UserError(f"_target_ {target!r} is not allowed: only dataclasses of igbaselines, and of plugins")
    if not isinstance(target, str) or not _is_allowed(target):
        raise refusal
    if now := RENAMED.get(target.removeprefix(PACKAGE)):
        raise UserError(f"_target_ {target!r} is called {PACKAGE}{now} now")
    try:
        found = hydra.utils.get_object(target)
    except Exception as error:
        raise UserError(f"_target_ {target!r} {_why_not_found(target, error)}") from error
    # A module of ours also holds what it imports (`igbaselines.common.files.os.system`), and functions that write.
    is_ours = isinstance(found, type) and _is_allowed(f"{found.__module__}.")
    if not (is_ours and isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise refusal
    return found


def _why_not_found(target: str, error: BaseException) -> str:
    """Whether there is no such name, or what kept its module from being imported: too little memory, a package."""
    while error.__cause__ is not None:
        error = error.__cause__
    is_absent = f"{target}.".startswith(f"{error.name}.") if isinstance(error, ModuleNotFoundError) else False
    if is_absent or (isinstance(error, AttributeError) and isinstance(error.obj, type | ModuleType)):
        return "does not exist"
    return f"cannot be imported ({type(error).__name__}: {one_line(error)})"
