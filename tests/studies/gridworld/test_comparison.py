"""Tasks of grid worlds for comparisons: variants of their networks, which nobody trains who is not asked."""

import logging
from pathlib import Path

import pytest
import torch

from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.study import Domain
from igbaselines.studies.gridworld.comparison import comparison_tasks
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe

pytestmark = pytest.mark.usefixtures("one_thread")


def test_variants_are_made_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    here = Path()
    run = Run(Rows("e", "d", "m", 0), here, here, here, torch.device("cpu"), 0, None, 1)
    worlds = GridWorld(size=5, n_worlds=8, held_out=3, traps=1, walls=1)
    domain = Domain(worlds, GridValueRecipe([8], True, 0.01, 0.0, 256, epochs=2), networks=2, inputs=3)
    tasks = {name: make() for name, make in comparison_tasks(run, domain).items()}
    assert [(task.data, task.network) for task in tasks.values()] == [("gridworld", name) for name in tasks]
    assert len(caplog.messages) == 2  # networks trained
    task = tasks["gridworld network_0"]
    twin, shuffled = (task.variants[name]() for name in ("twin", "randomised"))
    assert len(caplog.messages) == 3
    values = []
    for one in (task, twin, shuffled, *(each.variants["twin"]() for each in tasks.values())):
        assert torch.equal(one.inputs, task.inputs)
        assert torch.equal(one.background.examples, task.background.examples)
        assert one.units == task.units
        with torch.no_grad():
            values.append(one.f(one.inputs))
    assert torch.equal(values[1], values[3])  # the twin is the same whenever it is made
    other = [values[place] for place in (0, 1, 2, 4)]
    assert not any(torch.allclose(a, b) for place, a in enumerate(other) for b in other[:place])
