"""In what the configurations of several runs differ: the factors of a sweep, and the level of each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import pandas as pd

Config: TypeAlias = Mapping[str, Any]

# Keys by the words that they are shown with, in order of importance; any other key of GROUPS is shown as it is.
WORDS = {
    "attribution.protocol": "protocol",
    "attribution.baselines": "baselines",
    "attribution.fitness_mask": "fitness mask",
    "evaluation.mask": "metric mask",
    "attribution.ranking": "fitness ranking",
    "evaluation.ranking": "metric ranking",
    "attribution.rule": "quadrature",
    "attribution.output": "explained output",
    "attribution.search": "search of D_alpha",
    "attribution.filter_below": "filter below",
    "evaluation.grid": "curve points",
    "evaluation.overlap": "overlap",
}
GROUPS = ("attribution", "evaluation")
# What is drawn or measured beside, and changes no number that is compared.
BESIDE = {
    *("evaluation.examples", "evaluation.draws", "evaluation.insertion", "evaluation.removed", "evaluation.study"),
    *("evaluation.masks", "evaluation.first_crossing", "attribution.method"),
}
NOT_SET = "not set"


@dataclass(frozen=True)
class Factor:
    """A setting that differs between runs."""

    name: str  # in words
    levels: tuple[str, ...]  # of each run
    # The names of settings that differ along with it, run by run: their effects cannot be told apart
    also: tuple[str, ...] = ()


def varied_factors(configs: Sequence[Config]) -> list[Factor]:
    """Find what differs between runs in how they attribute and evaluate."""
    settings = [settings_of(config) for config in configs]
    keys = sorted(set().union(*settings), key=_place)
    found: dict[tuple[int, ...], Factor] = {}
    for key in keys:
        levels = _levels([setting.get(key, NOT_SET) for setting in settings])
        partition = tuple(int(code) for code in pd.factorize(pd.Series(levels))[0])
        if len(set(partition)) < 2:
            continue
        name = WORDS.get(key, key)
        if first := found.get(partition):
            found[partition] = Factor(first.name, first.levels, (*first.also, name))
        else:
            found[partition] = Factor(name, levels)
    return list(found.values())


def combinations_run(columns: Sequence[Sequence[str]], places: Sequence[int]) -> tuple[int, int]:
    """Count the combinations of levels of the runs at some places, and all that these levels could make."""
    run = {tuple(column[place] for column in columns) for place in places}
    return len(run), prod(len({column[place] for place in places}) for column in columns)


def describe(value: Any) -> str:  # noqa: ANN401 (any YAML)
    """Say in short what a setting is: an object by its class and arguments, a mapping by its keys."""
    if isinstance(value, Mapping) and "_target_" in value:
        arguments = ", ".join(f"{key}={describe(item)}" for key, item in value.items() if key != "_target_")
        name = str(value["_target_"]).rpartition(".")[2]
        return f"{name}({arguments})" if arguments else name
    if isinstance(value, Mapping):
        return ", ".join(str(key) for key in value)
    if isinstance(value, list):
        return ", ".join(describe(item) for item in value)
    return "none" if value is None else str(value)


def settings_of(config: Config) -> dict[str, Any]:
    """Take what may be a factor: how a run attributes and evaluates, as `group.key`."""
    groups = {group: config.get(group) for group in GROUPS}
    found = {
        f"{group}.{key}": value
        for group, content in groups.items()
        if isinstance(content, Mapping)
        for key, value in content.items()
        if key != "_target_"
    }
    return {key: value for key, value in found.items() if key not in BESIDE}


def _levels(values: Sequence[Any]) -> tuple[str, ...]:
    """Describe each value in short, or in full where short words would make two different values look the same."""
    short, full = [describe(value) for value in values], [str(value) for value in values]
    clear = len(set(short)) == len(set(full))
    return tuple(short if clear else [_in_full(value) for value in values])


def _in_full(value: Any) -> str:  # noqa: ANN401 (any YAML)
    if isinstance(value, Mapping) and "_target_" not in value:
        return ", ".join(f"{key}: {_in_full(item)}" for key, item in value.items())
    return describe(value)


def _place(key: str) -> tuple[int, str]:
    return (list(WORDS).index(key) if key in WORDS else len(WORDS), key)
