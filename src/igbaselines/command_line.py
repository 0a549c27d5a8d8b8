"""`python run.py ...`: from what was typed to an exit code and, where something is wrong, one line that says what."""

import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from igbaselines.config import PROJECT_ROOT, one_line, register, resolve
from igbaselines.errors import RunFailedError, UserError
from igbaselines.stopping import StoppedError, stoppable
from igbaselines.targets import guard_hydra

log = logging.getLogger(__name__)

FULL_ERROR = "HYDRA_FULL_ERROR"  # set by a user who wants tracebacks
PLACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def main() -> None:
    """Do what the command line asks for; the exit code says whether it worked."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Do what a command line asks for, in this process.

    Args:
        arguments: of the command line, without the program's name.

    Returns:
        The exit code: 0, 1 for a failure, 2 for a mistake of the user's, 128 + signal where a signal ended it.
    """
    show_everything = FULL_ERROR in os.environ
    sys.argv[1:] = _with_mode(arguments)  # where Hydra reads them
    _log_to_terminal()
    register()
    guard_hydra()
    try:
        with _errors_unwrapped(), stoppable():
            _hydra_main()
            if _errors:
                raise _errors.pop()
    except KeyboardInterrupt as stopped:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return stopped.exit_code if isinstance(stopped, StoppedError) else 130
    except BrokenPipeError:  # `action=status | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        line, code = explanation(error)
        if line is None or show_everything:
            raise
        print(f"error: {line}", file=sys.stderr)
        return code
    return 0


def _with_mode(arguments: Sequence[str]) -> list[str]:
    """A launcher launches sweeps: who chooses one means a sweep, be it of a single run."""
    keys = {word.partition("=")[0] for word in arguments}
    means_it = "hydra/launcher" in keys and not keys & {"hydra.mode", "-m", "--multirun", "--cfg", "-c"}
    return ["-m"] * means_it + list(arguments)


def explanation(error: BaseException) -> tuple[str | None, int]:
    """The line that tells the user what to mend, and the exit code; no line for an error of ours."""
    if isinstance(error, UserError | RunFailedError):
        return str(error), 2 if isinstance(error, UserError) else 1
    if isinstance(error, HydraException | OmegaConfBaseException):
        return one_line(error), 2
    if is_about_the_place(error):
        assert isinstance(error, OSError)
        return f"{error.filename or 'the output or data folder'}: {error.strerror or one_line(error)}", 1
    return None, 1


def is_about_the_place(error: BaseException) -> bool:
    """Whether a disk or a permission is at fault: the user's to mend, and no reason for a traceback."""
    return isinstance(error, OSError) and error.errno in PLACE_ERRORS


@hydra.main(version_base="1.3", config_path=str(PROJECT_ROOT / "conf"), config_name="config")
def _hydra_main(config: DictConfig) -> None:
    try:
        _act(config)
    except Exception as error:
        if HydraConfig.get().mode != RunMode.RUN:
            # One of the jobs of a sweep in this process: the others go on, so say here what this one lacks.
            log.error("failed: %s", explanation(error)[0] or one_line(error))
            raise
        _errors.append(error)  # for `run_command`: Hydra would put a line of its own before ours


_errors: list[Exception] = []


def _act(config: DictConfig) -> None:
    if config.action == "run":
        from igbaselines.experiments.runner import execute, prepare

        execute(prepare(config))
        return
    output_root = Path(resolve(config)["output_root"])
    if config.action == "report":
        from igbaselines.files import check_writable
        from igbaselines.reporting import write_report

        check_writable("output_root", output_root)
        log.info("report: %s", write_report(output_root, PROJECT_ROOT))
    else:
        from igbaselines.launching.summary import print_status

        print_status(output_root)


def _log_to_terminal() -> None:
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
