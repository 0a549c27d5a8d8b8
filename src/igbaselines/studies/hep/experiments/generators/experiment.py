"""How good is an event generator? A sample of events beside a reference of the same processes and features.

Each process is compared by itself: how much there is of each is a choice, not physics. Whatever is measured between the
sample and the reference is measured between two random halves of the reference too, which says what two samples of
one distribution give.
"""

import logging
from typing import TypeAlias

import numpy as np

from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import stream
from igbaselines.metrics import undirected
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.generators.drawn import save_drawn
from igbaselines.studies.hep.experiments.generators.samples import one_process, with_the_features_of
from igbaselines.studies.hep.experiments.generators.settings import HepGeneratorsEvaluation
from igbaselines.studies.hep.measures.discovery import effective_events
from igbaselines.studies.hep.measures.two_samples import (
    LARGEST_SEED,
    WeightedSample,
    correlation_agreement,
    correlation_matrix,
    kolmogorov_smirnov,
    mean_shift,
    two_sample_auc,
)

log = logging.getLogger(__name__)

SAMPLE, REFERENCE, REFERENCE_HALVES = "sample", "reference", "reference_halves"
HALVES, CLASSIFIERS = (stream(f"hep generators: {name}") for name in ("halves", "classifiers"))
MEASURED = undirected("events", "effective_events", "distance", "mean_shift", "correlation_agreement", "two_sample_auc")
Pair: TypeAlias = tuple[WeightedSample, WeightedSample]  # events that are judged, and those they are held against


def run(run: Run, dataset: EventDataset, model: None, attribution: None, evaluation: HepGeneratorsEvaluation) -> None:
    """Compare a sample with its reference; what is drawn goes into `comparison.npz`.

    Raises:
        UserError: where the two have not the features, processes and events that are to be compared, or methods or
            metrics of attributions are asked for.
    """
    if asked := [*run.methods, *run.metrics]:
        raise UserError(f"experiment=hep_generators explains no network: leave {', '.join(asked)} out")
    sample = dataset.load(run.cache, run.workers)
    reference = evaluation.reference.load(run.cache, run.workers)
    run.checksums |= {"events": sample.checksum, "reference_events": reference.checksum}
    sources = {"dataset": dataset.checksum(), "reference": evaluation.reference.checksum()}
    run.checksums |= {name: checksum for name, checksum in sources.items() if checksum is not None}
    reference = with_the_features_of(sample, reference)
    for name in evaluation.figure_features:
        if name not in sample.feature_names:
            raise UserError(f"evaluation.figure_features names {name!r}, which is no feature of the samples")
    families = {name: np.array(places) for name, places in evaluation.members(sample.feature_names).items()}
    samples, references = (
        [one_process(events, whose, process, evaluation.least_events) for process in evaluation.processes]
        for events, whose in ((sample, "the dataset"), (reference, "evaluation.reference"))
    )
    with bar("comparisons", 2 * len(evaluation.processes)) as progress:
        for number, process in enumerate(evaluation.processes):
            _add_counts(run, process, samples[number], references[number])
            halves = references[number].halves(np.random.default_rng((run.seed, number, HALVES)))
            pairs = {SAMPLE: (samples[number], references[number]), REFERENCE_HALVES: halves}
            for place, (method, pair) in enumerate(pairs.items()):
                generator = np.random.default_rng((run.seed, number, place, CLASSIFIERS))
                _add_distances(run, method, process, pair, sample.feature_names)
                _add_classifiers(run, method, process, pair, families, evaluation, generator)
                progress(2 * number + place + 1)
    save_drawn(run.artifacts / "comparison.npz", sample.feature_names, evaluation, (samples, references))


def _add_counts(run: Run, process: str, sample: WeightedSample, reference: WeightedSample) -> None:
    for method, events in ((SAMPLE, sample), (REFERENCE, reference)):
        run.rows.add(method, "events", "all", len(events), process=process)
        run.rows.add(method, "effective_events", "all", effective_events(events.weight), process=process)


def _add_distances(run: Run, method: str, process: str, pair: Pair, feature_names: tuple[str, ...]) -> None:
    """Distances feature by feature, and how far the correlations agree."""
    for metric, values in (("distance", kolmogorov_smirnov(*pair)), ("mean_shift", mean_shift(*pair))):
        for feature, value in zip(feature_names, values.tolist(), strict=True):
            run.rows.add(method, metric, "all", value, process=process, feature=feature)
    agreement = correlation_agreement(*map(correlation_matrix, pair))
    run.rows.add(method, "correlation_agreement", "all", agreement, process=process)


def _add_classifiers(
    run: Run,
    method: str,
    process: str,
    pair: Pair,
    families: dict[str, np.ndarray],
    evaluation: HepGeneratorsEvaluation,
    generator: np.random.Generator,
) -> None:
    """How well each family of features tells the two apart; all families have the same events and folds."""
    first, second = (of.at_most(evaluation.classifier_events, generator) for of in pair)
    seed, said = int(generator.integers(LARGEST_SEED)), []
    for family, chosen in families.items():
        own = first.of_features(chosen), second.of_features(chosen)
        found = two_sample_auc(*own, evaluation.folds, evaluation.trees, seed)
        for fold, value in enumerate(found.tolist()):
            run.rows.add(method, "two_sample_auc", f"fold_{fold}", value, process=process, family=family)
        said.append(f"{family} {found.mean():.3f}")
    log.info("%s, %s: AUC of %s", process, method, ", ".join(said))
