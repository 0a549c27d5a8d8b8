"""Planted tasks that are small enough for all coalitions."""

import torch
from torch import Tensor

from igbaselines.studies.planted.comparison import planted_task
from igbaselines.studies.planted.function import PlantedFunction
from igbaselines.studies.planted.settings import PlantedInputs
from igbaselines.tasks import Task


def task_of(kind: str, inputs: int = 5, number: int = 0, features: int = 8, examples: int = 40) -> Task:
    settings = PlantedInputs(features=features, irrelevant=4, correlation=0.8, examples=examples, seed=0)
    return planted_task(f"{kind} {number}", kind, number, settings, inputs, seed=1, device=torch.device("cpu"))


def function_of(task: Task) -> PlantedFunction:
    assert isinstance(task.f, PlantedFunction)
    return task.f


def alone(task: Task, points: Tensor) -> Tensor:
    """What each feature gives by itself, g(x) = a u(x), of an additive function."""
    f = function_of(task)
    assert len(f.coefficient) == 0
    return f.amplitude * f.responses(points)
