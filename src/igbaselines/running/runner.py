"""One run: from a configuration to a finished folder."""

import importlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from igbaselines.common.allocator import keep_freed_memory
from igbaselines.common.errors import RunFailedError, UserError, is_about_the_place
from igbaselines.common.files import check_writable, write_text
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.common.stopping import stop_here
from igbaselines.running.config import CLAIMS_ROOT, RUN_TIME_KEYS, check_kinds, one_line, resolve
from igbaselines.running.context import Run, RunShard, ShardFinished, device_named
from igbaselines.running.plugins import installed_plugins, load_plugins, place_in_plugin
from igbaselines.running.provenance import code_checksum, judging_checksum, provenance
from igbaselines.running.rows import Names, Rows, read_rows, write_rows
from igbaselines.running.run_folder import RunFolder, ShardFolder, config_hash, data_changed, read_status
from igbaselines.running.study import find_experiment, look_up
from igbaselines.running.targets import checked, instantiate

if TYPE_CHECKING:
    import pandas as pd

    from igbaselines.metrics import Quantity

log = logging.getLogger(__name__)

Render = Callable[[Path, "pd.DataFrame", Mapping[str, Any]], None]


@dataclass(frozen=True)
class Prepared:
    """A run whose configuration has been checked.

    Args:
        plain: the resolved configuration.
        settings: the objects of its groups: dataset, model, attribution and evaluation.
        named: methods and metrics that the command line names, by group and name.
        names: the labels of methods that stand in the configuration.
        folder, shard: where it goes, and the part that is asked for.
    """

    plain: dict[str, Any]
    settings: dict[str, Any]
    named: dict[str, dict[str, Any]]
    names: Names
    folder: RunFolder
    shard: RunShard

    @property
    def place(self) -> RunFolder | ShardFolder:
        """Where what is asked for is worked on, and says how it ended: the run's folder, or the shard's."""
        return self.shard_folder(self.shard) if self.shard.is_part else self.folder

    def shard_folder(self, shard: RunShard) -> ShardFolder:
        """Where a shard of the run says how it ended."""
        assert shard.index is not None
        return self.folder.shard(shard.index, shard.count)

    def is_done(self) -> bool:
        """Whether there is nothing left to do: the run is complete, whole, and from the data and weights of today."""
        if not self.folder.is_complete() or self.plain["force"]:
            return False
        return not self.folder.damaged() and not data_changed(self.folder.path, self.settings)


def prepare(config: DictConfig) -> Prepared:
    """Check a configuration before any work starts.

    Raises:
        UserError: for what the user can mend.
    """
    plain = resolve(config)
    for key in ("output_root", "data_root"):
        check_writable(key, Path(plain[key]))
    shard = RunShard(**plain["shard"])
    if shard.count > 1 and not find_experiment(plain["experiment"]).has_units:
        raise UserError(f"experiment={plain['experiment']} has no units that jobs could share: leave shard.count out")
    if shard.is_part and plain["force"]:
        raise UserError("force=true makes a whole run again: without it a shard goes on with what is missing")
    plugins = load_plugins(plain.pop("plugins")) | installed_plugins(plain)
    if plugins:
        plain["plugins"] = plugins
    settings = {}
    for name in ("dataset", "model", "attribution", "evaluation"):
        node = None if config[name] is None else checked(config[name], name)
        settings[name] = None if node is None else instantiate(node, name)
        plain[name] = OmegaConf.to_container(node) if node is not None else None
    names = Names(dict(getattr(settings["attribution"], "labels", {})))
    if plain["attribution"] is not None:
        plain["attribution"].pop("labels", None)  # how methods are printed changes no number: names.json has them
    named = {group: _named(config, plain, group, names) for group in ("methods", "metrics")}
    label = "-".join(plain[key] for key in ("dataset_name", "model_name", "scale") if plain[key] is not None)
    name = f"{label}-{config_hash(_without_place(plain), RUN_TIME_KEYS)}"
    folder = RunFolder(Path(plain["output_root"]), plain["experiment"], name)
    if not folder.is_complete():
        check_kinds(plain["experiment"], settings)  # which imports the study
    return Prepared(plain, settings, named, names, folder, shard)


