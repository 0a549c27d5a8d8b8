"""Which runs stand side by side, what the page and the table say of them, and when they say nothing."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from igbaselines.reporting.claims import unmeasured
from igbaselines.reporting.page.by_dataset import CLAIM_COLUMNS, compare_datasets, comparisons_table
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import ReportedRun, find_runs
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import Verdict
from tests.hep_rows import CLAIMS_ROOT
from tests.reporting.page.test_html import Page

(PAPER,) = (paper for paper in load_papers(CLAIMS_ROOT) if "hep_baselines" in paper.claims)
CLAIMS = PAPER.claims["hep_baselines"][:4]
CONFIG: dict[str, Any] = {
    "experiment": "hep_baselines",
    "dataset_name": "hep_synthetic",
    "model_name": "swish_dnn",
    "scale": "demo",
    "seed": 0,
    "device": "cpu",
    "dataset": {"n_events": 30000},
    "evaluation": {"networks": 5},
}


def record(place: int, verdict: str) -> dict[str, Any]:
    claim = CLAIMS[place]
    known = {key: getattr(claim, key) for key in ("id", "paper", "source", "statement", "paper_value")}
    if verdict == Verdict.NOT_TESTED:
        return known | unmeasured(Verdict.NOT_TESTED, "the run has no feature <b>")
    measured = {"value": place + 0.125, "ci_low": place + 0.0625, "ci_high": place + 0.5, "n": 5, "p_value": 0.01}
    return known | measured | {"test": "t-test", "verdict": verdict, "note": "noted"}


def made(name: str, verdicts: tuple[str, ...] = ("reproduced",), day: int = 1, **changes: Any) -> ReportedRun:
    config = copy.deepcopy(CONFIG) | {"dataset_name": name} | changes
    return ReportedRun(
        "hep_baselines",
        f"{name}-{day}",
        "complete",
        config=yaml.safe_dump(config),
        claims=[record(place, verdict) for place, verdict in enumerate(verdicts)],
        ended=f"2026-01-{day:02d}T00:00:00+0000",
    )


def shown(*runs: ReportedRun) -> list[dict[str, str]]:
    """Data set -> label of its run, for each comparison."""
    return [{name: run.label for name, run in found.runs.items()} for found in compare_datasets(runs)]


def test_a_line_says_how_the_verdicts_stand_to_one_another() -> None:
    one = made("hep_synthetic", ("reproduced", "reproduced", "partly reproduced", "not tested"))
    other = made("hep_pythia", ("reproduced", "inconclusive", "not reproduced"))
    (comparison,) = compare_datasets([one, other])
    assert list(comparison.runs) == ["hep_pythia", "hep_synthetic"]
    assert [line.verdicts for line in comparison.lines] == ["same", "differ", "contrary", "same"]
    assert [comparison.count(kind) for kind in ("same", "differ", "contrary")] == [2, 1, 1]
    assert [line.claim["id"] for line in comparison.lines] == [claim.id for claim in CLAIMS]
    assert comparison.lines[3].records[0] is None


def test_one_data_set_is_no_comparison() -> None:
    assert shown(made("hep_synthetic"), made("hep_synthetic", day=2)) == []
    assert comparisons_table([]).columns.tolist() == CLAIM_COLUMNS


def test_only_runs_that_differ_in_the_data_alone_stand_side_by_side() -> None:
    synthetic = made("hep_synthetic")
    for changes in ({"seed": 1}, {"scale": "paper"}, {"model_name": "other"}, {"evaluation": {"networks": 2}}):
        assert shown(synthetic, made("hep_pythia", **changes)) == []
    same: tuple[Mapping[str, Any], ...] = ({"device": "cuda"}, {"dataset": {"path": "data/hep_pythia.parquet"}})
    for allowed in same:
        assert shown(synthetic, made("hep_pythia", **allowed)) == [
            {"hep_pythia": "hep_pythia-1", "hep_synthetic": "hep_synthetic-1"}
        ]


def test_files_of_the_users_are_data_sets_of_their_own() -> None:
    runs = [made("hep_table", day=day, dataset={"path": f"some/{name}.parquet"}) for day, name in ((1, "a"), (2, "b"))]
    assert shown(*runs) == [{"hep_table a": "hep_table-1", "hep_table b": "hep_table-2"}]


def test_the_newest_run_of_a_data_set_stands_for_it() -> None:
    more = {"n_events": 60000}
    runs = [made("hep_synthetic", day=4), made("hep_synthetic", day=3, dataset=more), made("hep_pythia")]
    assert shown(*runs)[0]["hep_synthetic"] == "hep_synthetic-4"


def test_the_largest_scale_is_shown_and_then_the_most_data_sets() -> None:
    datasets = ("hep_synthetic", "hep_pythia", "hep_table")
    demo = [made(dataset, day=9) for dataset in datasets]
    paper = [made(dataset, day=1, scale="paper") for dataset in datasets[:2]]
    seed = [made(dataset, day=10, seed=1) for dataset in datasets[:2]]
    assert len(shown(*demo, *seed)[0]) == 3
    (found,) = compare_datasets([*demo, *paper, *seed])
    assert (found.scale, len(found.runs)) == ("paper", 2)


def test_networks_and_studies_are_compared_one_by_one_and_ablations_never() -> None:
    both = ("hep_synthetic", "hep_pythia")
    others = [made(dataset, model_name="resnet50", evaluation={"study": "tables"}) for dataset in both]
    ablations = [made(dataset, evaluation={"study": "ablation"}) for dataset in both]
    found = compare_datasets([*map(made, both), *others, *ablations])
    assert [comparison.model for comparison in found] == ["resnet50", "swish_dnn"]


@pytest.mark.parametrize(
    "config", ["", "{}", "[]", "dataset_name: [", "dataset_name: x", "a: 2026-13-01", "1: a\nb: c"]
)
def test_a_run_whose_configuration_says_nothing_is_left_out(config: str) -> None:
    unclear = ReportedRun("hep_baselines", "unclear", "complete", config=config)
    failed = ReportedRun("hep_baselines", "failed", "failed", "no disk")
    assert shown(made("hep_synthetic"), unclear, failed) == []


def test_the_table_has_a_line_a_claim_with_the_data_sets_across() -> None:
    runs = made("hep_synthetic", ("reproduced", "inconclusive")), made("hep_pythia", ("not reproduced",), day=2)
    table = comparisons_table(compare_datasets(runs)).set_index("id")
    assert table.columns[: len(CLAIM_COLUMNS) - 1].tolist() == [name for name in CLAIM_COLUMNS if name != "id"]
    first, second = (table.loc[claim.id] for claim in CLAIMS[:2])
    assert (first["verdicts"], first["hep_pythia: verdict"], first["hep_synthetic: value"]) == (
        "contrary",
        "not reproduced",
        0.125,
    )
    assert (second["hep_synthetic: verdict"], second["hep_pythia: run"]) == ("inconclusive", "hep_pythia-2")
    assert pd.isna(second["hep_pythia: verdict"])


def test_the_page_shows_the_data_sets_side_by_side(tmp_path: Path) -> None:
    for run in (
        made("hep_synthetic", ("reproduced", "reproduced", "not tested")),
        made("hep_pythia", ("inconclusive", "not reproduced"), day=2),
    ):
        written(tmp_path, run)
    found = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert not found.open
    words = " ".join(found.text.split())
    assert "hep_baselines, swish_dnn, demo: hep_pythia, hep_synthetic" in words
    assert "3 claims, by runs that differ in the data set alone: 1 with the same verdict, 1 with contrary" in words
    assert "reproduced 0.125 [0.0625, 0.5]" in words
    assert "the run has no feature <b>" in words
    assert "the run does not know this claim" in words
    table = pd.read_csv(tmp_path / "report" / "claims_by_dataset.csv")
    assert table["verdicts"].tolist() == ["differ", "contrary", "same"]


def test_without_another_data_set_the_page_is_as_it_was(tmp_path: Path) -> None:
    written(tmp_path, made("hep_synthetic"))
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "side by side</h3>" not in text
    assert "<h3>Claim by claim" not in text
    assert pd.read_csv(tmp_path / "report" / "claims_by_dataset.csv").empty


def test_when_a_run_ended_is_read_from_its_folder(tmp_path: Path) -> None:
    written(tmp_path, made("hep_synthetic", day=7))
    assert find_runs(tmp_path)[0].ended == "2026-01-07T00:00:00+0000"


def written(root: Path, run: ReportedRun) -> None:
    folder = root / run.experiment / run.label
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(run.config)
    (folder / "provenance.json").write_text("{}")
    (folder / "claims.json").write_text(json.dumps(run.claims))
    (folder / "status.json").write_text(json.dumps({"state": "complete", "ended": run.ended}))
