"""From the words of a command line to an exit code and, where something is wrong, one line that says what.

What the composed configuration makes happen is the caller's: a command does any action, a job of a sweep a run.
"""

import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.common.stopping import StoppedError, stoppable
from igbaselines.running.config import FULL_ERROR, explanation, quoted, register
from igbaselines.running.guard import guard_hydra
from igbaselines.running.help import help_text

SWEEP = "hydra.mode=MULTIRUN"
ONE_OF = ("run", "multirun", "cfg", "info", "shell_completion")  # Hydra's options, of which it takes one
KEY = re.compile(r"(\+{0,2}[\w$./@:-]+)=(.*)", re.DOTALL)
# What Hydra's grammar cannot read is text, unless it may be a broken list, dictionary, quotation, sweep or function.
NOT_ONLY_TEXT = re.compile(rf"\s*([\[{{'\"]|({'|'.join(create_functions().functions)})\s*\()|.*,", re.DOTALL)


def run_command(arguments: Sequence[str], act: Callable[[DictConfig], object]) -> int:
    """Do what a command line, without the program's name, asks for, in this process.

    Returns:
        The exit code: 0, 1 for a failure, 2 for a mistake of the user's, 128 + signal where a signal ended it.
    """
    show_everything = FULL_ERROR in os.environ
    # That of a notebook, which its terminals inherit, may not be there: matplotlib would not even be imported.
    os.environ["MPLBACKEND"] = "agg"
    _log_to_terminal()
    register()
    try:
        if not {"-h", "--help"}.isdisjoint(arguments):
            print(help_text())
            return 0
        sys.argv[1:] = _with_mode(as_text(arguments))  # where Hydra reads them
        guard_hydra(arguments)
        with _errors_unwrapped(), stoppable():
            _compose(act)
    except KeyboardInterrupt as stopped:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return stopped.exit_code if isinstance(stopped, StoppedError) else 130
    except BrokenPipeError:  # `action=status | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        line, code = explanation(error)
        if line is None or show_everything:
            raise
        print(f"error: {' '.join(line.splitlines())}", file=sys.stderr)
        return code
    return 0


def _compose(act: Callable[[DictConfig], object]) -> None:
    """Let Hydra compose the configuration, or launch the sweep, and raise the error that `act` ended with."""
    errors: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(PROJECT_ROOT / "conf"), config_name="config")
    def composed(config: DictConfig) -> None:
        try:
            act(config)
        except Exception as error:
            errors.append(error)  # Hydra would put a line of its own before ours

    composed()
    if errors:
        raise errors.pop()


def as_text(arguments: Sequence[str]) -> list[str]:
    """Quote the values that can be text alone: paths with `=`, brackets, `#`, `~`, quotes, or letters of any language.

    Raises:
        UserError: for a word that is no override, or may have been meant as more than text; it shows the quoted form;
            and for options that exclude one another.
    """
    parsed = vars(get_args_parser().parse_args(list(arguments)))
    if len(given := [f"--{name}" for name in ONE_OF if parsed[name]]) > 1:
        raise UserError(f"{' and '.join(given)} cannot go together: give one of them")
    overrides = parsed["overrides"]
    return [_quoted(word) if word in overrides else word for word in arguments]


def _quoted(word: str) -> str:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException as error:
        if (parts := KEY.fullmatch(word)) is None:
            if word.startswith("~"):
                raise
            raise UserError(f"{word!r} is no key=value: quote what holds spaces, such as 'key=two words'") from error
        key, value = parts.groups()
        if NOT_ONLY_TEXT.match(value):
            reason = " ".join(str(error).split())
            raise UserError(f"{key}={value} cannot be read ({reason}); if it is text: {quoted(key, value)}") from error
        return f"{key}={QuotedString(value, Quote.single).with_quotes()}"
    return word


def _with_mode(arguments: Sequence[str]) -> list[str]:
    """A launcher launches sweeps: who chooses one means a sweep, be it of a single run."""
    words, keys = list(arguments), [word.partition("=")[0] for word in arguments]
    if "hydra/launcher" in keys and "hydra.mode" not in keys:
        words.insert(keys.index("hydra/launcher"), SWEEP)  # among the overrides: options may stand on both sides
    return words


def _log_to_terminal() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # folders' names can be any bytes
    terminal = logging.StreamHandler()
    terminal.addFilter(lambda record: record.exc_info is None)  # tracebacks go to run.log
    logging.basicConfig(format="%(message)s", handlers=[terminal])
    logging.getLogger("igbaselines").setLevel(logging.INFO)
    logging.raiseExceptions = False  # a full disk is told once, and not by the logging of it


@contextmanager
def _errors_unwrapped() -> Iterator[None]:
    """Make Hydra hand its errors to us instead of printing them its way."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
