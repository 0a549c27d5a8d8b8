"""Names as they are printed: methods and metrics as their run says in names.json, all else as its study does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from igbaselines.running.rows import Names
from igbaselines.running.study import look_up, studies

_of_run: ContextVar[Names] = ContextVar("_of_run")

_LATEX = {character: rf"\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def plot_label(name: str) -> str:
    """Label a feature, method, metric or network in a figure; a name that is not known stays as it is, free of math."""
    return known_label(name) or name.replace("$", r"\$")


def latex_label(name: str) -> str:
    """Label a feature, method, metric or network in a LaTeX table."""
    return known_label(name) or escape_latex(name)


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it stands."""
    return "".join(_LATEX.get(character, character) for character in text)


def known_label(name: str) -> str | None:
    """Find the label of a name: the run's, then a study's; None for any other name."""
    if found := _of_run.get(Names()).labels.get(name):
        return found
    named = (look_up(study.label)(name) for study in studies() if study.label)
    return next(filter(None, named), None)


def metric_of_run(name: str) -> Mapping[str, str] | None:
    """What a run says of a metric: label, unit, and better direction or ""; None where it says nothing."""
    return _of_run.get(Names()).metrics.get(name)


@contextmanager
def printed_as(names: Names) -> Iterator[None]:
    """Print methods and metrics as a run says while the context is open."""
    token = _of_run.set(names)
    try:
        yield
    finally:
        _of_run.reset(token)
