"""What the experiments of 2412.13864 share: the events, and the methods that fit them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeVar

import numpy as np

from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.common.errors import UserError
from igbaselines.metrics import Metric
from igbaselines.running.choice import fitting_methods, fitting_metrics
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.hep.data.events import EventDataset, EventTable
from igbaselines.studies.hep.experiments.networks import SplitEvents, split_events
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.experiments.tasks import untrained_task
from igbaselines.studies.hep.networks.own import OwnNetwork
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HepStudy:
    """What every step of an experiment shares."""

    run: Run  # whose checkpoints belong to these events and to no others
    events: EventTable
    attribution: AttributionSettings  # which output is explained, of how many events, and how features are ranked
    methods: Mapping[str, Method]  # that features are ranked by
    metrics: Mapping[str, Metric]  # beside those of the experiment
    evaluation: HepSplits  # fractions of the splits, and number of networks

    @classmethod
    def begin(
        cls,
        run: Run,
        dataset: EventDataset,
        attribution: AttributionSettings,
        evaluation: HepSplits,
        inputs: Sequence[str] = (),
    ) -> "HepStudy":
        """Load the events, choose the methods that fit them, and say before any work what they lack.

        `inputs` are the features that a network of the user's takes; none: all.

        Raises:
            UserError: naming what the events lack, or where no method is left.
        """
        events = dataset.load(run.cache, run.workers)
        events = events.of_features(inputs) if inputs else events
        run.checksums["events"] = events.checksum
        if (source := dataset.checksum()) is not None:
            run.checksums["dataset"] = source
        run = replace(run, checkpoints=run.checkpoints / run.fingerprint())
        if events.weight is None:
            log.info("the events have no weights: no significance, and no baselines weighted by cross-section")
        task = untrained_task(events)
        methods, metrics = fitting_methods(run, attribution.methods(), task), fitting_metrics(run, task)
        counts = [source.count for source in sampled(methods).values() if not source.at_most]
        drawn = evaluation.events_a_process or max(counts, default=1)
        events.require(process_events=max(10, int(np.ceil(drawn / evaluation.train_fraction)) + 1))
        available = int(events.is_signal.sum() * evaluation.test_fraction)
        if available < attribution.signal_events:
            raise UserError(
                f"attribution.signal_events={attribution.signal_events} but a test part holds {available} signal "
                "events: take fewer, or more dataset.n_events"
            )
        return cls(run, events, attribution, methods, metrics, evaluation)

    def split(self, network: int) -> SplitEvents:
        """Split the events for one of the networks."""
        return split_events(self.events, self.evaluation, network, self.run.seed, self.run.device)


def sampled(methods: Mapping[str, Method]) -> dict[str, PerStratum]:
    """Where those of the methods that average over events drawn of each background have their baselines from."""
    sources = {name: method.baselines for name, method in methods.items() if isinstance(method, AveragedGradients)}
    return {name: source for name, source in sources.items() if isinstance(source, PerStratum)}


Model = TypeVar("Model", ClassifierRecipe, ClassifierRecipe | OwnNetwork, None)
Evaluation = TypeVar("Evaluation", bound=HepSplits)


def experiment(
    carry_out: Callable[[HepStudy, Model, Evaluation], None],
) -> Callable[[Run, EventDataset, Model, AttributionSettings, Evaluation], None]:
    """Make an experiment of what is done with events that suffice for it; the measured values go into `run.rows`."""

    @wraps(carry_out)
    def run(
        run: Run, dataset: EventDataset, model: Model, attribution: AttributionSettings, evaluation: Evaluation
    ) -> None:
        inputs = model.inputs if isinstance(model, OwnNetwork) else ()
        carry_out(HepStudy.begin(run, dataset, attribution, evaluation, inputs), model, evaluation)

    # Which kinds a run takes is read from these: `wraps` has put those of `carry_out` in their place.
    run.__annotations__ = carry_out.__annotations__ | {"dataset": EventDataset, "attribution": AttributionSettings}
    return run
