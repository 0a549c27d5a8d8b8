"""Archives of runs for others: what is in them, what they say of it, and MLflow's store, as its own client reads it."""

import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.common.errors import UserError
from igbaselines.reporting.export import export_runs
from igbaselines.reporting.page.html import write_report
from igbaselines.running.rows import read_rows
from tests.commands import Command


@pytest.fixture
def outputs(smoke: Path, tmp_path: Path) -> Path:
    """An output root with a complete run."""
    root = tmp_path / "outputs"
    shutil.copytree(smoke, root / smoke.parent.name / smoke.name)
    return root


@pytest.mark.slow
def test_an_archive_holds_the_run_and_says_what_it_is(outputs: Path, smoke: Path) -> None:
    export = export_runs(outputs)
    archive = export / "hep_baselines" / f"{smoke.name}.zip"
    before = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        held = {name.removeprefix(f"{smoke.name}/"): opened.read(name) for name in opened.namelist()}
    crate = json.loads(held.pop("ro-crate-metadata.json"))
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert entities["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {part["@id"] for part in entities["./"]["hasPart"]} == set(held)
    assert {"rows.parquet", "claims.json", "config.yaml", "provenance.json"} <= set(held)
    for name, content in held.items():
        assert content == (smoke / name).read_bytes()
        assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest()
    assert any(entities[name]["description"] for name in held if name.endswith(".png"))  # its caption
    record = json.loads((smoke / "provenance.json").read_text())
    assert entities["#run"]["name"] == record["command"]
    export_runs(outputs)
    assert archive.read_bytes() == before


@pytest.mark.slow
def test_what_is_damaged_is_left_out(outputs: Path, smoke: Path, caplog: pytest.LogCaptureFixture) -> None:
    (outputs / "hep_baselines" / smoke.name / "rows.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="there is no complete run under"):
        export_runs(outputs)
    assert "is left out: unreadable, " in caplog.text
    assert "rows.parquet" in caplog.text
    with pytest.raises(UserError, match="no complete run of experiment=explain"):
        export_runs(outputs, "explain")
    assert not (outputs / "export").exists()


@pytest.mark.slow
def test_mlflow_reads_its_store(outputs: Path, smoke: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    for _ in range(2):  # the same run is written once
        store = export_runs(outputs) / "mlruns"
    client = mlflow.MlflowClient(tracking_uri=store.as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("hep_baselines").experiment_id])
    rows: pd.DataFrame = read_rows(smoke / "rows.parquet")
    (metric, method), values = next(iter(rows.dropna(subset="value").groupby(["metric", "method"])["value"]))
    assert run.data.metrics[f"{metric}/{method}"] == pytest.approx(values.mean())
    assert run.data.params["seed"] == "0"
    assert run.data.params["model.learning_rate"]
    claims = json.loads((smoke / "claims.json").read_text())
    assert run.data.tags[f"verdict/{claims[0]['id']}"] == claims[0]["verdict"]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"figures", "tables", "rows.parquet"}
    assert run.info.status == "FINISHED"


def test_a_command_exports_and_a_run_imports_no_tracker(command: Command) -> None:
    result = command("action=export")
    assert result.returncode == 2
    assert "error: there is no complete run under" in result.stderr


@pytest.mark.slow
def test_a_run_folder_names_no_code(outputs: Path, smoke: Path, tmp_path: Path) -> None:
    file, made = tmp_path / "idea_of_a_folder.py", tmp_path / "made"
    file.write_text(f"import pathlib\npathlib.Path({str(made)!r}).touch()\n")
    config = outputs / "hep_baselines" / smoke.name / "config.yaml"
    trap = f"\nplugins: [{file}]\nmine: {{_target_: idea_of_a_folder.Idea, network_file: {file}}}\n"
    config.write_text(config.read_text() + trap)
    write_report(outputs)
    with pytest.raises(UserError, match="no complete run"):  # it has not its checksum
        export_runs(outputs)
    assert not made.exists()
    assert "idea_of_a_folder" not in sys.modules
