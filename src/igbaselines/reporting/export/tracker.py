"""A run in MLflow's file store: parameters, means of its metrics, verdicts, tables and figures."""

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from igbaselines.reporting.page.runs import ReportedRun, read_results, read_yaml

LONGEST = 500  # characters of a parameter
NOT_IN_NAMES = re.compile(r"[^\w\-. /]")
KEPT = ("config.yaml", "rows.parquet", "claims.json", "provenance.json")


def track(run: ReportedRun, store: Path) -> str:
    """Write a complete run down, unless it is there already; returns MLflow's id of it."""
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # which MLflow 3 asks for: it would rather have a database
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store.resolve().as_uri())
    known = client.get_experiment_by_name(run.experiment)
    place = client.create_experiment(run.experiment) if known is None else known.experiment_id
    key = {"igbaselines.run": run.label, "igbaselines.ended": run.ended}
    there = client.search_runs([place], " and ".join(f"tags.`{name}` = '{value}'" for name, value in key.items()))
    if there:
        return str(there[0].info.run_id)
    ended = int(1000 * datetime.fromisoformat(run.ended).timestamp())
    begun = ended - int(1000 * (run.seconds or 0))
    verdicts = {f"verdict/{claim['id']}": claim["verdict"] for claim in run.claims}
    tags = {"mlflow.runName": run.label, **key, **verdicts}
    made = client.create_run(place, start_time=begun, tags={_name(name): value for name, value in tags.items()})
    identity = str(made.info.run_id)
    for name, value in _flat(read_yaml(run.config)):
        client.log_param(identity, _name(name), value[:LONGEST])
    for name, mean in _means(run).items():
        client.log_metric(identity, _name(name), mean, timestamp=ended)
    for file in KEPT:
        client.log_artifact(identity, str(run.folder / file))
    for folder in ("tables", "figures"):
        if (run.folder / folder).is_dir():
            client.log_artifacts(identity, str(run.folder / folder), folder)
    client.set_terminated(identity, "FINISHED", ended)
    return identity


def _means(run: ReportedRun) -> Mapping[str, float]:
    """The mean of each method by each metric, over all that was measured of them."""
    rows = read_results(run).rows
    means = rows[rows["value"].notna()].groupby(["metric", "method"], sort=True, as_index=False)["value"].mean()
    keys = means["metric"] + "/" + means["method"]
    return dict(zip(keys.tolist(), means["value"].tolist(), strict=True))


def _flat(node: Any, place: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 (any YAML)
    """Keys in full, and their values as text."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _flat(value, f"{place}.{key}" if place else str(key))
    elif place:
        yield place, str(node)


def _name(text: str) -> str:
    """A name that MLflow takes."""
    return NOT_IN_NAMES.sub("_", text)
