"""The one error that is the user's to mend: it ends a run in one clear line, without a traceback."""


class UserError(Exception):
    """What is wrong and what would be right, in one line."""