def _named(config: DictConfig, plain: dict[str, Any], group: str, names: Names) -> dict[str, Any]:
    """Build the methods or metrics that the command line names; what nobody names leaves no trace in the hash."""
    found = {}
    for name, node in config[group].items():
        bare = node.copy()
        OmegaConf.set_struct(bare, False)
        label = bare.pop("label", None)
        if label is not None:
            names.method(name, label)
            plain[group][name].pop("label")
        found[name] = instantiate(bare, f"{group}.{name}")
        if group == "methods" and not callable(getattr(found[name], "attribute", None)):
            kind = type(found[name]).__name__
            raise UserError(f"methods.{name} has no attribute(task, generator): {kind} is none of the methods")
    if not found:
        del plain[group]
    elif group == "metrics":
        from igbaselines.running.choice import check_metrics

        check_metrics(found, _measured(plain["experiment"]))
    return found


def execute(run: Prepared, render: Render) -> Path:
    """Carry out one run, unless it is complete; of a shard its part, and the rest if it is the last of the shards.

    Args:
        run: what `prepare` has checked.
        render: makes tables, figures and verdicts in the run's folder, which is returned.

    Raises:
        UserError: for what the user can mend.
        RunFailedError: where the experiment broke; the folder says how.
    """
    if run.shard.count > 1 and run.shard.index is None:
        raise UserError(
            f"shard.count={run.shard.count} is for jobs that share a run: give -m, which makes a job of each shard "
            "(and hydra/launcher=local or slurm, which work on them side by side)"
        )
    if run.shard.is_part and not run.is_done():
        _execute_shard(run)
        missing = [part for part in run.shard.of_run() if not run.shard_folder(part).is_complete()]
        if missing and not run.is_done():
            log.info("%s is complete, missing is %s: %s", run.shard, ", ".join(map(str, missing)), run.folder.path)
            return run.folder.path
    folder = run.folder
    with folder.alone():
        folder.recover()
        if run.is_done():
            folder.tidy()
            by = ", made by other code than today's" if folder.is_of_other_code() else ""
            log.info("complete already%s (force=true runs it again): %s", by, folder.path)
            return folder.path
        damaged = _say_why_again(run)
        folder.begin(afresh=run.plain["force"])
        with _log_file(folder.attempt / "run.log"):
            try:
                details = _redraw(run, render) if folder.keep_measured(damaged) else _attempt(run, render)
            except Exception as error:
                _check_still_there(folder.attempt)
                if isinstance(error, UserError) or is_about_the_place(error):
                    folder.discard()
                    folder.end_job(str(error))
                    raise
                raise _failed(run, error, folder.fail) from error
        _check_still_there(folder.attempt)
        folder.complete(**details)
    log.info("complete: %s", folder.path)
    return folder.path


def _say_why_again(run: Prepared) -> list[str]:
    """Say why a complete run is not believed; returns its damaged files, where the data are as they were."""
    if not run.folder.is_complete() or run.plain["force"]:
        return []
    if data_changed(run.folder.path, run.settings):
        log.info("data or weights have changed since the run was made: it is made again")
        return []
    damaged = run.folder.damaged()
    log.warning("%s: %s damaged since the run was made: made again", run.folder.path, ", ".join(damaged))
    return damaged


def _execute_shard(run: Prepared) -> None:
    """Work on a shard's units: their checkpoints are the result."""
    folder, start = run.shard_folder(run.shard), time.monotonic()
    with folder.alone():
        if folder.is_complete() or run.is_done():  # since we waited for the lock
            return
        folder.begin()
        with _log_file(folder.path / "run.log"):
            try:
                _carry_out(run, folder.path / "artifacts", run.shard)
                raise AssertionError(f"{run.plain['experiment']} does not go through its units by Run.units")
            except ShardFinished:
                folder.complete(round(time.monotonic() - start, 1))
            except Exception as error:
                _check_still_there(folder.path)
                if isinstance(error, UserError) or is_about_the_place(error):
                    folder.end_job(str(error))
                    raise
                raise _failed(run, error, folder.fail) from error


