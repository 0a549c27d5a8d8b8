"""Every file and command of docs/photographs.md, with a network of ten classes on photographs of them."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.page.runs import figure_file
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from tests import prepared
from tests.commands import ROOT

PAGE = (ROOT / "docs" / "photographs.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS: list[str] = re.findall(r"^    (python run\.py .*)$", PAGE, re.MULTILINE)
SHOWN = {"imagenet_04_949": "strawberry", "imagenet_14_129": "spoonbill"}
QUICK: tuple[list[str], ...] = (*(["attribution.rule.n_steps=" + nodes] for nodes in ("2", "4", "16")), [])
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of the page's runs, in its order; the report is made at the end."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "photos").mkdir()
    for photograph in SamplePhotos(str(ROOT / "data" / "sample_photos.json")).photographs().candidates:
        if photograph.name in SHOWN:
            assert isinstance(photograph.picture, Path)
            shutil.copy(photograph.picture, folder / "photos" / f"{photograph.name}{photograph.picture.suffix}")
    (folder / "save_checkpoint.py").write_text(FILES["save_checkpoint.py"])
    saved = prepared.run([sys.executable, "save_checkpoint.py"], folder)
    assert saved.returncode == 0, saved.stderr
    found: list[Path] = []
    for command, quick in zip(COMMANDS, QUICK, strict=True):
        words = [*shlex.split(command)[2:], f"output_root={folder / 'outputs'}", *quick]
        result = prepared.run([sys.executable, str(ROOT / "run.py"), *words], folder)
        assert result.returncode == 0, result.stderr
        found += [one.parent for one in folder.glob("outputs/[!.]*/[!.]*/status.json") if one.parent not in found]
    assert len(found) == 3
    return found


def test_the_average_of_a_checkpoint_is_taken_and_its_first_three_classes(runs: list[Path]) -> None:
    rows = pd.read_parquet(runs[1] / "rows.parquet")
    probability = rows[rows["metric"] == "probability"]
    assert len(probability) == 3 * len(SHOWN)
    names = set((runs[1].parents[2] / "classes.txt").read_text().splitlines())
    assert set(probability["label"]) <= names
    for photograph, label in SHOWN.items():
        of_photograph = probability[probability["unit"].str.startswith(photograph)]
        assert of_photograph["label"].iloc[0] == label, "the network was right before it lost 990 classes"
        assert of_photograph["value"].is_monotonic_decreasing
    log = (runs[1] / "run.log").read_text()
    assert "its names begin with 'ema_model.module.'" in log
    assert "are left out" in log


def test_a_sheet_compares_methods_by_the_difference_of_two_classes(runs: list[Path]) -> None:
    rows = pd.read_parquet(runs[2] / "rows.parquet")
    assert set(rows.loc[rows["metric"] == "probability", "method"]) == {"ig", "idgi", "ig_blur", "shapley_ig"}
    assert rows["label"].dropna().str.contains(", not ").all()
    gaps = rows[(rows["metric"] == "completeness_gap") & (rows["method"] == "ig")]
    assert (gaps["value"] < 0.3).all(), "attributions sum to the change of the difference"
    for photograph in SHOWN:
        caption = figure_file(runs[2] / "figures" / f"{photograph}_sheet.png").caption
        assert "by 4 methods" in caption
        assert "patches (32 px)" in caption
        assert "smoothed over 2 px" in caption
        with np.load(runs[2] / "explanations" / f"{photograph}.npz") as found:
            assert (found["maps"] < 0).any()


def test_own_photographs_stand_first_in_the_report(runs: list[Path]) -> None:
    page = (runs[0].parents[1] / "report" / "index.html").read_text()
    assert page.index("Your own data") < page.index(runs[0].name) < page.index("Which claims hold")
