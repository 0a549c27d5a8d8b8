"""Reading an analyst's files: which branches are needed, which events belong where, and what they weigh."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from igbaselines.common.columns import some
from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.ntuple.columns import (
    Features,
    broken,
    categories,
    imputed,
    matches,
    refuse_missing,
    slotted,
    table,
    warn_of_repeats,
    without_sentinels,
)
from igbaselines.studies.hep.data.ntuple.expressions import evaluate, names_in
from igbaselines.studies.hep.data.ntuple.files import Branch, Branches, branch_names, is_jagged, read_branches
from igbaselines.studies.hep.data.ntuple.settings import NtupleProcess, NtupleSettings
from igbaselines.studies.hep.data.ntuple.weights import cross_section_weights, training_weights

log = logging.getLogger(__name__)


class Reading:
    """All that is found out of the files."""

    def __init__(self, settings: NtupleSettings, sources: Sequence[tuple[str | None, list[Path]]]) -> None:
        self.settings = settings
        self.paths = [(name, path) for name, paths in sources for path in paths]
        self.names = {path: branch_names(path, settings.tree) for _, path in self.paths}
        self.asked = self._asked()
        self.features = self._feature_branches()

    def events(self, checksum: str) -> EventTable:
        """Read, select, label, weigh."""
        settings = self.settings
        branches, source = self._read()
        total = len(source)
        processes, process = self._processes(branches, source)
        generated = self._evaluated("weight", settings.weight, branches, total)
        physics = self._physics(processes, process, generated)
        is_signal = self._is_signal(branches, processes, process)
        features, columns = self._features(branches, total)
        kept = process >= 0
        if settings.select is not None:
            kept &= self._true("select", settings.select, columns, total)
        kept &= self._not_missing(features, kept)
        self._check_not_empty(processes, process, kept)
        matrix, names = table(imputed(Features({n: v[kept] for n, v in features.columns.items()}, features.slots)))
        weighed = self._training(columns, generated, total)
        used = tuple(processes)
        weights = (
            None
            if weighed is None
            else training_weights(weighed[kept], process[kept], used, matrix, settings.negative_weights)
        )
        errors = {name: self._of(name).cross_section_error for name in used}
        return EventTable(
            features=matrix,
            feature_names=names,
            process=process[kept],
            processes=used,
            is_signal=is_signal[kept],
            weight=None if physics is None else physics[kept],
            checksum=checksum,
            cross_section_error=errors if any(errors.values()) else None,
            training_weight=weights,
            category_of={column: category for column, category in features.category_of.items() if column in names},
        )

    def _of(self, process: str) -> NtupleProcess:
        found: NtupleProcess = self.settings.processes.get(process, NtupleProcess())
        return found

    def _asked(self) -> set[str]:
        """Branches that the settings name for something else than a feature."""
        settings = self.settings
        expressions = {
            "weight": settings.weight,
            "training_weight": settings.training_weight,
            "select": settings.select,
        }
        expressions |= {f"derived.{name}": text for name, text in settings.derived.items()}
        expressions |= {f"processes.{name}.select": one.select for name, one in settings.processes.items()}
        found = {name for key, text in expressions.items() if text for name in names_in(f"dataset.{key}", text)}
        return found | {name for name in (settings.process, settings.label) if name is not None}

    def _feature_branches(self) -> list[str]:
        """The branches that are features: in every file, included, and none that only says which event it is."""
        settings, (first, *others) = self.settings, self.names.values()
        weighed = {name for text in (settings.weight, settings.training_weight) if text for name in names_in("", text)}
        told = {settings.process, settings.label, *weighed}
        wanted = [n for n in first if matches(n, settings.include) and not matches(n, settings.exclude)]
        never = [name for name in wanted if matches(name, settings.never) or name in told]
        if never:
            log.info("never features: %s (dataset.never)", ", ".join(never))
        found = [name for name in wanted if name not in never]
        somewhere = [name for name in found if not all(name in names for names in others)]
        if somewhere:
            log.warning("left out, not in every file: %s", some(somewhere))
        for pattern in (*settings.categories, *settings.jagged):
            if not any(matches(name, [pattern]) for name in found):
                raise UserError(f"dataset: no branch that is a feature is called {pattern!r}; there are {some(found)}")
        return [name for name in found if name not in somewhere]

    def _read(self) -> tuple[Branches, Int[np.ndarray, " n"]]:
        """All branches that are needed, of all files behind one another, and the number of each event's file."""
        parts, source = [], []
        for index, (_, path) in enumerate(self.paths):
            there = self.names[path]
            wanted = [*self.features, *sorted(name for name in self.asked - {*self.features} if name in there)]
            found = read_branches(path, self.settings.tree, {name: there[name] for name in wanted})
            parts.append(found)
            source.append(np.full(len(next(iter(found.values()), [])), index))
        shared = [name for name in parts[0] if all(name in part for part in parts)]
        return {name: _joined(name, [part[name] for part in parts]) for name in shared}, np.concatenate(source)

    def _processes(self, branches: Branches, source: Int[np.ndarray, " n"]) -> tuple[list[str], Int[np.ndarray, " n"]]:
        """Names of the processes, and of each event the number of its own; -1: of none."""
        settings, total = self.settings, len(source)
        told = np.full(total, "", dtype=object)
        if settings.process is not None:
            if settings.process not in branches:
                raise UserError(f"dataset.process={settings.process} is no branch; there are {some(list(branches))}")
            told = np.array([_text(one) for one in branches[settings.process]], dtype=object)
        names = list(settings.processes) or list(dict.fromkeys(told))
        process = np.full(total, -1, dtype=np.int64)
        for index, name in enumerate(names):
            own = [place for place, (of, _) in enumerate(self.paths) if of == name]
            members = np.isin(source, own) if own else (told == name) if settings.process else np.ones(total, bool)
            if not own:
                members &= np.isin(source, [place for place, (of, _) in enumerate(self.paths) if of is None])
            if self._of(name).select is not None:
                members &= self._true(f"processes.{name}.select", str(self._of(name).select), branches, total)
            if (taken := members & (process >= 0)).any():
                other = names[process[taken][0]]
                raise UserError(f"dataset.processes: {taken.sum()} events are {name!r} and {other!r} at once")
            process[members] = index
        return names, process

    def _is_signal(
        self, branches: Branches, processes: Sequence[str], process: Int[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        told = np.array([self._of(name).signal for name in processes])[process]
        if self.settings.label is None:
            return np.asarray(told)
        label = branches.get(self.settings.label)
        if label is None or not np.isin(label, [0, 1]).all():
            raise UserError(f"dataset.label={self.settings.label} must be a branch of ones (signal) and zeros")
        for index, name in enumerate(processes):
            if len(np.unique(label[process == index])) > 1:
                raise UserError(f"dataset.label: process {name!r} has events of both kinds, it is signal or background")
        return np.asarray(label == 1)

    def _physics(
        self, processes: Sequence[str], process: Int[np.ndarray, " n"], generated: Float[np.ndarray, " n"] | None
    ) -> Float[np.ndarray, " n"] | None:
        """The cross-section [fb] of each event; None where nothing is known of any process."""
        known = {name: self._of(name).cross_section is not None or generated is not None for name in processes}
        if not any(known.values()):
            return None
        if lacking := [name for name, is_known in known.items() if not is_known]:
            raise UserError(
                f"dataset.processes.{lacking[0]}.cross_section [fb] is missing: the others have theirs, "
                "and there is no dataset.weight"
            )
        weight = np.ones(len(process)) if generated is None else generated
        found = np.zeros(len(process))
        for index, name in enumerate(processes):
            members, of = process == index, self._of(name)
            there = float(weight[members].sum())
            if of.cross_section is not None and of.sum_of_weights is None:
                log.info("process %r: its files hold all that was generated, sum of weights %.6g", name, there)
            found[members] = cross_section_weights(
                weight[members], of.cross_section, of.sum_of_weights or there, of.luminosity
            )
        return found

    def _features(self, branches: Branches, total: int) -> tuple[Features, Branches]:
        """The features, and all columns that expressions can be of."""
        settings = self.settings
        own = {name: branches[name] for name in self.features}
        lists = [name for name, branch in own.items() if is_jagged(branch)]
        free = [name for name in lists if not matches(name, list(settings.jagged))]
        if free:
            raise UserError(
                f"branch {free[0]} has a list an event ({len(free)} such branches): +dataset.jagged.{free[0]}=3 "
                f"takes its first three entries, dataset.exclude=[{free[0]}] leaves it out"
            )
        features = slotted({name: own[name] for name in lists}, settings.jagged, settings.sentinels)
        columns = {**branches, **features.columns}
        for name, branch in own.items():
            if is_jagged(branch):
                continue
            if matches(name, settings.categories):
                found = categories(name, branch)
                features.columns |= found
                features.category_of |= dict.fromkeys(found, name)
                continue
            if branch.dtype.kind not in "biuf":
                raise UserError(
                    f"branch {name} holds texts: dataset.categories=[{name}] makes a column of each of them, "
                    f"dataset.exclude=[{name}] leaves it out"
                )
            _warn_of_numbers(name, branch)
            features.columns[name] = columns[name] = without_sentinels(branch, settings.sentinels)
            if branch.dtype.kind == "f":
                warn_of_repeats(name, columns[name])
        for name, expression in settings.derived.items():
            if name in columns:
                raise UserError(f"dataset.derived.{name}: there is a branch of this name, choose another")
            value = evaluate(f"dataset.derived.{name}", expression, columns, total)
            features.columns[name] = columns[name] = without_sentinels(value, [])
        return features, columns

    def _not_missing(self, features: Features, kept: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """The events that stay although, or because, nothing is missing in them."""
        if self.settings.missing == "impute":
            return kept
        lacking = broken(features)
        if self.settings.missing == "refuse":
            refuse_missing(
                Features(
                    {name: values[kept] for name, values in features.columns.items()},
                    empty={name: values[kept] for name, values in features.empty.items()},
                )
            )
            return kept
        if lost := int((lacking & kept).sum()):
            log.warning("%d of %d events lack a value and are left out (dataset.missing=drop_event)", lost, kept.sum())
        return ~lacking

    def _check_not_empty(
        self, processes: Sequence[str], process: Int[np.ndarray, " n"], kept: Bool[np.ndarray, " n"]
    ) -> None:
        for index, name in enumerate(processes):
            there, left = int((process == index).sum()), int((process[kept] == index).sum())
            if not left:
                said = f"none of its {there} events is left" if there else "there is no event of it"
                raise UserError(
                    f"process {name!r} is empty: {said}; see dataset.select, dataset.missing and "
                    f"dataset.processes.{name}, or leave it out by ~dataset.processes.{name}"
                )

    def _training(
        self, columns: Branches, generated: Float[np.ndarray, " n"] | None, total: int
    ) -> Float[np.ndarray, " n"] | None:
        """What events count in training, before a policy makes negative weights positive."""
        if self.settings.training_weight is None:
            return generated
        return self._evaluated("training_weight", self.settings.training_weight, columns, total)

    def _evaluated(
        self, key: str, expression: str | None, branches: Branches, total: int
    ) -> Float[np.ndarray, " n"] | None:
        """A weight; None where there is none."""
        if expression is None:
            return None
        found = evaluate(f"dataset.{key}", expression, branches, total).astype(np.float64)
        if wrong := int((~np.isfinite(found)).sum()):
            raise UserError(
                f"dataset.{key}={expression} is NaN or infinite in {wrong} events: dataset.select leaves them out"
            )
        return found

    def _true(self, key: str, expression: str, branches: Branches, total: int) -> Bool[np.ndarray, " n"]:
        found = evaluate(f"dataset.{key}", expression, branches, total)
        if found.dtype != bool:
            raise UserError(f"dataset.{key}={expression} is a number: a condition is needed, such as jet_pt_1 > 30")
        return found


def _joined(name: str, parts: Sequence[Branch]) -> Branch:
    """A branch of all files."""
    kinds = {is_jagged(part) for part in parts}
    if len(kinds) > 1:
        raise UserError(
            f"branch {name} has a list an event in some files and a value in others: dataset.exclude=[{name}]"
        )
    if kinds == {True}:
        import awkward as ak

        return ak.concatenate(parts)
    return np.concatenate(parts)


def _text(one: object) -> str:
    """The name of a process: a text, or a whole number."""
    return f"{one:g}" if isinstance(one, float) else str(one)


def _warn_of_numbers(name: str, branch: Shaped[np.ndarray, " n"]) -> None:
    if branch.dtype.kind in "iu" and len(branch) > 1 and len(np.unique(branch)) == len(branch):
        log.warning(
            "branch %s is another whole number in every event: if it names them, dataset.exclude=[%s]", name, name
        )
