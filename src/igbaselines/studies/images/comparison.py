"""What photographs give to comparisons across studies: the class of each, and the outline of its object."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import torch

from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.models.randomised import RANDOMISED, randomised
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.running.study import Domain
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, classifier_of, load_classifier
from igbaselines.studies.images.experiments.selection import Chosen, photograph_background, select
from igbaselines.studies.images.experiments.settings import PhotographDomain
from igbaselines.studies.images.experiments.tasks import seen_by, task_of_chosen, together
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Patches, Task

MOST_TOGETHER = 4  # photographs of a task: passes are full, and a killed run loses minutes


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for every few photographs, so that each has others beside it; squares are the players."""
    dataset, model = domain.dataset, domain.model
    if not (isinstance(dataset, PhotographDataset) and isinstance(model, ImageModel)):
        raise UserError("tasks=photographs needs a dataset of photographs and a model of their classes")
    if not isinstance(domain, PhotographDomain):
        raise UserError(f"tasks=photographs needs a PhotographDomain, got a {type(domain).__name__}")
    if domain.patch >= model.size:
        raise UserError(f"a patch of {domain.patch} px leaves one player of {model.size} px: give a smaller patch")
    if (checksum := dataset.checksum()) is not None:
        run.checksums["photographs dataset"] = checksum
    found, settings = replace(dataset.photographs(), wanted=domain.inputs), AttributionSettings()
    classifier = load_classifier(model, settings, run)
    count = settings.reference_images
    background = photograph_background(found.candidates, classifier, count, run.seed, "images: background")
    players = Patches(domain.patch, domain.patch)

    @cache
    def shuffled() -> PhotographClassifier:
        network = randomised(model.load(run.device), generator_for(run.seed, RANDOMISED))
        return classifier_of(network, model, settings, run)

    def make(some: Sequence[Chosen]) -> Task:
        known, labels = background, [one.photograph.label for one in some]
        if background.stratum is not None:  # the others are what is compared with; -1 is of no stratum
            own = [-1 if label is None else label for label in labels]
            known = replace(background, own=torch.tensor(own, device=background.stratum.device))
        task = together([task_of_chosen(one, classifier, known) for one in some], classifier)
        task = replace(task, players=players, data="photographs", network=model.architecture)
        return replace(task, variants={"randomised": lambda: seen_by(task, shuffled())})

    chosen = select(found, classifier).chosen
    size = max(1, min(MOST_TOGETHER, len(chosen) // 2))  # so that two processes have a task each
    groups = [chosen[at : at + size] for at in range(0, len(chosen), size)]
    return {f"photographs from {some[0].photograph.name}": partial(make, some) for some in groups}
