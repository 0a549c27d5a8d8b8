"""How good is an event generator? A sample of events beside a reference of the same processes and features.

Each process is compared by itself: how much there is of each is a choice, not physics. Whatever is measured between the
sample and the reference is measured between two random halves of the reference too, which says what two samples of
one distribution give.
"""

import logging
from dataclasses import dataclass

import numpy as np

from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import stream
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.generators.drawn import save_drawn
from igbaselines.studies.hep.experiments.generators.samples import one_process, with_the_features_of
from igbaselines.studies.hep.experiments.generators.settings import HepGeneratorsEvaluation
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


@dataclass(frozen=True)
class Comparison:
    """Two samples of a process.

    Args:
        process: name of the process.
        method: what is compared with what, `sample` (with the reference) or `reference_halves`.
        first: events that are judged.
        second: events that they are held against.
    """

    process: str
    method: str
    first: WeightedSample
    second: WeightedSample


def run(run: Run, dataset: EventDataset, model: None, attribution: None, evaluation: HepGeneratorsEvaluation) -> None:
    """Carry out the experiment; the measured values go into `run.rows`, and what is drawn into `comparison.npz`.

    Args:
        run: where results go.
        dataset: the sample that is judged.
        model: none.
        attribution: none.
        evaluation: the reference, and how the two are compared.

    Raises:
        UserError: where the two have not the features, processes and events that are to be compared.
    """
    sample = dataset.load(run.cache, run.workers)
    reference = evaluation.reference.load(run.cache, run.workers)
    run.checksums |= {"events": sample.checksum, "reference_events": reference.checksum}
    sources = {"dataset": dataset.checksum(), "reference": evaluation.reference.checksum()}
    run.checksums |= {name: checksum for name, checksum in sources.items() if checksum is not None}
    reference = with_the_features_of(sample, reference)
    _check_names("evaluation.figure_features", evaluation.figure_features, sample.feature_names)
    families = {name: np.array(places) for name, places in evaluation.members(sample.feature_names).items()}
    samples, references = (
        [one_process(events, whose, process, evaluation.least_events) for process in evaluation.processes]
        for events, whose in ((sample, "the dataset"), (reference, "evaluation.reference"))
    )
    with bar("comparisons", 2 * len(evaluation.processes)) as progress:
        for number, process in enumerate(evaluation.processes):
            _add_counts(run, process, samples[number], references[number])
            halves = references[number].halves(
                np.random.default_rng((run.seed, number, stream("hep generators: halves")))
            )
            for place, comparison in enumerate(
                [
                    Comparison(process, SAMPLE, samples[number], references[number]),
                    Comparison(process, REFERENCE_HALVES, *halves),
                ]
            ):
                generator = np.random.default_rng((run.seed, number, place, stream("hep generators: classifiers")))
                _add_distances(run, comparison, sample.feature_names)
                _add_classifiers(run, comparison, families, evaluation, generator)
                progress(2 * number + place + 1)
    save_drawn(run.artifacts / "comparison.npz", sample.feature_names, evaluation, samples, references)


def _check_names(key: str, names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"{key} names {name!r}, which is no feature of the samples")


def _add_counts(run: Run, process: str, sample: WeightedSample, reference: WeightedSample) -> None:
    for method, events in ((SAMPLE, sample), (REFERENCE, reference)):
        run.rows.add(method, "events", "all", len(events), process=process)
        run.rows.add(method, "effective_events", "all", events.effective_events(), process=process)


def _add_distances(run: Run, comparison: Comparison, feature_names: tuple[str, ...]) -> None:
    """Distances feature by feature, and how far the correlations agree."""
    method, process = comparison.method, comparison.process
    for metric, values in (
        ("distance", kolmogorov_smirnov(comparison.first, comparison.second)),
        ("mean_shift", mean_shift(comparison.first, comparison.second)),
    ):
        for feature, value in zip(feature_names, values.tolist(), strict=True):
            run.rows.add(method, metric, "all", value, process=process, feature=feature)
    agreement = correlation_agreement(correlation_matrix(comparison.first), correlation_matrix(comparison.second))
    run.rows.add(method, "correlation_agreement", "all", agreement, process=process)


def _add_classifiers(
    run: Run,
    comparison: Comparison,
    families: dict[str, np.ndarray],
    evaluation: HepGeneratorsEvaluation,
    generator: np.random.Generator,
) -> None:
    """How well each family of features tells the two apart; all families have the same events and folds."""
    first, second = (
        of.at_most(evaluation.classifier_events, generator) for of in (comparison.first, comparison.second)
    )
    seed = int(generator.integers(LARGEST_SEED))
    said = []
    for family, chosen in families.items():
        pair = first.of_features(chosen), second.of_features(chosen)
        found = two_sample_auc(*pair, evaluation.folds, evaluation.trees, seed)
        for fold, value in enumerate(found.tolist()):
            known = {"process": comparison.process, "family": family}
            run.rows.add(comparison.method, "two_sample_auc", f"fold_{fold}", value, **known)
        said.append(f"{family} {found.mean():.3f}")
    log.info("%s, %s: AUC of %s", comparison.process, comparison.method, ", ".join(said))
