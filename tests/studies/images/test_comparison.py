"""Tasks of photographs for comparisons: a network that has unlearned, which nobody loads who is not asked."""

import logging
from pathlib import Path

import pytest
import torch

from igbaselines.metrics import ROAD
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.study import Domain
from igbaselines.studies.images.comparison import PLAYERS, comparison_tasks
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from igbaselines.studies.images.networks.recipe import EfficientNetLite

OUTLINES = Path(__file__).parents[3] / "data" / "sample_photos.json"


def test_the_shuffled_network_explains_the_same_pixels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    here = Path()
    run = Run(Rows("e", "d", "m", 0), here, here, here, torch.device("cpu"), 0, 4, 1)
    photographs = SamplePhotos(str(OUTLINES), only_correct=False)
    model = EfficientNetLite("efficientnet_lite0", size=64, short_side=64)
    tasks = [make() for make in comparison_tasks(run, Domain(photographs, model, 1, 2)).values()]
    loaded = "efficientnet_lite0: 4 pictures at once"
    assert caplog.messages.count(loaded) == 1
    for task in tasks:
        assert (task.data, task.network, list(task.variants)) == ("photographs", "efficientnet_lite0", ["randomised"])
        other = task.variants["randomised"]()
        assert torch.equal(other.inputs, task.inputs)
        assert task.targets is not None
        assert other.targets is not None
        assert torch.equal(other.targets, task.targets)
        assert task.players == other.players == PLAYERS
        with torch.no_grad():
            before, after = task.f(task.inputs), other.f(other.inputs)
        assert torch.isfinite(after).all()
        assert not torch.allclose(before, after)
        assert ROAD().why_not(task) is None
    assert caplog.messages.count(loaded) == 2
