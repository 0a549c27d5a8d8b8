"""Tasks: what they know, and some of their inputs as a task of its own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import TrainingMean, ZeroBaseline
from igbaselines.tasks import Background, Patches, Task, class_score
from igbaselines.tasks.outputs import read_classes


def outputs(points: Tensor) -> Tensor:
    """Three classes."""
    flat = points.flatten(1)
    return torch.stack([flat.sum(1), flat.square().sum(1), flat.amax(1)], dim=1)


@pytest.fixture
def task(generator: torch.Generator, device: torch.device) -> Task:
    inputs = torch.rand(4, 2, 4, 4, generator=generator).to(device)
    own = torch.arange(4.0, device=device)
    return Task(
        name="pictures",
        f=outputs,
        inputs=inputs,
        targets=torch.tensor([0, 1, 2, 1], device=device),
        units=["a", "b", "c", "d"],
        background=Background(inputs, inputs[0]),
        players=Patches(2, 2),
        imputers={"zero": ZeroBaseline()},
        masks=torch.rand(4, 4, 4, generator=generator).to(device) < 0.5,
        known={"zero": torch.rand(4, 4, generator=generator).to(device)},
        score=lambda points, source: points.flatten(1).sum(1) + own[source],
        max_batch=7,
    )


@pytest.mark.parametrize(
    ("chosen", "places"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None), [0, 1, 2, 3]),
        (slice(0, 4, 2), [0, 2]),
        ([2, 0], [2, 0]),
        ([1, 1, 3], [1, 1, 3]),
    ],
)
def test_some_of_the_inputs(task: Task, chosen: slice | list[int], places: list[int]) -> None:
    taken = task.take(chosen)
    assert taken.units == [task.units[place] for place in places]
    assert torch.equal(taken.inputs, task.inputs[places])
    assert task.targets is not None
    assert taken.targets is not None
    assert torch.equal(taken.targets, task.targets[places])
    assert task.masks is not None
    assert taken.masks is not None
    assert torch.equal(taken.masks, task.masks[places])
    assert list(taken.known) == ["zero"]
    assert torch.equal(taken.known["zero"], task.known["zero"][places])
    source = torch.arange(len(places), device=task.inputs.device)
    expected = task.followed(task.inputs[places], torch.tensor(places, device=task.inputs.device))
    assert torch.equal(taken.followed(taken.inputs, source), expected)
    assert torch.equal(taken.followed(taken.inputs.flip(0), source.flip(0)), expected.flip(0))
    for name in ("name", "f", "players", "imputers", "max_batch"):
        assert getattr(taken, name) is getattr(task, name)
    assert taken.background.examples is task.background.examples
    assert taken.background.network is task.f
    assert taken.background.targets is taken.targets
    again = taken.take([0])
    assert torch.equal(again.followed(again.inputs, source[:1]), expected[:1])


def test_some_are_of_strata_and_have_variants_of_their_own(task: Task) -> None:
    made: list[str] = []
    own = torch.tensor([2, 0, -1, 1], device=task.inputs.device)
    labelled = replace(task, background=replace(task.background, own=own))

    def twin() -> Task:
        made.append("twin")
        return replace(labelled, name="twin")

    taken = replace(labelled, variants={"twin": twin}).take([3, 1, 1])
    assert taken.background.own is not None
    assert taken.background.own.tolist() == [1, 0, 0]
    assert taken.background.examples is task.background.examples
    assert own.tolist() == [2, 0, -1, 1]
    assert made == []  # each is made when it is asked for
    for some, units in ((taken, ["d", "b", "b"]), (taken.take(slice(1, None)).take([0]), ["b"])):
        variant = some.variants["twin"]()
        assert variant.name == "twin"
        assert variant.units == some.units == units
        assert torch.equal(variant.inputs, some.inputs)
        assert variant.background.own is not None
        assert variant.background.own.tolist() == [{"d": 1, "b": 0}[unit] for unit in units]
    assert made == ["twin", "twin"]


def test_what_is_remembered_is_of_the_very_task(task: Task) -> None:
    task.memory["asked"] = 1
    for other in (task.take([0, 1]), task.take(slice(None)), replace(task, max_batch=9)):
        assert other.memory == {}
        other.memory["asked"] = 2
    assert task.memory == {"asked": 1}
    assert "asked" not in repr(task)


def test_some_of_what_knows_little(task: Task) -> None:
    bare = replace(task, targets=None, masks=None, known={}, score=None).take([3, 1])
    assert bare.targets is None
    assert bare.masks is None
    assert bare.score is None
    assert dict(bare.known) == {}


def test_the_explained_output_is_followed_where_no_score_is_given(task: Task) -> None:
    source = torch.tensor([2, 0], device=task.inputs.device)
    plain = replace(task, score=None)
    points = task.inputs[source]
    assert torch.equal(plain.followed(points, source), outputs(points)[[0, 1], [2, 0]])
    single = replace(plain, f=lambda x: x.flatten(1).sum(1), targets=None)
    assert torch.equal(single.followed(points, source), points.flatten(1).sum(1))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8])
def test_targets_of_any_integer_type(task: Task, dtype: torch.dtype) -> None:
    assert task.targets is not None
    source = torch.arange(4, device=task.inputs.device)
    found = class_score(outputs, task.targets.to(dtype))(task.inputs, source)
    assert torch.equal(found, outputs(task.inputs)[source, task.targets])


def test_imputers_by_name_and_as_they_are(task: Task) -> None:
    assert task.imputer("zero") is task.imputers["zero"]
    own = TrainingMean()
    assert task.imputer(own) is own
    with pytest.raises(ValueError, match="task pictures knows no imputer 'mean': it has zero"):
        task.imputer("mean")
    with pytest.raises(ValueError, match="it has none"):
        replace(task, imputers={}).imputer("zero")


def test_pictures_have_rows_columns_and_channels(task: Task) -> None:
    assert task.is_picture
    assert task.player_map.count == 4
    assert task.player_map is task.player_map
    flat = replace(task, inputs=task.inputs.flatten(1), players=Patches(2, 2))
    assert not flat.is_picture


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ["a"]}, "task pictures has 4 inputs and 1 units: one each"),
        ({"targets": torch.zeros(3, dtype=torch.int64)}, "task pictures has 4 inputs and 3 targets: one each"),
        ({"targets": [0, 1]}, r"target \(2,\) does not fit inputs \(4, 2, 4, 4\): one class an input"),
        ({"targets": -1}, "target must hold class indices from 0 on, got torch.int64 with least -1"),
        ({"masks": torch.zeros(1, 4, 4, dtype=torch.bool)}, "task pictures has 4 inputs and 1 masks: one each"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_what_is_not_of_its_inputs(task: Task, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(task, **changes)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("targets", [1, [1, 1, 1, 1], np.ones(4, np.uint8), np.int64(1)], ids=str)
def test_arrays_lists_and_numbers_become_tensors(task: Task, targets: Any) -> None:
    inputs: Any = task.inputs.cpu().numpy()
    given = replace(task, inputs=inputs, targets=targets)
    assert torch.equal(given.inputs, task.inputs.cpu())
    assert given.targets is not None
    assert given.targets.tolist() == [1, 1, 1, 1]
    assert given.take([0, 2]).inputs.shape == (2, 2, 4, 4)


def test_a_target_that_was_written_into_is_read_again(device: torch.device) -> None:
    inputs, target = torch.zeros(2, 3, device=device), torch.tensor([0, 4], device=device)
    assert read_classes(inputs, target)[1] == read_classes(inputs, target)[1] == 4
    target[1] = 2
    assert read_classes(inputs, target)[1] == 2
    target[0] = -1
    with pytest.raises(ValueError, match="with least -1"):
        read_classes(inputs, target)
