"""What the experiments on photographs share: a network, the photographs chosen, and the methods that explain them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from igbaselines.attribution.baselines import BaselineSet, Given, TooFewExamplesError
from igbaselines.attribution.methods import Method
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Metric
from igbaselines.running.choice import fitting_methods, fitting_metrics
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, load_classifier
from igbaselines.studies.images.experiments.records import Record, Work, for_each, one_by_one
from igbaselines.studies.images.experiments.selection import (
    Chosen,
    add_selection,
    names_of_classes,
    photograph_background,
    select,
)
from igbaselines.studies.images.experiments.settings import ImageAttribution, ShapleyImagesAttribution
from igbaselines.studies.images.experiments.targets import minus
from igbaselines.studies.images.experiments.tasks import image_key, photograph_task, task_of_chosen
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Background, Task, impute

ON_A_GPU = 16  # photographs worked on side by side
PATCH = 32  # side of the players of coalitions, where an attribution does not say it [px]
FEWER = {  # what to choose where the photographs are too few
    ImageAttribution: "other baselines, such as attribution/baselines=constants",
    ShapleyImagesAttribution: "a smaller attribution.example_baselines",
}


@dataclass(frozen=True)
class PhotographStudy:
    """What every photograph of a run shares."""

    run: Run  # with the seed of everything random
    attribution: AttributionSettings  # what is explained, by which methods
    classifiers: Sequence[PhotographClassifier]  # the networks; the first is explained
    background: Background  # photographs that baselines are made of
    chosen: list[Chosen]  # the photographs to explain
    methods: Mapping[str, Method]  # of the experiment and of the command line, those that fit photographs
    metrics: Mapping[str, Metric]  # of the command line, those that fit photographs
    names: Sequence[str] = ()  # of the explained network's classes

    @classmethod
    def begin(
        cls,
        run: Run,
        dataset: PhotographDataset,
        models: Mapping[str, ImageModel],
        attribution: AttributionSettings,
        own: Mapping[str, Method],
    ) -> "PhotographStudy":
        """Load the networks, find what fits photographs, and choose those to explain; rows say what was left out.

        Networks come by the prefix of their checksums' names, and the first is explained; `own` are the experiment's
        methods.

        Raises:
            UserError: for photographs, networks or settings that cannot work, before any attribution.
        """
        if (checksum := dataset.checksum()) is not None:
            run.checksums["dataset"] = checksum
        found = dataset.photographs()
        classifiers = [load_classifier(model, attribution, run, prefix) for prefix, model in models.items()]
        count, one = attribution.reference_images, classifiers[0]
        background = photograph_background(found.candidates, one, count, run.seed, "images: background")
        pixels = background.examples[:1]
        outlined = any(photograph.masks is not None for photograph in found.candidates)
        mask = torch.ones_like(pixels[0, 0], dtype=torch.bool) if outlined else None
        target = torch.zeros(1, dtype=torch.int64, device=pixels.device)
        task = replace(photograph_task("", pixels, target, mask, one, background), name="the photographs")
        methods = fitting_methods(run, own, task)
        metrics = fitting_metrics(run, task)
        selection, names = select(found, one), names_of_classes(found, one)
        add_selection(run, selection)
        return cls(run, attribution, classifiers, background, selection.chosen, methods, metrics, names)

    @property
    def others(self) -> dict[str, Method]:
        """The methods of the command line."""
        return {name: method for name, method in self.methods.items() if name in self.run.methods}

    @property
    def patch(self) -> int:
        """Side of the players of coalitions [px]."""
        half = self.classifiers[0].preprocessing.size // 2
        return int(getattr(self.attribution, "patch", min(PATCH, half)))

    @property
    def at_once(self) -> int:
        """Photographs worked on side by side: on a GPU so many that rounds of few pictures fill it, else one."""
        return self.run.units_at_once or (ON_A_GPU if self.run.device.type == "cuda" else 1)

    def for_each(self, kept_in: str, work: Callable[[int, Chosen, Path], Record]) -> list[Record]:
        """Work on every photograph (`records.for_each`)."""
        return self.for_batches(kept_in, one_by_one(work), 1)

    def for_batches(self, kept_in: str, work: Work, at_once: int) -> list[Record]:
        """Work on photographs side by side; where they are too few, say which key asks for so many."""
        try:
            return for_each(self.run, self.chosen, kept_in, work, at_once)
        except TooFewExamplesError as error:
            others = "a smaller count in attribution.baselines or methods, or a larger attribution.reference_images"
            choice = FEWER.get(type(self.attribution), others)
            raise UserError(f"too few photographs: {error}; choose {choice}") from error

    def task(self, chosen: Chosen) -> Task:
        """The task of a photograph: of its class, or of that minus another."""
        task = task_of_chosen(chosen, self.classifiers[0], self.background)
        return task if chosen.against is None else replace(task, f=minus(self.classifiers[0].explained, chosen.against))

    def generator(self, stream: str, task: Task) -> torch.Generator:
        """Of a photograph's random baselines and nodes: its own, or the same for all where the settings say so."""
        same = isinstance(self.attribution, ImageAttribution) and self.attribution.same_draws
        return generator_for(self.run.seed, stream, *(() if same else (image_key(task.units[0]),)))

    def drawn(self, task: Task) -> AttributionSettings:
        """The attribution with those baselines drawn that several of its methods share, or that are shown."""
        settings = self.attribution
        if isinstance(settings, ImageAttribution):
            generator = self.generator("images: baselines", task)
            named = BaselineSet(settings.baselines).named(task.inputs, task.background, generator)
            return replace(settings, baselines={name: Given(drawn) for name, drawn in named.items()})
        if isinstance(settings, ShapleyImagesAttribution):
            generator = self.generator("images: absent players", task)
            return replace(settings, absent=Given(impute(settings.absent, task.inputs, task.background, generator)))
        return settings

    def methods_of(self, drawn: AttributionSettings) -> dict[str, Method]:
        """All methods, those of the attribution with what is drawn for a photograph."""
        own = drawn.methods()
        return {name: method if name in self.run.methods else own[name] for name, method in self.methods.items()}
