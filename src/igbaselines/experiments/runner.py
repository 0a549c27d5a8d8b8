"""From the command line to a finished run folder."""

import errno
import hashlib
import importlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from igbaselines.allocator import keep_freed_memory
from igbaselines.config import PROJECT_ROOT, RUN_TIME_KEYS, instantiate, one_line, register, resolve
from igbaselines.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from igbaselines.results.rows import Rows

log = logging.getLogger(__name__)

PLACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass
class Run:
    """What an experiment is given beside its settings.

    Args:
        rows: where its measured values go.
        checkpoints: folder for what an attempt that is killed shall leave behind.
        artifacts: folder for what belongs to the results beside the rows, such as trained networks.
        cache: folder for generated data.
        device: where to compute.
        seed: of everything random but the events.
        max_batch: gradient points in one pass, or None.
        workers: processes that make data.
        checksums: sha256 of data and weights, for the provenance; the experiment fills it.
    """

    rows: "Rows"
    checkpoints: Path
    artifacts: Path
    cache: Path
    device: "torch.device"
    seed: int
    max_batch: int | None
    workers: int
    checksums: dict[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Name the checkpoints of these data and weights, and of no others."""
        return hashlib.sha256(json.dumps(self.checksums, sort_keys=True).encode()).hexdigest()[:16]


class RunFailedError(Exception):
    """A run that failed and has recorded why."""


def main() -> None:
    """Run what the command line asks for; the exit code says whether it worked."""
    show_everything = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors to us instead of printing them its way
    terminal = logging.StreamHandler()
    terminal.addFilter(lambda record: record.exc_info is None)  # tracebacks go to run.log
    logging.basicConfig(format="%(message)s", handlers=[terminal])
    logging.getLogger("igbaselines").setLevel(logging.INFO)
    logging.raiseExceptions = False  # a full disk is told once, and not by the logging of it
    register()
    try:
        _hydra_main()
        if _errors:
            raise _errors.pop()
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        line, code = _explanation(error)
        if line is None or show_everything:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(code)


def _explanation(error: Exception) -> tuple[str | None, int]:
    """The line that tells the user what to mend, and the exit code; no line for an error of ours."""
    if isinstance(error, UserError | RunFailedError):
        return str(error), 2 if isinstance(error, UserError) else 1
    if isinstance(error, HydraException | OmegaConfBaseException):
        return one_line(error), 2
    if _is_about_the_place(error):
        assert isinstance(error, OSError)
        return f"{error.filename or 'the output or data folder'}: {error.strerror or one_line(error)}", 1
    return None, 1


def _is_about_the_place(error: BaseException) -> bool:
    """Whether a disk or a permission is at fault: the user's to mend, and no reason for a traceback."""
    return isinstance(error, OSError) and error.errno in PLACE_ERRORS


@hydra.main(version_base="1.3", config_path=str(PROJECT_ROOT / "conf"), config_name="config")
def _hydra_main(config: DictConfig) -> None:
    try:
        _act(config)
    except Exception as error:
        if HydraConfig.get().mode != RunMode.RUN:
            # The launcher goes on and raises the first job's error in the end: say here what each job lacks.
            log.error("failed: %s", _explanation(error)[0] or one_line(error))
            raise
        _errors.append(error)  # for `main`: Hydra would put a line of its own before ours


_errors: list[Exception] = []


def _act(config: DictConfig) -> None:
    plain = resolve(config)
    if plain["action"] == "report":
        from igbaselines.reporting import write_report

        _check_writable("output_root", Path(plain["output_root"]))
        log.info("report: %s", write_report(Path(plain["output_root"]), PROJECT_ROOT))
    else:
        execute(config, plain)


def execute(config: DictConfig, plain: dict[str, Any]) -> Path:
    """Carry out one run, unless it is complete.

    Args:
        config: the configuration.
        plain: the same, resolved.

    Returns:
        The run's folder.

    Raises:
        UserError: for what the user can mend.
        RunFailedError: where the experiment broke; the folder says how.
    """
    for key in ("output_root", "data_root"):
        _check_writable(key, Path(plain[key]))
    settings = {
        name: None if config[name] is None else instantiate(config[name])
        for name in ("dataset", "model", "attribution", "evaluation")
    }
    from igbaselines.results.run_folder import RunFolder, config_hash

    label = "-".join(plain[key] for key in ("dataset_name", "model_name", "scale") if plain[key] is not None)
    name = f"{label}-{config_hash(_without_place(plain), RUN_TIME_KEYS)}"
    folder = RunFolder(Path(plain["output_root"]), plain["experiment"], name)
    with folder.alone():
        folder.recover()
        if folder.is_complete() and not plain["force"]:
            if not _data_changed(folder.path, *_sources(settings)):
                log.info("complete already (force=true runs it again): %s", folder.path)
                return folder.path
            log.info("data or weights have changed since the run was made: it is made again")
        folder.begin(afresh=plain["force"])
        with _log_file(folder.attempt / "run.log"):
            try:
                _attempt(folder.attempt, folder.checkpoints, config, plain, settings)
            except Exception as error:
                if isinstance(error, UserError) or _is_about_the_place(error):
                    folder.discard()
                    raise
                log.exception("failed")
                where = folder.fail(error) / "run.log"
                raise RunFailedError(f"{plain['experiment']} failed ({one_line(error)}): see {where}") from error
        folder.complete()
    log.info("complete: %s", folder.path)
    return folder.path


def _without_place(plain: dict[str, Any]) -> dict[str, Any]:
    """The configuration as it would read in any other checkout: files of the project by their place in it."""
    text = json.dumps(plain).replace(json.dumps(str(PROJECT_ROOT))[1:-1] + "/", "")
    found: dict[str, Any] = json.loads(text)
    return found


def _attempt(
    attempt: Path, checkpoints: Path, config: DictConfig, plain: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Compute, and write everything but the status."""
    from igbaselines.files import write_text
    from igbaselines.reporting import render_run
    from igbaselines.results.provenance import provenance
    from igbaselines.results.rows import Rows, write_rows

    start = time.monotonic()
    keep_freed_memory()
    experiment = importlib.import_module(f"igbaselines.experiments.{plain['experiment']}")
    run = Run(
        rows=Rows(plain["experiment"], plain["dataset_name"], plain["model_name"] or "", plain["seed"]),
        checkpoints=checkpoints,
        artifacts=attempt,
        cache=Path(plain["data_root"]) / "cache",
        device=_device(plain["device"]),
        seed=plain["seed"],
        max_batch=plain["max_batch"],
        workers=plain["workers"] or os.cpu_count() or 1,
    )
    log.info("%s on %s", plain["experiment"], run.device)
    write_text(attempt / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain)))
    experiment.run(run, **settings)
    rows: pd.DataFrame = run.rows.frame()
    write_rows(attempt / "rows.parquet", rows)
    render_run(attempt, rows, plain, PROJECT_ROOT / "conf" / "claims")
    record = provenance(PROJECT_ROOT, plain, run.device, run.checksums, time.monotonic() - start)
    write_text(attempt / "provenance.json", json.dumps(record, indent=2) + "\n")


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        return _exact(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device={name} cannot be used here: {one_line(error)}") from error
    return _exact(device)


def _exact(device: "torch.device") -> "torch.device":
    """Compute float32 as such, and the same sums in every run: a GPU's convolutions do neither by default."""
    import torch

    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return device


def _sources(settings: dict[str, Any]) -> list[Any]:
    """What a run is made from that may change outside of its configuration."""
    others = [getattr(settings["evaluation"], name, None) for name in ("other_model", "reference")]
    return [source for source in (settings["dataset"], settings["model"], *others) if source is not None]


def _data_changed(folder: Path, *sources: Any) -> bool:  # noqa: ANN401 (any dataset or model)
    """Whether a file of the user's is another than the one that a complete run was made from."""
    try:
        recorded = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["checksums"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return True  # damaged since
    current = [source.checksum() for source in sources]
    return any(checksum is not None and checksum not in recorded.values() for checksum in current)


def _check_writable(key: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{key}={folder} cannot be written: {error.strerror}") from error


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
