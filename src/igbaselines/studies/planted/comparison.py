"""What planted functions give to comparisons across studies: tasks whose right attributions are known."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import Given, TrainingMean, ZeroBaseline
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.models.randomised import randomised
from igbaselines.running.context import Run
from igbaselines.running.study import Domain
from igbaselines.studies.planted.function import PlantedFunction, draw_function
from igbaselines.studies.planted.inputs import Distribution
from igbaselines.studies.planted.known import shapley_values
from igbaselines.studies.planted.settings import KINDS, TRAINING, PlantedFunctions, PlantedInputs
from igbaselines.tasks import Background, Imputer, Lazy, Score, Task, draw, for_each


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each function and each draw of its coefficients."""
    settings, choice = domain.dataset, domain.model
    if not (isinstance(settings, PlantedInputs) and isinstance(choice, PlantedFunctions)):
        raise UserError("tasks=planted needs a dataset of planted inputs and a model that names planted functions")

    def make(kind: str, number: int, name: str) -> Task:
        return planted_task(name, kind, number, settings, domain.inputs, run.seed, run.device, run.max_batch)

    draws = itertools.product(choice.functions, range(domain.networks))
    names = {f"planted {kind} draw_{number}": (kind, number) for kind, number in draws}
    return {name: partial(make, *chosen, name) for name, chosen in names.items()}


def planted_task(
    name: str,
    kind: str,
    number: int,
    settings: PlantedInputs,
    inputs: int,
    seed: int,
    device: torch.device,
    max_batch: int | None = None,
) -> Task:
    """Make the task of a function; inputs are float64, so that what is measured is no rounding.

    Explained are inputs where f is positive, those of the rarer class that f is the logit of; deletion and fitness
    follow the class's probability, since a logit has no share to fall to. The background is of both classes, its
    strata, in proportion. Known are the Shapley values by imputer: `zero`, `mean`, and `background`, all examples.

    Args:
        name: of the task.
        kind: of function, one of `KINDS`.
        number: of the draw of its coefficients.
        settings: of the inputs, which all draws share.
        inputs: to explain.
        seed: of the coefficients.
        device: of f and of all inputs.
        max_batch: points in one pass, or None.
    """
    distribution = Distribution.of(KINDS[kind], settings)
    training = distribution.draw(TRAINING, generator_for(settings.seed, "planted: training", kind))
    function = draw_function(KINDS[kind], distribution, training, generator_for(seed, number, "planted: coefficients"))
    candidates = distribution.draw(100 + 8 * inputs, generator_for(settings.seed, "planted: inputs", kind))
    chosen = (function(candidates) > 0).nonzero().squeeze(1)[:inputs]  # one in four is, more than enough
    x, f = candidates[chosen].to(device), function.to(device)
    background = _background(f, training.to(device), settings.examples)
    imputers: dict[str, Imputer] = {
        "zero": ZeroBaseline(),
        "mean": TrainingMean(),
        "background": Given(background.examples),
    }
    task = Task(
        name,
        f,
        x,
        None,
        [f"{kind}_{index}" for index in chosen.tolist()],
        background,
        imputers=imputers,
        max_batch=max_batch,
        data=kind,
        network=f"draw_{number}",
    )

    def shuffled() -> Task:
        network = randomised(f, generator_for(seed, number, "planted: randomised"))
        return _of_function(task, network)

    return replace(_of_function(task, f), variants={"randomised": shuffled})


def _of_function(task: Task, f: PlantedFunction) -> Task:
    """The task of a function for the same inputs, with its score and its known values."""

    def known(imputer: str) -> Float[Tensor, "n p"]:
        # None of the imputers draws anything.
        references, weights = draw(task.imputer(imputer), task.inputs, task.background, torch.Generator())
        return shapley_values(f, task.inputs, for_each(references, task.inputs), weights)

    def probability(points: Float[Tensor, "m p"], source: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        return torch.sigmoid(f(points))

    score: Score = probability
    return replace(task, f=f, known=Lazy(task.imputers, known), score=score)


def _background(f: PlantedFunction, training: Float[Tensor, "t p"], count: int) -> Background:
    """The first examples, in two strata, f negative and f positive, each weighing as many as it has."""
    examples = training[:count]
    stratum = (f(examples) > 0).long()
    return Background(
        examples=examples,
        centre=training.mean(dim=0),
        stratum=stratum,
        stratum_weight=torch.bincount(stratum, minlength=2).double() / count,
        low=training.amin(dim=0),
        high=training.amax(dim=0),
    )
