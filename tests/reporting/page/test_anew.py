"""Verdicts by other code or other claims files are given anew from a run's rows; folders stay as they are."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.reporting.page import anew
from igbaselines.reporting.page.anew import judged_by_today
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import ReportedRun, find_runs
from igbaselines.reporting.papers import load_papers
from igbaselines.running.provenance import judging_checksum
from igbaselines.running.rows import write_rows
from tests.hep_rows import CLAIMS_ROOT

CLAIM = "2412.13864/ht_first/background"
CONFIG = "experiment: hep_baselines\nscale: demo\ndataset_name: hep_synthetic\nmodel_name: swish_dnn\n"


@pytest.fixture
def folder(run_folder: Path, rows: pd.DataFrame, tmp_path: Path) -> Path:
    """A complete run's folder, with its rows, judged by the rules of today."""
    made = tmp_path / "outputs" / "hep_baselines" / "demo-1"
    shutil.copytree(run_folder, made)
    write_rows(made / "rows.parquet", rows)
    (made / "config.yaml").write_text(CONFIG)
    judged(made, judging_checksum(CLAIMS_ROOT))
    return made


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """Claims files that ask more of the first feature than any run has."""
    root = tmp_path / "claims"
    shutil.copytree(CLAIMS_ROOT, root)
    file = root / "2412.13864.yaml"
    begins, claim, rest = file.read_text().partition("- id: ht_first/{method}")
    file.write_text(begins + claim + rest.replace("claimed: {more_than: 0}", "claimed: {more_than: 1.0e6}", 1))
    return root


def judged(folder: Path, by: str) -> None:
    (folder / "status.json").write_text(json.dumps({"state": "complete", "judged": by}))


def today(folder: Path, claims_root: Path = CLAIMS_ROOT) -> ReportedRun:
    """The run as a report of these claims files sees it."""
    root = folder.parents[1]
    (run,) = judged_by_today(find_runs(root), load_papers(claims_root), claims_root, root)
    return run


def verdict(run: ReportedRun) -> str:
    return next(str(record["verdict"]) for record in run.claims if record["id"] == CLAIM)


def test_the_same_rules_are_believed(folder: Path) -> None:
    (run,) = find_runs(folder.parents[1])
    assert today(folder) == run
    assert verdict(run) == "reproduced"


@pytest.mark.parametrize("by", ["", "0" * 64])
def test_the_same_claims_by_other_code_are_the_same_verdicts(folder: Path, by: str) -> None:
    judged(folder, by)
    (run,) = find_runs(folder.parents[1])
    assert today(folder).judged_anew
    assert {record["id"]: record["verdict"] for record in today(folder).claims} == {
        record["id"]: record["verdict"] for record in run.claims
    }


def test_other_claims_files_judge_the_rows_anew(folder: Path, stricter: Path) -> None:
    before = (folder / "claims.json").read_bytes()
    assert verdict(today(folder, stricter)) == "not reproduced"
    report = write_report(folder.parents[1], stricter).parent
    assert "given anew" in (report / "runs" / "hep_baselines" / "demo-1" / "index.html").read_text()
    assert (folder / "claims.json").read_bytes() == before


def test_what_was_given_anew_is_kept_for_the_next_report(
    folder: Path, stricter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = today(folder, stricter)
    with monkeypatch.context() as no_judge:
        no_judge.setattr(anew, "judge_paper", None)
        assert today(folder, stricter).claims == first.claims
    rows = pd.read_parquet(folder / "rows.parquet")
    write_rows(folder / "rows.parquet", rows[rows["method"] != "background"])
    assert verdict(today(folder, stricter)) == "not tested"  # other rows are judged once more
    (kept,) = (folder.parents[1] / anew.KEPT).iterdir()
    kept.write_text(kept.read_text().replace("not tested", "reproduced"))
    assert verdict(today(folder, stricter)) == "not tested"  # and what was tampered with is not believed


def test_without_rows_the_runs_own_verdicts_stay(
    folder: Path, stricter: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "rows.parquet").write_bytes(b"damaged")
    run = today(folder, stricter)
    assert not run.judged_anew
    assert verdict(run) == "reproduced"
    assert "hep_baselines/demo-1 keeps the verdicts in its folder" in caplog.text


def test_rows_that_no_claim_can_read_stop_nothing(folder: Path, stricter: Path) -> None:
    pd.DataFrame({name: ["x"] for name in ("method", "metric", "unit")} | {"value": [1.0]}).to_parquet(
        folder / "rows.parquet"
    )
    assert verdict(today(folder, stricter)) == "not tested"
