"""Separable events and a small recipe, for networks that are trained in a second."""

from dataclasses import replace

import pytest
import torch

from igbaselines.studies.hep.networks.recipe import DNNRecipe, ObjectAttentionRecipe
from igbaselines.studies.hep.networks.training_data import TrainingData


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The networks here are small."""


@pytest.fixture
def recipe() -> DNNRecipe:
    return DNNRecipe(
        hidden=[12, 9],
        dropout=0.2,
        learning_rate=1e-2,
        weight_decay=1e-2,
        batch_size=64,
        max_epochs=6,
        patience=2,
        epoch_events=100_000,
        networks_at_once=8,
    )


@pytest.fixture
def attention() -> ObjectAttentionRecipe:
    return ObjectAttentionRecipe(
        width=8,
        heads=2,
        blocks=2,
        dropout=0.2,
        learning_rate=1e-2,
        weight_decay=1e-2,
        batch_size=64,
        max_epochs=6,
        patience=2,
        epoch_events=100_000,
        networks_at_once=2,
    )


@pytest.fixture
def data(generator: torch.Generator) -> TrainingData:
    """A quarter of the events are signal; the first two of six features separate it."""
    x = torch.randn(900, 6, generator=generator, dtype=torch.float64)
    target = (x[:, 0] + x[:, 1] > 0.95).double()
    order = torch.randperm(900, generator=generator)
    return TrainingData(x, target, train=order[:600], validation=order[600:])


@pytest.fixture
def single(data: TrainingData) -> TrainingData:
    return replace(data, x=data.x.float(), target=data.target.float())


@pytest.fixture
def masks() -> torch.Tensor:
    """All features; those that separate; those that do not; one."""
    return torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]]).bool()
