"""Errors that end a run with one line."""


class UserError(Exception):
    """Something that the user can mend, told in one line: what is wrong and what would be right."""


class RunFailedError(Exception):
    """A run that failed and has recorded why, or a sweep that holds such runs."""
