"""Which runs of an experiment may stand in one table: those that differ in nothing but the network.

Runs of another scale, data set, protocol or study are never put together, nor runs of any other setting (a seed, a
number of images, ...). An ablation is a study, too, but how it attributes and evaluates is what it varies.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from igbaselines.reporting.page.by_dataset import ABLATION
from igbaselines.reporting.page.runs import Results
from igbaselines.running.config import RUN_TIME_KEYS
from igbaselines.studies.images.reporting.weighted.factors import NOT_SET, describe, settings_of

NETWORK = ("model", "model_name")
TABLES = "tables"  # what a run is for if it does not say
# The study is a group's own; examples are only drawn.
NO_NUMBER = ("evaluation.study", "evaluation.examples")
MOST_SAID = 8  # settings that a sentence lists

Flat = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Runs that differ only in the network (and, in an ablation, in what it varies), each network once."""

    results: Sequence[Results]  # of the runs, in the order in which they came
    study: str  # of all of them
    name: str  # ends the names of the group's files; no other group of the study has it
    words: str  # scale, data set and protocol
    # What sets it apart from other groups of the same words, as a sentence; empty where there are none
    differs: str = ""

    def known(self, place: int) -> dict[str, Any]:
        """What a table says of a run before its numbers."""
        of = self.results[place]
        return {"model": of.model, "dataset": of.dataset, "protocol": _protocol(of)}


def comparable_groups(results: Sequence[Results]) -> list[Group]:
    """Part the runs into groups that may be compared; of groups of the same words, the one of most networks is first.

    A network that was run twice with the same settings (from another checkpoint, or prepared otherwise) stands in two
    groups: an average never counts it twice.
    """
    found: list[Group] = []
    for (scale, study), same_study in _grouped(results, lambda of: (of.scale, _study(of))):
        families = _grouped(same_study, lambda of: (of.dataset, _protocol(of)))
        datasets, protocols = ({key[place] for key, _ in families} for place in (0, 1))
        taken: set[str] = set()
        for (dataset, protocol), family in families:
            words = f"Scale {scale}, {dataset}, {f'protocol {protocol}' if protocol else 'no named protocol'}."
            parts = _parts(family)
            for part in parts:
                name = _free("_".join([scale, *_slug(datasets, dataset), *_slug(protocols, protocol)]), taken)
                taken.add(name)
                found.append(Group(part, study, name, words, _differences(part, parts)))
    return found


def _protocol(of: Results) -> str:
    """The protocol that a run's attributions follow; empty where they follow none by name."""
    return _said(of, "attribution", "protocol")


def _study(of: Results) -> str:
    """What a run was made for: the paper's tables, or an ablation of them."""
    return _said(of, "evaluation", "study") or TABLES


def _said(of: Results, group: str, key: str) -> str:
    found = of.config.get(group)
    return str(found.get(key) or "") if isinstance(found, Mapping) else ""


def _parts(family: Sequence[Results]) -> list[list[Results]]:
    """Part runs by their settings, and each network's further runs from its first."""
    parts: list[list[Results]] = []
    for _, same_settings in _grouped(family, lambda of: (json.dumps(_settings(of), sort_keys=True, default=str),)):
        turns = _turns(same_settings)
        parts += [[of for of in same_settings if turns[of.label] == turn] for turn in range(1 + max(turns.values()))]
    return sorted(parts, key=lambda part: (-len({of.model for of in part}), part[0].label))


def _turns(runs: Sequence[Results]) -> dict[str, int]:
    """Count, for each run, how often its network came before at the same settings: published weights come first."""

    def preference(of: Results) -> tuple[bool, str, str]:
        model = _flat(of.config.get("model"), "model")
        return bool(model.get("model.checkpoint")), json.dumps(model, sort_keys=True, default=str), of.label

    seen: Counter[str] = Counter()
    turns = {}
    for of in sorted(runs, key=preference):
        same = json.dumps([of.model, settings_of(of.config)], sort_keys=True, default=str)
        turns[of.label] = seen[same]
        seen[same] += 1
    return turns


def _settings(of: Results) -> Flat:
    """Everything that has to agree within a group."""
    varied = ("attribution", "evaluation") if _study(of) == ABLATION else ()
    fixed = {key: value for key, value in of.config.items() if key not in (*RUN_TIME_KEYS, *NETWORK, *varied)}
    return {key: value for key, value in _flat(fixed).items() if key not in NO_NUMBER}


def _differences(part: Sequence[Results], parts: Sequence[Sequence[Results]]) -> str:
    """Say what sets runs apart from others of the same scale, data set, protocol and study."""
    if len(parts) == 1:
        return ""
    everyone = [of for other in parts for of in other]
    settings = [_settings(of) for of in everyone]
    mine = _settings(part[0])
    said = [f"{key} {describe(mine.get(key, NOT_SET))}" for key in _varied(settings)]
    said += _of_networks(part, everyone)
    more = f" and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
    here = ", ".join(said[:MOST_SAID]) + more if said else "other runs of the same settings"
    return f"One of {len(parts)} sets of runs that cannot be put together; here: {here}."


def _of_networks(part: Sequence[Results], everyone: Sequence[Results]) -> list[str]:
    """Name the settings in which several runs of one network differ, for every network of the part."""
    flat = {of.label: _flat(of.config.get("model"), "model") for of in everyone}
    varied: dict[str, None] = {}
    for _, runs in _grouped(everyone, lambda of: (of.model,)):
        varied |= dict.fromkeys(_varied([flat[of.label] for of in runs]))
    return [
        f"{key} {describe(flat[of.label].get(key, NOT_SET))} ({of.model})"
        for key in varied
        for of in {of.model: of for of in part}.values()
    ]


def _varied(settings: Sequence[Flat]) -> list[str]:
    keys = sorted(set().union(*settings))
    return [key for key in keys if len({json.dumps(of.get(key, NOT_SET), default=str) for of in settings}) > 1]


def _flat(node: Any, prefix: str = "") -> Flat:  # noqa: ANN401 (any YAML)
    """Lay out nested mappings as `outer.inner`; an empty one stays, for it says something too."""
    if not isinstance(node, Mapping) or not node:
        return {prefix: node}
    found: Flat = {}
    for key, value in node.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _grouped(results: Sequence[Results], key: Any) -> list[tuple[tuple[str, ...], list[Results]]]:  # noqa: ANN401
    """Group by a key, in its order; within a group the order stays."""
    return [(found, list(members)) for found, members in groupby(sorted(results, key=key), key=key)]


def _slug(all_names: set[str], name: str) -> Iterator[str]:
    """Write a name for a file, where it tells groups apart."""
    if len(all_names) > 1:
        yield re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_") or "none"


def _free(name: str, taken: set[str]) -> str:
    """Number a name that is taken."""
    number, found = 2, name
    while found in taken:
        number, found = number + 1, f"{name}_{number}"
    return found
