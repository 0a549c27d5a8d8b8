"""Every key of every experiment, set to what it cannot be: one line that names the key, before any work starts."""

import copy
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import explanation, register, resolve
from igbaselines.running.context import RunShard, device_named
from igbaselines.running.study import experiments
from igbaselines.running.targets import instantiate

PARTS = ("dataset", "model", "attribution", "evaluation")
WRONG: tuple[Any, ...] = (math.nan, -math.inf, 10**20, 0.5, -1, True, None, "banana", "a\nb", "", [], [1], {}, {"a": 1})
REPEATED = ("hep_generators", "comparison")  # others have most of their keys, too
COMPARISON = ("tasks=[hep,gridworld,photographs,tables,planted]", "methods=[ig_zero]")


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """The nodes of configurations that have been tried: experiments share them."""
    return set()


def composed(experiment: str) -> DictConfig:
    register()
    more = {"comparison": COMPARISON, "explain": ("dataset.path=pictures", "model=efficientnet_lite0")}
    names = ("dataset_name=d", "model_name=m")
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("config", [f"experiment={experiment}", "scale=smoke", *names, *more.get(experiment, ())])
    OmegaConf.resolve(config)
    return config


def keys(node: Any, where: str, seen: set[str]) -> Iterator[str]:
    """All keys in a node, of nodes and of what is in lists too; what another part has had is not gone into again."""
    yield where
    if isinstance(node, DictConfig):
        if "_target_" in node:
            if (text := OmegaConf.to_yaml(node)) in seen:
                return
            seen.add(text)
        for name in node:
            if name != "_target_" and not OmegaConf.is_missing(node, name):
                yield from keys(node[str(name)], f"{where}.{name!s}", seen)
    elif isinstance(node, ListConfig) and len(node):
        yield where + "[0]"


def refusal(node: DictConfig, key: str, value: Any) -> str | None:
    """What is said of a value; anything but a line for the user is an error of the suite's."""
    part, _, inner = key.replace("[0]", ".0").partition(".")
    changed: Any = node.copy()
    try:
        if inner:
            OmegaConf.update(changed, inner, value, merge=False)
        else:
            changed = value
    except OmegaConfBaseException:
        return key  # by its type, before the suite sees it
    try:
        instantiate(changed, part)
    except UserError as error:
        line, code = explanation(error)
        assert code == 2
        assert line
        assert "\n" not in line
        return line
    return None


def must_refuse(before: Any, value: Any) -> bool:
    """Whether nobody can mean a value where another stands."""
    if isinstance(before, DictConfig) and "_target_" in before:
        return not isinstance(value, dict) and value is not None
    if isinstance(before, bool) or not isinstance(before, int | float):
        return False
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value is not None
    return not abs(value) < (1e15 if isinstance(before, int) else math.inf)


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=[] if name in ("explain", "hep_weightings") else pytest.mark.slow)
        for name in experiments()
    ],
)
def test_what_a_key_cannot_be_is_refused_by_its_name(experiment: str, seen: set[str]) -> None:
    config = composed(experiment)
    for part in (part for part in PARTS if isinstance(config[part], DictConfig)):
        node = copy.deepcopy(config[part])
        node._set_parent(None)  # which would be copied too, with all that hangs on it
        for key in keys(config[part], part, seen):
            before = OmegaConf.select(config, key)
            for value in WRONG:
                line = refusal(node, key, value)
                assert line is not None or not must_refuse(before, value), (key, value)
                names = [name.removesuffix("[0]") for name in key.split(".")[1:]] or [part]
                assert line is None or any(name in line for name in [*names, "tasks="]), (key, value, line)


@cache
def of_every_run() -> DictConfig:
    return composed("hep_baselines")


def taken(key: str, value: Any) -> None:
    """Take a value for a key as a run does before it works."""
    config = copy.deepcopy(of_every_run())
    OmegaConf.update(config, key, value, merge=False)
    plain = resolve(config)
    RunShard(**plain["shard"])
    device_named(plain["device"])


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("seed", [1, 10**9]),
        ("max_batch", [1, 10**9, None]),
        ("workers", [1]),
        ("shard.count", [1]),
        ("shard.index", [None]),
        ("action", []),
        ("device", []),
    ],
)
def test_what_a_key_of_every_run_cannot_be_is_refused_by_its_name(key: str, right: list[Any]) -> None:
    for value in (*WRONG, 10**9, "meta"):
        if value in right and not isinstance(value, bool):
            taken(key, value)
        else:
            with pytest.raises((UserError, OmegaConfBaseException), match=key.rpartition(".")[2]):
                taken(key, value)
