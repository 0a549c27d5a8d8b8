"""From branches to features: slots for lists, masks for what is missing, a column a category, and what is none."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Bool, Float, Float32

from igbaselines.common.columns import some
from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.ntuple.files import Branch, Branches, is_jagged, plain_name

log = logging.getLogger(__name__)

MOST_CATEGORIES = 30  # values of a branch that become columns
OFTEN, TIMES = 0.002, 10  # share of the events, and of the next most common value, from which on a value is suspicious
CONTINUOUS = 100  # distinct values from which on repeats say something
MASK = "missing"


@dataclass
class Features:
    """The features so far.

    Args:
        columns: values by name, NaN where one is missing.
        slots: of columns that stand for a place in a list: what its mask is called.
        empty: where that list was too short, which is no flaw of the event.
        category_of: of columns that stand for a value of a category: its name.
    """

    columns: dict[str, Float[np.ndarray, " n"]] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    empty: dict[str, Bool[np.ndarray, " n"]] = field(default_factory=dict)
    category_of: dict[str, str] = field(default_factory=dict)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits a pattern such as `jet_*`; upper and lower case are the same."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def without_sentinels(branch: Branch, sentinels: Sequence[float]) -> Float[np.ndarray, " n"]:
    """Numbers with NaN in the place of sentinels, and of what no float32 can hold."""
    values = branch.astype(np.float64)
    missing = np.isin(branch, np.array(sentinels, branch.dtype if branch.dtype.kind == "f" else np.float64))
    values[missing | ~(np.abs(values) <= np.finfo(np.float32).max)] = np.nan
    return np.asarray(values)


def warn_of_repeats(name: str, values: Float[np.ndarray, " n"]) -> None:
    """Say in the log where one value of many is suspiciously frequent: it may stand for none."""
    found, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if len(found) < CONTINUOUS:
        return
    first, second = np.argsort(-counts, kind="stable")[:2]
    share = counts[first] / len(values)
    if share >= OFTEN and counts[first] >= TIMES * counts[second]:
        log.warning(
            "branch %r is %g in %.1f %% of the events, far more often than anything else: where it stands for a "
            "missing value, add it to dataset.sentinels",
            *(name, found[first], 100 * share),
        )


def slotted(branches: Branches, jagged: Mapping[str, int], sentinels: Sequence[float]) -> Features:
    """The first so many entries of each branch with a list an event: columns `jet_pt_1`, `jet_pt_2`, ..."""
    import awkward as ak

    found = Features()
    for pattern, slots in jagged.items():
        for name, branch in branches.items():
            if not is_jagged(branch) or not matches(name, [pattern]):
                continue
            padded = ak.pad_none(branch, slots, axis=1, clip=True)
            for slot in range(slots):
                column, entry = f"{name}_{slot + 1}", padded[:, slot]
                found.empty[column] = np.asarray(ak.to_numpy(ak.is_none(entry)))
                found.columns[column] = without_sentinels(
                    np.asarray(ak.to_numpy(ak.fill_none(entry, np.nan))), sentinels
                )
                found.slots[column] = f"{plain_name(pattern)}_{slot + 1}_{MASK}"
    return found


def categories(name: str, branch: Branch) -> dict[str, Float[np.ndarray, " n"]]:
    """A column of zeros and ones for each value of a branch: one-hot.

    Raises:
        UserError: where there are too many values.
    """
    values = np.array([f"{value:g}" for value in branch]) if branch.dtype.kind == "f" else branch.astype(str)
    found = np.unique(values)
    if len(found) > MOST_CATEGORIES:
        raise UserError(
            f"dataset.categories: branch {name!r} has {len(found)} values, at most {MOST_CATEGORIES} can be columns"
        )
    return {
        f"{name}_{plain_name(value.replace('-', 'minus_')) or 'none'}": (values == value).astype(float)
        for value in found
    }


def broken(features: Features) -> Bool[np.ndarray, " n"]:
    """The events in which a value is missing that ought to be there."""
    missing = [np.isnan(values) & ~features.empty.get(name, np.False_) for name, values in features.columns.items()]
    return np.asarray(np.logical_or.reduce(missing))


def refuse_missing(features: Features) -> None:
    """Refuse events that lack a value.

    Raises:
        UserError: naming the branches that have the most of them, and what can be done.
    """
    lacking = {
        name: int((np.isnan(values) & ~features.empty.get(name, np.False_)).sum())
        for name, values in features.columns.items()
    }
    worst = sorted((name for name, count in lacking.items() if count), key=lambda name: -lacking[name])
    if worst:
        events = len(features.columns[worst[0]])
        listed = some([f"{name} ({lacking[name] / events:.1%})" for name in worst])
        raise UserError(
            f"values are missing (NaN, infinite or one of dataset.sentinels) in {listed}: dataset.missing=impute puts "
            "the mean there and adds a column that says where, dataset.missing=drop_event leaves the events out"
        )


def imputed(features: Features) -> dict[str, Float[np.ndarray, " n"]]:
    """Columns without gaps: the mean of what is there, and a column of zeros and ones that says where.

    Columns that lack the same events share one mask, named after their slot or after the first of them.
    """
    found, masks = {}, dict[bytes, str]()
    for name, values in features.columns.items():
        missing = np.isnan(values)
        if missing.all():
            log.warning("branch %r has no value in any event: it is left out", name)
            continue
        found[name] = np.where(missing, np.nanmean(values), values)
        if missing.any() and (key := np.packbits(missing).tobytes()) not in masks:
            mask = features.slots.get(name, f"{name}_{MASK}")
            masks[key] = f"{name}_{MASK}" if mask in found else mask
            found[masks[key]] = missing.astype(float)
    return found


def table(columns: Mapping[str, Float[np.ndarray, " n"]]) -> tuple[Float32[np.ndarray, "n d"], tuple[str, ...]]:
    """The features as a matrix; columns that do not vary, or are another's twin, are left out, and said in the log.

    Raises:
        UserError: where none is left.
    """
    constant = [name for name, values in columns.items() if (values == values[0]).all()]
    first: dict[bytes, str] = {}
    for name in columns:
        first.setdefault(columns[name].astype(np.float32).tobytes(), name)
    names = tuple(name for name in first.values() if name not in constant)
    if constant:
        log.info("left out, the same in every event: %s", ", ".join(constant))
    if twins := [name for name in columns if name not in names and name not in constant]:
        log.info("left out, the same as another column: %s", ", ".join(twins))
    if not names:
        raise UserError("the files hold no feature: dataset.include and dataset.exclude leave no branch that varies")
    return np.stack([columns[name].astype(np.float32) for name in names], axis=1), names
