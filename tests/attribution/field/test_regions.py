"""XRAI's regions against PAIR's saliency 0.2.1 (Apache 2.0) on a photograph, and what they keep."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.budget import Budget
from igbaselines.attribution.field.regions import Regions, evened
from igbaselines.attribution.methods import AveragedGradients, why_not
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.tasks import Patches, Task
from tests.small_tasks import players_of, task_of

pytest.importorskip("skimage")
IG = AveragedGradients(ZeroBaseline(), GaussLegendre(4))


def pictures(height: int = 48, width: int = 64) -> Tensor:
    """A real photograph, (1, 3, height, width): its upper left, where a temple stands before the sky."""
    images: Any = pytest.importorskip("sklearn.datasets")
    photograph = images.load_sample_image("china.jpg")[: 4 * height : 4, : 4 * width : 4].copy()
    return torch.from_numpy(photograph).movedim(-1, 0)[None].double() / 255


def small_task(x: Tensor) -> Task:
    torch.manual_seed(0)
    f = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.SiLU(), nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)).double()
    f(x)
    return task_of(f, x, players=Patches(8, 8))


@pytest.mark.slow
def test_it_is_saliency_s_of_the_same_pixels() -> None:
    """Theirs takes the largest of the channels where ours sums them: it is given one channel, three times."""
    saliency = pytest.importorskip("saliency.core")
    task = small_task(pictures())
    pixels = IG.attribute(task, torch.Generator()).attributions.sum(dim=1).numpy()[0]
    photograph = task.inputs[0].movedim(0, -1).numpy()
    expected = saliency.XRAI().GetMask(photograph, None, base_attribution=np.repeat(pixels[..., None], 3, axis=-1))
    found = Regions(IG).attribute(task, torch.Generator()).attributions
    assert len(np.unique(expected)) > 5
    np.testing.assert_allclose(found.sum(dim=1).numpy()[0], expected, rtol=1e-10, atol=0)


def test_means_of_what_joins_by_hand() -> None:
    """The right half first, of mean 5; then what is left of the row, of mean 1; one pixel is in no segment."""
    pixels = np.array([[0.0, 2.0, 4.0], [9.0, -7.0, 6.0]])
    masks = np.zeros((3, 2, 3), dtype=bool)
    masks[0, 0], masks[1, :, 2], masks[2, 1, 1] = True, True, True
    found = evened(pixels, masks, 1)
    assert found.tolist() == [[1, 1, 5], [9, -7, 5]]
    assert evened(pixels, masks, 2).tolist() == [[1, 1, 5], [1, 1, 5]]  # the lone segment is left over too


@pytest.mark.parametrize("value", [None, 0.5])
def test_the_sum_is_that_of_the_method(value: float | None) -> None:
    """Of a picture of one colour, too, which is one region."""
    task = small_task(pictures() if value is None else torch.full((1, 3, 20, 30), value, dtype=torch.float64))
    found, plain = (method.attribute(task, torch.Generator()) for method in (Regions(IG), IG))
    torch.testing.assert_close(found.attributions.sum(), plain.attributions.sum(), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(players_of(found).sum(), plain.attributions.sum(), rtol=1e-10, atol=1e-12)
    assert torch.equal(found.completeness_gap, plain.completeness_gap)
    if value is not None:
        assert len(found.attributions.unique()) == 1


def test_what_fits() -> None:
    rows, task = task_of(lambda z: z.sum(1), torch.ones(2, 3)), small_task(pictures(16, 16))
    assert why_not(Regions(IG), rows) == "regions are of pictures"
    assert why_not(Regions(IG), task) is None
    assert (
        why_not(Regions(AveragedGradients("nobody")), task)
        == "its baselines 'nobody' is no imputer of task: it has none"
    )
    with pytest.raises(ValueError, match="regions are of pictures"):
        Regions(IG).attribute(rows, torch.Generator())
    assert Regions(IG).within(task, Budget(20)) == Regions(AveragedGradients(ZeroBaseline(), GaussLegendre(10)))
    assert Regions(ShapleyIG(ZeroBaseline(), 2)).few_players
    with pytest.raises(ValueError, match="dilation is a number of pixels, 0 or more, got -1"):
        Regions(IG, -1)
