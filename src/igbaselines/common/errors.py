"""Errors that end a run with one line."""

import errno

PLACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class UserError(Exception):
    """Something that the user can mend, told in one line: what is wrong and what would be right."""


class RunFailedError(Exception):
    """A run that failed and has recorded why, or a sweep that holds such runs."""


def is_about_the_place(error: BaseException) -> bool:
    """Whether a disk or a permission is at fault: the user's to mend, and no reason for a traceback."""
    return isinstance(error, OSError) and error.errno in PLACE_ERRORS


def first_line(text: str) -> str:
    """The first line of a text; a message over several lines begins with what matters."""
    return text.strip().splitlines()[0] if text.strip() else ""


def said_by(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    return first_line(str(error)) or type(error).__name__
