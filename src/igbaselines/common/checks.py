"""Checks of settings that end in one line: shared by the schemas, importable without torch."""

from collections.abc import Sequence

from igbaselines.common.errors import UserError


def one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among the choices."""
    if value not in choices:
        raise UserError(f"{key}={value} is unknown: {' or '.join(choices)}")


def distinct(key: str, values: Sequence[object]) -> None:
    """Refuse a list that names something twice: its rows would be taken for two measurements of the same."""
    for value in values:
        if values.count(value) > 1:
            raise UserError(f"{key} has {value} {values.count(value)} times, once is enough")


def at_least(key: str, value: int, bound: int) -> None:
    """Refuse a number that is too small."""
    if value < bound:
        raise UserError(f"{key} must be at least {bound}, got {value}")
