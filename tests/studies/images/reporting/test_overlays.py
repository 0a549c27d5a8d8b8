"""Overlays: what a pixel of them looks like, and figures of explanations in every shape."""

from pathlib import Path

import numpy as np
import pytest

from igbaselines.common.arrays import read_arrays
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import (
    COLOUR,
    example_figure,
    overlay,
    overlay_caption,
)
from tests.studies.images.reporting.weighted_rows import EG, WG, write_explanation


def test_strong_pixels_have_the_colour_and_others_the_photograph() -> None:
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    image[5:] = 255
    attribution = np.zeros((10, 10), dtype=np.float32)
    attribution[0, 0], attribution[0, 1], attribution[0, 2] = 5.0, 5.0, -5.0
    found = overlay(image, attribution)
    np.testing.assert_allclose(found[0, :2], [COLOUR, COLOUR])
    np.testing.assert_allclose(found[0, 2], found[4, 4])  # evidence against is not shown
    np.testing.assert_allclose(found[9, 9], 1)
    assert 0.5 < found[4, 4, 0] < 1  # black is faded to grey


def test_one_wild_pixel_does_not_hide_the_others() -> None:
    attribution = np.full((20, 20), 0.5, dtype=np.float32)
    attribution[3, 3] = 1e9
    found = overlay(np.zeros((20, 20, 3), dtype=np.uint8), attribution)
    np.testing.assert_allclose(found[10, 10], COLOUR, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_map_without_evidence_leaves_the_photograph(value: float) -> None:
    image = np.full((4, 4, 3), 100, dtype=np.uint8)
    found = overlay(image, np.full((4, 4), value, dtype=np.float32))
    assert np.ptp(found) == pytest.approx(0)


def test_an_explanation_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = read_arrays(ExplainedPhotograph, write_explanation(tmp_path / "my photo.npz", mask=False))
    assert (found.label, found.mask) == ("golden retriever", None)
    assert list(found.methods[:2]) == [EG, WG]
    assert "outline" not in overlay_caption(found, "my photo")
    assert "outline" in overlay_caption(
        read_arrays(ExplainedPhotograph, write_explanation(tmp_path / "masked.npz")), "masked"
    )


@pytest.mark.parametrize("baselines", [1, 2, 6, 10])
def test_every_baseline_has_its_picture_its_map_and_its_weight(tmp_path: Path, baselines: int) -> None:
    names = np.array([f"baseline {number}" for number in range(baselines)])
    path = write_explanation(tmp_path / "a.npz", baselines=baselines, arrays={"baseline_names": names})
    example = read_arrays(ExplainedPhotograph, path)
    titles = [axes.get_title() for axes in example_figure(example).axes]
    assert titles[1:4] == ["EG", "WG", "filtered WG"]
    shown = [title for title in titles if title.startswith("baseline")]
    heaviest = np.argsort(-example.weights, kind="stable")
    assert shown == [f"baseline {number}" for number in heaviest]
    weights = [title.partition("weight ")[2] for title in titles if "weight" in title]
    assert weights == [f"{example.weights[number]:.3f}" for number in heaviest]


def test_the_object_is_outlined_where_it_is_known(tmp_path: Path) -> None:
    def contours(path: Path) -> int:
        return sum(len(axes.collections) for axes in example_figure(read_arrays(ExplainedPhotograph, path)).axes)

    assert contours(write_explanation(tmp_path / "masked.npz")) == 4  # on the photograph and three maps
    assert contours(write_explanation(tmp_path / "unknown.npz", mask=False)) == 0
    nothing = {"mask": np.zeros((24, 30), dtype=bool)}
    assert contours(write_explanation(tmp_path / "empty.npz", arrays=nothing)) == 0


def test_a_long_name_and_math_in_it_are_printed(tmp_path: Path) -> None:
    names = np.array([f"{number} a$b_$ {'very ' * 9}long name" for number in range(3)])
    changed = {"baseline_names": names, "label": "x$" * 40}
    figure = example_figure(
        read_arrays(ExplainedPhotograph, write_explanation(tmp_path / "a.npz", baselines=3, arrays=changed))
    )
    figure.savefig(tmp_path / "a.png")
    assert all(len(axes.get_title()) < 60 for axes in figure.axes)
