"""Sheets of several methods: a map as pale as it is beside others has its colours, and patches their values."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from igbaselines.common.arrays import read_arrays
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.sheet import comparison_sheet, sheet_caption
from tests.studies.images.reporting.weighted_rows import write_explanation


@pytest.fixture
def example(tmp_path: Path) -> ExplainedPhotograph:
    return read_arrays(ExplainedPhotograph, write_explanation(tmp_path / "a.npz", mask=False))


def panels(example: ExplainedPhotograph) -> list[Axes]:
    return [axes for axes in comparison_sheet(example).axes if axes.get_title()]


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_every_map_has_its_colours_and_says_from_which_value_on(example: ExplainedPhotograph) -> None:
    maps = example.maps.copy()
    maps[1] = maps[0] / 1000
    _, first, second, *_ = panels(replace(example, maps=maps))
    one, other = (axes.images[1].get_array() for axes in (first, second))
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4)
    full = [float(written(axes)[0].removeprefix("full at ")) for axes in (first, second)]
    assert full[0] == pytest.approx(np.percentile(np.abs(maps[0]), 99), rel=0.05)
    assert full[1] == pytest.approx(full[0] / 1000, rel=0.05)


def test_patches_have_their_values(example: ExplainedPhotograph) -> None:
    """Also those at the edge, which are smaller, of a picture 24 high and 30 wide; methods of pixels have none."""
    patches = np.full((len(example.maps), 3, 4), np.nan, dtype=np.float32)
    patches[1] = np.linspace(-1.2, 0.4, 12).reshape(3, 4)
    with_patches = replace(example, patches=patches, patch=9.0)
    shown = panels(with_patches)
    assert len(shown) == 1 + len(example.maps) + 1
    values = np.asarray(shown[-1].images[1].get_array())
    assert values.shape == example.image.shape[:2]
    assert values[23, 29] == pytest.approx(0.4 / 1.2, rel=1e-5)
    assert written(shown[-1]) == ["full at 1.2", *(f"{value:z.1f}" for value in patches[1].flat)]
    assert "patches (9 px)" in sheet_caption(with_patches, "a")
    assert "patches" not in sheet_caption(example, "a")
