"""The part of the report over all runs: its files, what cannot be read, and what an earlier report left."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from igbaselines.reporting.page.combined import write_combined
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import find_runs, read_results
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.running.provenance import judging_checksum
from igbaselines.running.sweeps import Sweep, SweepRun, write_sweep
from tests.hep_rows import CLAIMS_ROOT
from tests.reporting.page.test_html import Page
from tests.studies.images.reporting.weighted_rows import make_config, make_rows


def finished(root: Path, models: Sequence[str]) -> Path:
    """Complete runs without figures of their own, which are another test's."""
    for model in models:
        folder = root / "weighted_gradients" / f"sample_photos-{model}"
        folder.mkdir(parents=True)
        rows = make_rows(images=8, model=model)
        rows.to_parquet(folder / "rows.parquet", index=False)
        for name, content in (
            ("config.yaml", make_config(rows)),
            ("provenance.json", {}),
            ("claims.json", records(model)),
            ("status.json", {"state": "complete", "judged": judging_checksum(CLAIMS_ROOT)}),
        ):
            (folder / name).write_text(json.dumps(content))
    return root


def records(model: str) -> list[dict[str, object]]:
    (paper,) = (paper for paper in load_papers(CLAIMS_ROOT) if "weighted_gradients" in paper.claims)
    claim = paper.claims["weighted_gradients"][0]
    known = {"id": claim.id, "paper": claim.paper, "source": claim.source, "statement": claim.statement}
    known["paper_value"] = str(claim.value_for(model))
    measured = {"value": 0.02, "ci_low": 0.01, "ci_high": 0.03, "n": 8, "p_value": 0.01, "test": "t-test"}
    return [known | measured | {"verdict": "reproduced", "note": f"of <{model}>"}]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = finished(tmp_path_factory.mktemp("outputs"), ("vgg16", "vgg19", "resnet50", "resnet101"))
    (root / "weighted_gradients" / "sample_photos-vgg19" / "rows.parquet").write_bytes(b"no table")
    return root


@pytest.fixture(scope="module")
def page(outputs: Path) -> Page:
    return Page(write_report(outputs).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_tables_and_figures_are_files_of_the_report(outputs: Path, page: Page) -> None:
    report = outputs / "report"
    table = pd.read_csv(report / "tables" / "weighted_gradients_table_1_demo.csv")
    assert set(table["model"]) == {"vgg16", "resnet50", "resnet101"}
    for suffix in ("png", "pdf"):
        assert (report / "figures" / f"weighted_gradients_improvement_demo.{suffix}").exists()
    assert len(page.sources) == len(list((report / "figures").glob("*.svg"))) == 2
    assert "All complete runs together (3)" in page.text
    assert "Table: table_1_demo (6 rows)" in page.text


def test_a_run_that_cannot_be_read_is_named(page: Page) -> None:
    assert "Left out, since it cannot be read: sample_photos-vgg19 (ArrowInvalid" in page.text


def test_many_results_of_a_claim_are_folded_into_a_table(page: Page) -> None:
    assert not page.open
    assert "4 runs: 4 reproduced" in page.text
    assert "of <vgg16>" in page.text
    assert "0.035 to 0.026 (p = 0.002)" in page.text  # the paper's value for VGG16, beside our result


def test_the_table_of_claims_has_the_networks_values(outputs: Path, page: Page) -> None:
    del page  # the report has been written
    table = pd.read_csv(outputs / "report" / "claims.csv").dropna(subset="run").set_index("run")
    assert table["paper_value"]["sample_photos-vgg16"].startswith("0.035 to 0.026")


@pytest.mark.slow
def test_what_an_earlier_report_left_is_replaced(tmp_path: Path) -> None:
    root = finished(tmp_path, ("vgg16",))
    write_report(root)
    figures = root / "report" / "figures"
    (figures / "weighted_gradients_gone.png").write_bytes(b"old")
    (figures / "mine.png").write_bytes(b"kept")
    write_report(root)
    assert {path.name for path in figures.glob("*.png")} == {"mine.png", "weighted_gradients_improvement_demo.png"}


def test_without_runs_nothing_is_combined(tmp_path: Path) -> None:
    assert write_combined(tmp_path, [], load_papers(CLAIMS_ROOT), []) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_part_of_a_sweep_is_shown_as_a_part(tmp_path: Path) -> None:
    root = finished(tmp_path, ("vgg16", "vgg19"))
    runs = [SweepRun(f"model={name}", ("weighted_gradients", f"sample_photos-{name}")) for name in ("vgg16", "vgg19")]
    write_sweep(root, Sweep("python run.py", "slurm", tuple(runs)))
    assert "partial" not in Page(write_report(root).read_text(encoding="utf-8")).text
    runs.append(SweepRun("model=resnet50", ("weighted_gradients", "sample_photos-resnet50")))
    write_sweep(root, Sweep("python run.py", "slurm", tuple(runs)))
    text = Page(write_report(root).read_text(encoding="utf-8")).text
    assert "2 of 3 networks of a sweep are in; missing: model=resnet50 (not begun)." in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", "- 1\n"),
        ("config.yaml", "a: [\n"),
        ("config.yaml", "scale: demo\n"),
        ("rows.parquet", "x"),
        ("rows.parquet", {"value": [1.0]}),
        ("rows.parquet", {"method": ["ig"], "metric": ["auc"], "unit": ["0"], "value": ["much"]}),
    ],
)
def test_results_that_cannot_be_read_give_a_reason(
    tmp_path: Path, name: str, content: str | dict[str, list[Any]]
) -> None:
    (run,) = find_runs(finished(tmp_path, ("vgg16",)))
    assert read_results(run).model == "vgg16"
    if isinstance(content, dict):
        pd.DataFrame(content).to_parquet(run.folder / name)
    else:
        (run.folder / name).write_text(content)
    with pytest.raises(NotTestable, match=r"\w+"):
        read_results(run)
