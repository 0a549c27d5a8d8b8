"""What collisions give to comparisons across studies: why ranking networks take signal events for signal."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for, stream
from igbaselines.models.randomised import RANDOMISED, randomised
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.running.study import Domain
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.experiments.study import HepStudy, RankingNetwork
from igbaselines.studies.hep.experiments.tasks import ranking_task
from igbaselines.studies.hep.networks.dnn import Classifier
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

    def task_of(name: str, network: Classifier, of: RankingNetwork) -> Task:
        explained, output = of.explained, settings.output
        return ranking_task(name, network, events, explained, of.background, output, run.max_batch, run.fast_paths)

    def make(number: int) -> Task:
        seed, unit, split = (run.seed, number), f"network_{number}", study.split(number)
        name, network = f"hep {unit}", RankingNetwork.train(study, recipe, unit, split, seed)

        def twin() -> Task:
            seed_of_twin = (*seed, stream("hep: twins"))
            other = RankingNetwork.train(study, recipe, f"{unit}_twin", split, seed_of_twin, key=seed)
            return task_of(f"{name} twin", other.model, network)

        def shuffled() -> Task:
            other = randomised(network.model, generator_for(*seed, RANDOMISED))
            return task_of(f"{name} randomised", other, network)

        task = task_of(name, network.model, network)
        variants = {"twin": twin, "randomised": shuffled}
        return replace(task, data="hep", network=name, variants=variants, retrained=network.retrained)

    return {f"hep network_{number}": partial(make, number) for number in range(domain.networks)}
