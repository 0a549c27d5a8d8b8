"""Tasks of photographs for comparisons: a network that has unlearned, which nobody loads who is not asked."""

import logging
from pathlib import Path

import pytest
import torch

from igbaselines.common.errors import UserError
from igbaselines.metrics import ROAD
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.images.comparison import comparison_tasks
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from igbaselines.studies.images.experiments.settings import PhotographDomain
from igbaselines.studies.images.networks.recipe import EfficientNetLite
from igbaselines.tasks import Patches

OUTLINES = Path(__file__).parents[3] / "data" / "sample_photos.json"


def test_the_shuffled_network_explains_the_same_pixels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    here = Path()
    run = Run(Rows("e", "d", "m", 0), here, here, here, torch.device("cpu"), 0, 4, 1)
    photographs = SamplePhotos(str(OUTLINES), only_correct=False)
    model = EfficientNetLite("efficientnet_lite0", size=64, short_side=64)
    tasks = [make() for make in comparison_tasks(run, PhotographDomain(photographs, model, 1, 2)).values()]
    loaded = "efficientnet_lite0: 4 pictures at once"
    assert caplog.messages.count(loaded) == 1
    for task in tasks:
        assert (task.data, task.network, list(task.variants)) == ("photographs", "efficientnet_lite0", ["randomised"])
        other = task.variants["randomised"]()
        assert torch.equal(other.inputs, task.inputs)
        assert task.targets is not None
        assert other.targets is not None
        assert torch.equal(other.targets, task.targets)
        assert task.players == other.players == Patches(32, 32)
        with torch.no_grad():
            before, after = task.f(task.inputs), other.f(other.inputs)
        assert torch.isfinite(after).all()
        assert not torch.allclose(before, after)
        assert ROAD().why_not(task) is None
    assert caplog.messages.count(loaded) == 2


def test_photographs_are_explained_beside_others() -> None:
    """In tasks of several, so that a control can take the weights of the others; nothing else depends on that."""
    here = Path()
    run = Run(Rows("e", "d", "m", 0), here, here, here, torch.device("cpu"), 0, 4, 1)
    photographs = SamplePhotos(str(OUTLINES), only_correct=False)
    model = EfficientNetLite("efficientnet_lite0", size=64, short_side=64)
    tasks = [make() for make in comparison_tasks(run, PhotographDomain(photographs, model, 1, 5, patch=16)).values()]
    assert [len(task.units) for task in tasks] == [2, 2, 1]
    both = tasks[0]
    (alone, *_) = comparison_tasks(run, PhotographDomain(photographs, model, 1, 2, patch=16)).values()
    one = alone()
    assert one.units == both.units[:1]
    assert both.player_map.count == 16
    assert both.masks is not None
    source = torch.tensor([1, 0])
    with torch.no_grad():
        torch.testing.assert_close(both.followed(both.inputs[source], source)[1:], one.followed(one.inputs, source[1:]))
        torch.testing.assert_close(both.f(both.inputs)[:1], one.f(one.inputs), rtol=1e-4, atol=1e-4)


def test_one_player_is_refused_before_work_starts() -> None:
    here = Path()
    run = Run(Rows("e", "d", "m", 0), here, here, here, torch.device("cpu"), 0, 4, 1)
    model = EfficientNetLite("efficientnet_lite0", size=64, short_side=64)
    with pytest.raises(UserError, match="a patch of 64 px leaves one player of 64 px"):
        comparison_tasks(run, PhotographDomain(SamplePhotos(str(OUTLINES)), model, 1, 2, patch=64))
