"""`explain`: a folder of one's own photographs, good and bad, becomes attributions, figures and rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.reporting.page.runs import figure_file
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.images.data.pictures import open_photograph
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from tests.commands import ROOT, Command
from tests.running.test_errors import expect_one_line

FAST = ("experiment=explain", "scale=smoke", "attribution/rule=midpoint", "attribution.rule.n_steps=4")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photographs, one of them grey, in a folder with what such folders hold besides."""
    folder = tmp_path / "my photos"
    (folder / "holiday").mkdir(parents=True)
    samples = SamplePhotos(str(ROOT / "data" / "sample_photos.json")).photographs().candidates
    open_photograph(samples[4].picture).convert("L").save(folder / "grey.png")
    open_photograph(samples[7].picture).convert("CMYK").save(folder / "holiday" / "car.jpg")
    assert isinstance(samples[0].picture, Path)
    (folder / "broken.jpg").write_bytes(samples[0].picture.read_bytes()[:3000])
    (folder / "empty.png").touch()
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    (folder / "notes.txt").write_text("not a photograph")
    return folder


@pytest.mark.slow
def test_a_folder_of_photographs(command: Command, photos: Path) -> None:
    result = command(*FAST, f"dataset.path='{photos}'", "attribution.reference_images=2")
    assert result.returncode == 0, result.stderr
    for name in ("broken", "empty", "dot"):
        assert f"left out: {name} " in result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert rows.loc[rows["metric"] == "images_left_out", "value"].sum() == 3
    explained = rows[rows["metric"] == "probability"].set_index("unit")
    assert set(explained.index) == {"grey", "holiday/car"}
    weights = rows[rows["metric"] == "weight"].groupby("unit")["value"].sum()
    assert weights.tolist() == pytest.approx([1, 1])
    files = sorted((folder / "explanations").glob("*.npz"))
    assert [file.stem for file in files] == ["grey", "holiday__car"]
    for file in files:
        with np.load(file, allow_pickle=False) as explanation:
            attributions = explanation["attributions"]
            assert attributions.shape == (1, 3, 224, 224)
            np.testing.assert_allclose(attributions.sum(axis=1), explanation["maps"], atol=1e-5)
            assert attributions.std() > 0
        assert (folder / "figures" / f"{file.stem}.png").exists()


@pytest.mark.slow
def test_coalitions_of_patches(command: Command, photos: Path) -> None:
    little = ("attribution.gradient_points=8", "attribution.patch=112", "attribution.reference_images=8")
    file = photos / "grey.png"
    result = command("experiment=explain", "scale=smoke", f"dataset.path='{file}'", "attribution=shapley_ig", *little)
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows.loc[rows["metric"] == "gradient_points", "value"]) == {8}
    with np.load(folder / "explanations" / "grey.npz", allow_pickle=False) as found:
        assert list(found["methods"]) == ["shapley_ig", "ig_absent"]
        of_patches = found["maps"][0].reshape(2, 112, 2, 112).sum(axis=(1, 3))
        np.testing.assert_allclose(found["patches"][0], of_patches, atol=1e-5)
        assert np.isnan(found["patches"][1]).all(), "plain Integrated Gradients knows no patches"
        assert found["patch"] == 112
        assert np.abs(found["maps"][0] - found["maps"][1]).max() > 0
    assert "patches (112 px)" in figure_file(folder / "figures" / "grey_sheet.png").caption


def test_integrated_gradients_of_one_file(command: Command, photos: Path) -> None:
    result = command(*FAST, f"dataset.path='{photos / 'grey.png'}'", "attribution=ig")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows.loc[rows["metric"] == "completeness_gap", "method"]) == {"ig"}


@pytest.mark.slow
def test_a_method_and_a_metric_beside(command: Command, photos: Path) -> None:
    others = ("methods=[ig_zero]", "metrics=[deletion_zero,known_cosine]")
    result = command(*FAST, f"dataset.path='{photos / 'grey.png'}'", "attribution=ig", *others)
    assert result.returncode == 0, result.stderr
    assert "metric known_cosine is left out: no player values are known" in result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    areas = rows[rows["metric"] == "deletion_auc_zero"].set_index("method")["value"]
    assert areas.between(0, 1).all()
    points = rows[rows["metric"] == "gradient_points"].set_index("method")["value"]
    assert areas.index.tolist() == points.index.tolist() == ["ig", "ig_zero"]
    assert points.to_dict() == {"ig": 4, "ig_zero": 32}


def test_integrated_gradients_start_from_one_baseline() -> None:
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        chosen = ["dataset.path=x", "attribution=ig", "attribution/baselines=constants"]
        config = compose("config", ["experiment=explain", *chosen])
    with pytest.raises(UserError, match="attribution=ig starts from one baseline, attribution/baselines has 6"):
        instantiate(config.attribution)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], ["dataset.path"]),
        (["dataset.path={photos}", "model.checkpoint=nowhere.pth"], ["nowhere.pth", "model.checkpoint"]),
        (["dataset.path={photos}", "attribution=weighted"], ["weighted_gradients"]),
        (["dataset.path={photos}", "mask@attribution.fitness_mask=purple"], ["purple", "corner_mean"]),
        # two files leave only one other photograph to start from
        (["dataset.path={photos}", "attribution/baselines=photographs"], ["attribution/baselines", "photograph"]),
    ],
)
def test_a_mistake_ends_in_one_line(command: Command, photos: Path, overrides: list[str], words: list[str]) -> None:
    filled = [override.replace("{photos}", f"'{photos}'") for override in overrides]
    expect_one_line(command(*FAST, *filled), *words)
    assert command.runs() == []


@pytest.mark.slow
def test_photographs_that_all_fail_are_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n1234")
    expect_one_line(command(*FAST, f"dataset.path={tmp_path / 'only'}"), "photographs", "read")
    assert command.runs() == []
