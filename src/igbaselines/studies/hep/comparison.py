"""What collisions give to comparisons across studies: why ranking networks take signal events for signal."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.running.study import Domain
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.experiments.study import HepStudy, RankingNetwork
from igbaselines.studies.hep.experiments.tasks import ranking_task
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.tasks import Task

LEAST = 10  # events of a process, which are split three ways


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each of some networks, each with its own split of the events: 50 / 20 / 30, as 2412.13864 has it.

    Raises:
        UserError: for a dataset or model of another domain, and too few events.
    """
    dataset, recipe = domain.dataset, domain.model
    if not (isinstance(dataset, EventDataset) and isinstance(recipe, ClassifierRecipe)):
        raise UserError("tasks=hep needs a dataset of events and a model that tells signal from background")
    splits = HepSplits(networks=domain.networks, train_fraction=0.5, validation_fraction=0.2)
    settings = AttributionSettings(output="logit", signal_events=domain.inputs)
    events = dataset.load(run.cache, run.workers)
    events.require(process_events=LEAST)
    run.checksums["events"] = events.checksum
    if (source := dataset.checksum()) is not None:
        run.checksums["hep dataset"] = source
    run = replace(run, checkpoints=run.checkpoints / run.fingerprint())
    study = HepStudy(run, events, settings, {}, {}, splits)

    def make(number: int) -> Task:
        seed, unit = (run.seed, number), f"network_{number}"
        network = RankingNetwork.train(study, recipe, unit, study.split(number), seed)
        return ranking_task(
            f"hep {unit}",
            network.model,
            events,
            network.explained,
            network.background,
            settings.output,
            run.max_batch,
            run.fast_paths,
        )

    return {f"hep network_{number}": partial(make, number) for number in range(domain.networks)}
