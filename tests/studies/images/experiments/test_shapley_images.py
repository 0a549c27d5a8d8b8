"""2310.04821 on real photographs, end to end at smoke scale."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.commands import Command

METHODS = {
    "shapley_ig",
    "ig_absent",
    "ig_black",
    "ig_white",
    "ig_mean",
    "ig_uniform",
    "ig_gaussian",
    "ig_blur",
    "ig_max_distance",
    "expected_gradients",
}
JUDGED = {"deletion_auc", "insertion_auc", "overlap_auc", "pointing_game", "completeness_gap", "consistency"}
COSTS = {"gradient_points", "seconds"}


@pytest.fixture(scope="session")
def rows(shapley_images_smoke: Path) -> pd.DataFrame:
    return pd.read_parquet(shapley_images_smoke / "rows.parquet")


@pytest.mark.slow
def test_every_photograph_is_judged_by_every_method_once(rows: pd.DataFrame) -> None:
    found = rows[rows["study"] == "methods"]
    table = found.pivot(index=["unit", "method"], columns="metric", values="value")  # refuses two values
    assert set(table) == JUDGED | COSTS
    assert len(table) == 2 * len(METHODS)
    assert set(table.index.get_level_values("method")) == METHODS
    assert np.isfinite(table.to_numpy()).all()
    for metric in ("deletion_auc", "insertion_auc", "overlap_auc", "pointing_game"):
        assert table[metric].between(0, 1).all()
    assert table["consistency"].between(-1, 1).all()
    assert table["consistency"].nunique() > len(METHODS)
    assert (table["gradient_points"] == 4).all()
    assert (table["seconds"] > 0).all()


@pytest.mark.slow
def test_the_sweeps_say_what_they_vary_and_what_it_costs(rows: pd.DataFrame) -> None:
    patch = rows[(rows["study"] == "patch") & (rows["metric"] == "gradient_points")]
    assert patch.groupby(["patch", "players"])["value"].unique().map(list).to_dict() == {(56, 16): [4], (112, 4): [4]}
    assert patch.set_index("patch")["q"].dropna().unique() == [2 / 2**4]  # of the four players alone
    coalitions = rows[(rows["study"] == "coalitions") & (rows["metric"] == "gradient_points")]
    assert coalitions.set_index("coalitions")["value"].to_dict() == {2: 4, 3: 6}
    assert (coalitions["patch"] == 56).all()
    assert set(rows.loc[rows["study"].isin(["patch", "coalitions"]), "method"]) == {"shapley_ig"}


@pytest.mark.slow
def test_the_main_setting_is_the_same_in_every_study(rows: pd.DataFrame) -> None:
    main = rows[(rows["method"] == "shapley_ig") & (rows["patch"] == 56) & (rows["coalitions"] == 2)]
    table = main[main["metric"] != "consistency"].pivot(index=["unit", "metric"], columns="study", values="value")
    assert set(table) == {"methods", "patch", "coalitions"}
    pd.testing.assert_series_equal(table["methods"], table["patch"], check_names=False, check_exact=True)
    pd.testing.assert_series_equal(table["methods"], table["coalitions"], check_names=False, check_exact=True)


@pytest.mark.slow
def test_the_folder_holds_tables_figures_and_maps(shapley_images_smoke: Path) -> None:
    tables = {path.stem for path in (shapley_images_smoke / "tables").glob("*.csv")}
    assert {"methods", "against_shapley_ig", "patches", "coalitions", "consistency", "selection"} <= tables
    figures = {path.name: path for path in (shapley_images_smoke / "figures").glob("*.png")}
    assert set(figures) == {
        "figure_overlays_1.png",
        "figure_methods.png",
        "figure_advantages.png",
        "figure_sweeps.png",
    }
    for path in figures.values():
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5  # something is drawn
    (file,) = (shapley_images_smoke / "examples").glob("*.npz")
    with np.load(file, allow_pickle=False) as example:
        assert set(example["methods"].tolist()) == METHODS
        assert example["maps"].shape == (len(METHODS), 224, 224)
        assert example["mask"].shape == (224, 224)


def test_networks_that_see_other_pixels_are_refused_in_one_line(command: Command) -> None:
    larger = ("evaluation.other_model.size=240", "evaluation.other_model.short_side=274")
    result = command("experiment=shapley_images", "scale=smoke", *larger)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()[-1:]
    assert "same pixels" in line
    assert "Traceback" not in result.stderr
    assert command.runs() == []


def test_the_paper_scale_takes_its_networks(command: Command) -> None:
    hydra = yaml.safe_load(command("experiment=shapley_images", "scale=paper", "--cfg", "hydra").stdout)["hydra"]
    assert hydra["sweeper"]["params"] == {
        "dataset": "imagenet",
        "model": "resnet50",
        "model@evaluation.other_model": "densenet121",
    }
