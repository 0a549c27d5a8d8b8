"""What collisions give to comparisons across studies: why networks take signal events for signal."""

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
from igbaselines.studies.hep.experiments.explained import ExplainedNetwork, RankingNetwork, UsersNetwork
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.experiments.study import HepStudy
from igbaselines.studies.hep.experiments.tasks import ranking_task
from igbaselines.studies.hep.networks.dnn import Classifier
from igbaselines.studies.hep.networks.own import OwnNetwork
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.tasks import Task

LEAST = 10  # events of a process, which are split three ways


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each of some networks, each with its own split of the events: 50 / 20 / 30, as 2412.13864 has it.

    A network of the user's is one, and explained on the test part of one split.

    Raises:
        UserError: for a dataset or model of another domain, and too few events.
    """
    dataset, model = domain.dataset, domain.model
    if not (isinstance(dataset, EventDataset) and isinstance(model, ClassifierRecipe | OwnNetwork)):
        raise UserError("tasks=hep needs a dataset of events and a model that tells signal from background")
    recipe, own = (model, None) if isinstance(model, ClassifierRecipe) else (None, model)
    networks = domain.networks if recipe else 1
    splits = HepSplits(networks=networks, train_fraction=0.5, validation_fraction=0.2)
    settings = AttributionSettings(output="logit", signal_events=domain.inputs)
    events = dataset.load(run.cache, run.workers)
    events = events.of_features(own.inputs) if own and own.inputs else events
    events.require(process_events=LEAST)
    run.checksums["events"] = events.checksum
    for name, source in (("hep dataset", dataset.checksum()), ("own network", own.checksum() if own else None)):
        if source is not None:
            run.checksums[name] = source
    run = replace(run, checkpoints=run.checkpoints / run.fingerprint())
    study = HepStudy(run, events, settings, {}, {}, splits)
    if recipe:
        return {f"hep network_{number}": partial(_ranking, study, recipe, number) for number in range(networks)}
    assert own is not None
    return {"hep own network": partial(_own, study, own.classifier(events.feature_names, run.device))}


def _ranking(study: HepStudy, recipe: ClassifierRecipe, number: int) -> Task:
    """Train a network on its split, and others like it when they are asked for."""
    seed, unit, split = (study.run.seed, number), f"network_{number}", study.split(number)
    network = RankingNetwork.train(study, recipe, unit, split, seed)

    def twin() -> Task:
        seed_of_twin = (*seed, stream("hep: twins"))
        other = RankingNetwork.train(study, recipe, f"{unit}_twin", split, seed_of_twin, key=seed)
        return _task(network, f"hep {unit} twin", other.model)

    variants: dict[str, Callable[[], Task]] = {"twin": twin, "randomised": partial(_shuffled, network, f"hep {unit}")}
    return replace(_task(network, f"hep {unit}"), variants=variants, retrained=network.retrained)


def _own(study: HepStudy, classifier: Classifier) -> Task:
    """The user's network as it is: it has no twin, and none is trained on some of its inputs."""
    name, key = "hep own network", (study.run.seed, 0)
    network = UsersNetwork(study, name, study.split(0), key, classifier)
    shuffled: dict[str, Callable[[], Task]] = {"randomised": partial(_shuffled, network, name)}
    has_weights = next(classifier.parameters(), None) is not None
    return replace(_task(network, name), variants=shuffled if has_weights else {})


def _task(of: ExplainedNetwork, name: str, instead: Classifier | None = None) -> Task:
    """The events that a network is explained on, for it or another one instead."""
    study, run = of.study, of.study.run
    found = ranking_task(
        name,
        instead or of.model,
        study.events,
        of.explained,
        of.background,
        study.attribution.output,
        run.max_batch,
        run.fast_paths,
    )
    return replace(found, data="hep", network=name)


def _shuffled(of: ExplainedNetwork, name: str) -> Task:
    """The same events for the same network with shuffled weights."""
    return _task(of, f"{name} randomised", randomised(of.model, generator_for(*of.key, RANDOMISED)))
