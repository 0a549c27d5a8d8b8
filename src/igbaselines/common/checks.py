"""Checks of settings that end in one line: shared by the schemas, importable without torch."""

from collections.abc import Callable, Iterable
from typing import Any

from igbaselines.common.errors import UserError


def at_least(key: str, value: int, bound: int) -> None:
    """Refuse a number that is too small."""
    if value < bound:
        raise UserError(f"{key} must be at least {bound}, got {value}")


def fields_must(where: str, values: object, names: Iterable[str], holds: Callable[[Any], bool], must: str) -> None:
    """Refuse a dataclass, `where` in the configuration, that has a field of which something does not hold.

    Comparisons with what is no number are false: a field that must be >= 0 is not NaN.
    """
    for name in names:
        if not holds(getattr(values, name)):
            raise UserError(f"{where}.{name} must {must}, got {getattr(values, name)}")
