"""Checks of settings that end in one line: shared by the schemas, importable without torch."""

from igbaselines.errors import UserError


def one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among the choices."""
    if value not in choices:
        raise UserError(f"{key}={value} is unknown: {' or '.join(choices)}")


def at_least(key: str, value: int, bound: int) -> None:
    """Refuse a number that is too small."""
    if value < bound:
        raise UserError(f"{key} must be at least {bound}, got {value}")