def _check_still_there(folder: Path) -> None:
    if not folder.is_dir():
        raise RunFailedError(f"{folder} was removed while the run was at work: the same command begins again")


def _failed(run: Prepared, error: Exception, record: Callable[[BaseException], Path]) -> RunFailedError:
    log.exception("failed")
    said = f"{one_line(error)}{place_in_plugin(error)}"
    return RunFailedError(f"{run.plain['experiment']} failed ({said}): see {record(error) / 'run.log'}")


def _without_place(plain: dict[str, Any]) -> dict[str, Any]:
    """The configuration as it would read in any other checkout: files of the project by their place in it."""
    text = json.dumps(plain).replace(json.dumps(str(PROJECT_ROOT))[1:-1] + "/", "")
    found: dict[str, Any] = json.loads(text)
    return found


def _redraw(run: Prepared, render: Render) -> dict[str, Any]:
    """Draw once more what a run has measured, which lies in the attempt; returns what its status said of that."""
    render(run.folder.attempt, read_rows(run.folder.attempt / "rows.parquet"), run.plain)
    status = read_status(run.folder.path)
    kept = {key: status[key] for key in ("seconds", "code") if key in status}
    return kept | {"judged": judging_checksum(CLAIMS_ROOT)}


def _attempt(run: Prepared, render: Render) -> dict[str, Any]:
    """Compute, and write everything but the status; returns what that shall say of it."""
    start = time.monotonic()
    attempt, plain = run.folder.attempt, run.plain
    write_text(attempt / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain)))
    done = _carry_out(run, attempt, RunShard())
    rows: pd.DataFrame = done.rows.frame()
    write_rows(attempt / "rows.parquet", rows)
    done.names.write(attempt)
    render(attempt, rows, plain)
    of_shards = sum(shard.seconds() for shard in run.folder.shards())
    record = provenance(PROJECT_ROOT, plain, done.device, done.checksums, of_shards + time.monotonic() - start)
    write_text(attempt / "provenance.json", json.dumps(record, indent=2) + "\n")
    seconds = round(of_shards + time.monotonic() - start, 1)
    return {"seconds": seconds, "code": code_checksum(), "judged": judging_checksum(CLAIMS_ROOT)}


def _carry_out(prepared: Prepared, artifacts: Path, shard: RunShard) -> Run:
    """Let the experiment work, on all units or on a shard's."""
    from igbaselines.common.cores import usable_cores
    from igbaselines.metrics import PairedMetric

    plain = prepared.plain
    keep_freed_memory()
    carry_out = look_up(find_experiment(plain["experiment"]).run)
    names = Names(dict(prepared.names.methods))
    metrics = prepared.named["metrics"]
    for quantity in (*_measured(plain["experiment"]), *(metric.quantity for metric in metrics.values())):
        names.metric(quantity)
    prepared.folder.checkpoints.mkdir(parents=True, exist_ok=True)
    artifacts.mkdir(exist_ok=True)
    run = Run(
        rows=Rows(plain["experiment"], plain["dataset_name"], plain["model_name"] or "", plain["seed"]),
        checkpoints=prepared.folder.checkpoints,
        artifacts=artifacts,
        cache=Path(plain["data_root"]) / "cache",
        device=device_named(plain["device"]),
        seed=plain["seed"],
        max_batch=plain["max_batch"],
        units_at_once=plain["units_at_once"],
        fast_paths=plain["fast_paths"],
        workers=plain["workers"] or usable_cores(),
        shard=shard,
        names=names,
        methods=prepared.named["methods"],
        metrics={name: metric for name, metric in metrics.items() if not isinstance(metric, PairedMetric)},
        pairs={name: metric for name, metric in metrics.items() if isinstance(metric, PairedMetric)},
    )
    log.info("%s on %s%s", plain["experiment"], run.device, f", {shard}" if shard.is_part else "")
    stop_here()
    carry_out(run, **prepared.settings)
    return run


def _measured(experiment: str) -> "Iterable[Quantity]":
    """What an experiment measures of its own: MEASURED in its module."""
    module = look_up(find_experiment(experiment).run).__module__
    measured: Iterable[Quantity] = getattr(importlib.import_module(module), "MEASURED", ())
    return measured


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
