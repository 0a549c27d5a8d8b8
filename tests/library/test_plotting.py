"""Plots from Python: what is drawn are the attributions, both signs apart, and what cannot be drawn is said."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from igbaselines import explain, plot
from igbaselines.library.plotting import AGAINST, FOR


def test_bars_are_the_attributions_the_largest_on_top() -> None:
    weights = torch.tensor([3.0, -2.0, 0.5])
    found = explain(lambda x: x @ weights, torch.ones(2, 3))
    figure = plot(found, torch.ones(2, 3), names=["a", "b", "c"], titles=["one", "two"])
    panel = figure.axes[0]
    assert [round(bar.get_width(), 5) for bar in panel.patches] == [0.5, -2, 3]  # type: ignore[attr-defined]
    assert [to_hex(bar.get_facecolor()) for bar in panel.patches] == [FOR, AGAINST, FOR]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["c = 1", "b = 1", "a = 1"]
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["one", "two"]


def test_sequences_are_summed_and_many_bars_are_cut() -> None:
    figure = plot(torch.ones(1, 30, 4))
    (panel,) = figure.axes
    assert [bar.get_width() for bar in panel.patches] == [4] * 20  # type: ignore[attr-defined]
    assert "the 20 largest of 30" in panel.get_xlabel()


def test_a_picture_shows_both_signs_over_its_grey() -> None:
    maps = torch.zeros(1, 3, 4, 4)
    maps[0, :, 0, 0], maps[0, :, 3, 3] = 1, -1
    panel = plot(maps, torch.rand(1, 3, 4, 4)).axes[0]
    grey, heat = panel.images
    strength = np.asarray(heat.get_array())
    assert (strength[0, 0], strength[3, 3], strength[1, 1]) == (1, -1, 0)
    assert np.asarray(heat.get_alpha())[1, 1] == 0
    assert np.asarray(grey.get_array()).shape == (4, 4)
    assert len(plot(maps).axes[0].images) == 1


@pytest.mark.parametrize(
    ("maps", "options", "said"),
    [
        (torch.zeros(13, 2), {}, r"attributions \(13, 2\) cannot be drawn"),
        (torch.zeros(3), {}, "cannot be drawn"),
        (torch.zeros(2, 2), {"names": ["a"]}, "1 names do not fit"),
        (torch.zeros(2, 2), {"titles": ["a"]}, "1 titles do not fit"),
        (torch.zeros(2, 2), {"inputs": torch.zeros(2, 3)}, r"inputs \(2, 3\) do not fit"),
    ],
)
def test_what_cannot_be_drawn_is_said(maps: torch.Tensor, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plot(maps, **options)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install \"igbaselines\[runs\]\""):
        plot(torch.zeros(1, 2))


def test_progress_counts_the_points_of_any_method() -> None:
    told: list[int] = []
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softplus())
    x = torch.rand(5, 4)
    for method in ("ig_zero", "shapley_ig_zero"):
        told.clear()
        found = explain(network, x, method, target=1, progress=told.append)
        assert told == sorted(told)
        assert told[-1] >= int(found.evaluations.sum())
        assert torch.allclose(found.attributions, explain(network, x, method, target=1).attributions, atol=1e-6)
