"""What docs/shapley.md says of the parts of Shapley IG's error is what a run made."""

import json
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.common.errors import UserError
from tests.commands import ROOT, load_script


def small_run(folder: Path) -> Path:
    """A run's folder with as much as is published of it."""
    for part in ("tables", "figures"):
        (folder / part).mkdir(parents=True)
    parts = ("imputer", "paths", "plain IG: paths", "sampling", "quadrature", "all parts")
    line = {"architecture": "deep Swish", "reference": "mean"} | dict.fromkeys(parts, "0.500 (0.400 to 0.600)")
    guideline = {"players": 8, "all_coalitions": 256} | {
        f"{name}{edge}": value
        for name in ("below_paths", "near_limit")
        for edge, value in (("", 7.6), ("_low", 4.0), ("_high", float("inf")), ("_share", 0.03))
    }
    bound = {"architecture": "deep Swish", "reference": "mean", "median_share": 0.25, "largest_share": 0.5, "states": 4}
    for name, table in (("parts_summary", line), ("guideline", guideline), ("bound", bound)):
        pd.DataFrame([table]).to_csv(folder / "tables" / f"{name}.csv", index=False)
    for name in ("errors", "guideline"):
        (folder / "figures" / f"figure_{name}.png").write_bytes(name.encode())
    (folder / "rows.parquet").touch()
    (folder / "provenance.json").write_text(json.dumps({"seed": 3}))
    (folder / "status.json").write_text("{}")
    return folder


def test_a_run_is_put_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- errors -->\nold \\1\n<!-- /errors -->\nafter\n")
    load_script("publish_errors").publish(small_run(tmp_path / "shapley_errors" / "run"), page)
    text = page.read_text()
    assert text.startswith("before\n<!-- errors -->\nFrom one run (seed 3, ")
    assert text.endswith("<!-- /errors -->\nafter\n")
    assert "old" not in text
    assert "| deep Swish | mean | 0.500 (0.400 to 0.600) |" in text
    assert "with 8 players 8 (4 to more than were sampled) and 8 (4 to more than were sampled) of 256." in text
    assert "| 8 | 256 | 7.6 | 0.03 | 7.6 | 0.03 |" in text
    assert (tmp_path / "shapley_guideline.png").read_bytes() == b"guideline"


def test_no_other_run_is_published(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no complete run of shapley_errors"):
        load_script("publish_errors").publish(small_run(tmp_path / "shapley_gridworld" / "run"))


def test_the_page_has_its_place() -> None:
    script = load_script("publish_errors")
    assert script.PAGE == ROOT / "docs" / "shapley.md"
    assert len(script.PLACE.findall(script.PAGE.read_text(encoding="utf-8"))) == 1
