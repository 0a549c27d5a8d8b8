"""What photographs give to comparisons across studies: the class of each, whose object is outlined."""

from collections.abc import Callable
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
from igbaselines.studies.images.experiments.tasks import seen_by, task_of_chosen
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Patches, Task

PLAYERS = Patches(32, 32)  # [px]


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each photograph; square patches are the players of all methods and metrics."""
    dataset, model = domain.dataset, domain.model
    if not (isinstance(dataset, PhotographDataset) and isinstance(model, ImageModel)):
        raise UserError("tasks=photographs needs a dataset of photographs and a model of their classes")
    if (checksum := dataset.checksum()) is not None:
        run.checksums["photographs dataset"] = checksum
    found, settings = replace(dataset.photographs(), wanted=domain.inputs), AttributionSettings()
    classifier = load_classifier(model, settings, run)
    count = settings.reference_images
    background = photograph_background(found.candidates, classifier, count, run.seed, "images: background")

    @cache
    def shuffled() -> PhotographClassifier:
        network = randomised(model.load(run.device), generator_for(run.seed, RANDOMISED))
        return classifier_of(network, model, settings, run)

    def make(chosen: Chosen) -> Task:
        label, known = chosen.photograph.label, background
        if background.stratum is not None and label is not None:  # the others are what is compared with
            known = replace(background, own=torch.tensor([label], device=background.stratum.device))
        task = replace(task_of_chosen(chosen, classifier, known), players=PLAYERS)

        def by_shuffled() -> Task:
            return replace(seen_by(task, shuffled()), players=PLAYERS)

        variants = {"randomised": by_shuffled}
        return replace(task, data="photographs", network=model.architecture, variants=variants)

    return {f"photograph {one.photograph.name}": partial(make, one) for one in select(found, classifier).chosen}
