"""What the experiments on photographs share: a network, the photographs chosen, and the methods that explain them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

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
from igbaselines.studies.images.experiments.records import Record, Work, for_each
from igbaselines.studies.images.experiments.selection import Chosen, add_selection, photograph_background, select
from igbaselines.studies.images.experiments.settings import ImageAttribution, ShapleyImagesAttribution
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.studies.images.tasks import PATCH, any_photograph, image_key, photograph_task
from igbaselines.tasks import Background, Task, impute


@dataclass(frozen=True)
class PhotographStudy:
    """What every photograph of a run shares.

    Args:
        run: with the seed of everything random.
        attribution: what is explained, by which methods.
        classifiers: the networks; the first is explained.
        background: photographs that baselines are made of.
        chosen: the photographs to explain.
        methods: of the attribution and of the command line, those that fit photographs.
        metrics: of the command line, those that fit photographs.
    """

    run: Run
    attribution: AttributionSettings
    classifiers: Sequence[PhotographClassifier]
    background: Background
    chosen: list[Chosen]
    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]

    @classmethod
    def begin(
        cls,
        run: Run,
        dataset: PhotographDataset,
        models: Mapping[str, ImageModel],
        attribution: AttributionSettings,
        own: Mapping[str, Method],
        measured: Collection[str],
    ) -> "PhotographStudy":
        """Load the networks, find what fits photographs, and choose those to explain; both go into the run.

        Args:
            run: of the experiment.
            dataset: of the experiment.
            models: the networks, by the prefix of their checksums' names; the first is explained.
            attribution: of the experiment.
            own: the experiment's methods.
            measured: names of the metrics that the experiment has of its own.

        Raises:
            UserError: for photographs, networks or settings that cannot work, before any attribution.
        """
        if (checksum := dataset.checksum()) is not None:
            run.checksums["dataset"] = checksum
        found = dataset.photographs()
        classifiers = [load_classifier(model, attribution, run, prefix) for prefix, model in models.items()]
        count = attribution.reference_images
        background = photograph_background(found.candidates, classifiers[0], count, run.seed, "images: background")
        outlined = any(photograph.masks is not None for photograph in found.candidates)
        task = any_photograph(classifiers[0], background, outlined)
        methods, metrics = fitting_methods(run, own, task), fitting_metrics(run, task, measured)
        selection = select(found, classifiers[0])
        add_selection(run, selection)
        return cls(run, attribution, classifiers, background, selection.chosen, methods, metrics)

    @property
    def patch(self) -> int:
        """Side of the players of coalitions [px]."""
        return int(getattr(self.attribution, "patch", PATCH))

    @property
    def others(self) -> dict[str, Method]:
        """The methods of the command line."""
        return {name: method for name, method in self.methods.items() if name in self.run.methods}

    def for_each(self, kept_in: str, work: Work) -> list[Record]:
        """Work on every photograph that no earlier attempt has finished, and put all rows into the run.

        Args:
            kept_in: as in `records.for_each`.
            work: as there.

        Raises:
            UserError: where the photographs are too few for the baselines; it says which key asks for so many.
        """
        try:
            return for_each(self.run, self.chosen, kept_in, work)
        except TooFewExamplesError as error:
            fewer = "a smaller count of attribution.baselines, or a larger attribution.reference_images"
            if isinstance(self.attribution, ImageAttribution):
                fewer = "other baselines, such as attribution/baselines=constants"
            elif isinstance(self.attribution, ShapleyImagesAttribution):
                fewer = "a smaller attribution.example_baselines"
            fewer += f", or go without methods=[{','.join(self.run.methods)}]" if self.run.methods else ""
            raise UserError(f"too few photographs: {error}; choose {fewer}") from error

    def task(self, chosen: Chosen) -> Task:
        """The task of a photograph."""
        return photograph_task(chosen, self.classifiers[0], self.background)

    def generator(self, stream: str, task: Task) -> torch.Generator:
        """Of a photograph's random baselines and nodes: its own, or the same for all where the settings say so."""
        same = isinstance(self.attribution, ImageAttribution) and self.attribution.same_draws
        return generator_for(self.run.seed, stream, *(() if same else (image_key(task.units[0]),)))

    def drawn(self, task: Task) -> AttributionSettings:
        """The attribution with the baselines drawn that several of its methods share, or that are shown."""
        if isinstance(self.attribution, ImageAttribution):
            named = BaselineSet(self.attribution.baselines).named(
                task.inputs, task.background, self.generator("images: baselines", task)
            )
            return replace(self.attribution, baselines={name: Given(drawn) for name, drawn in named.items()})
        if isinstance(self.attribution, ShapleyImagesAttribution):
            generator = self.generator("images: absent players", task)
            return replace(
                self.attribution,
                absent=Given(impute(self.attribution.absent, task.inputs, task.background, generator)),
            )
        return self.attribution

    def methods_of(self, drawn: AttributionSettings) -> dict[str, Method]:
        """All methods, those of the attribution with what is drawn for a photograph."""
        own = drawn.methods()
        return {name: own.get(name, method) for name, method in self.methods.items()}
