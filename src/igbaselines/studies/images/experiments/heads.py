"""How alike are the maps of networks that differ in the training seed alone? 2310.04821, an open question of a review.

Heads over the frozen features of one classifier are trained from several seeds on crops of the photographs at hand; the
maps that each method gives of a photograph's class are compared between them. Where photographs are few they are the
ones that are explained, too: what is asked is how the seed changes a map, and not how well a head does elsewhere.
"""

import logging
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import torch

from igbaselines.common.devices import sent
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import undirected
from igbaselines.metrics.stability import CONSISTENCY, map_consistency
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, classifier_of
from igbaselines.studies.images.experiments.records import Record, rows_of
from igbaselines.studies.images.experiments.selection import SELECTION, Chosen
from igbaselines.studies.images.experiments.settings import HeadsEvaluation
from igbaselines.studies.images.experiments.shapley_images import check_patches
from igbaselines.studies.images.experiments.shapley_maps import every_map
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import image_key, seen_by
from igbaselines.studies.images.networks.heads import features_of, random_crops, trained_head, with_head
from igbaselines.studies.images.networks.network import state_checksum
from igbaselines.studies.images.networks.recipe import ImageModel

log = logging.getLogger(__name__)

MEASURED = (CONSISTENCY, *undirected("accuracy"), *SELECTION)


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: AttributionSettings,
    evaluation: HeadsEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Raises:
        UserError: for settings, photographs or networks that will not do, before any attribution.
    """
    if not isinstance(attribution, AttributionSettings):
        raise UserError("this experiment compares methods of attribution: attribution=shapley_ig")
    if asked := [*run.metrics, *run.pairs]:
        raise UserError(f"experiment=shapley_heads has a metric of its own alone: leave {', '.join(asked)} out")
    check_patches(model, attribution)
    study = PhotographStudy.begin(run, dataset, {"": model}, attribution, attribution.methods())
    heads = _classifiers(study, model, evaluation)
    study.for_each("examples", partial(one_photograph, study, heads, evaluation))


def one_photograph(
    study: PhotographStudy,
    heads: Sequence[PhotographClassifier],
    evaluation: HeadsEvaluation,
    index: int,
    chosen: Chosen,
    file: Path,
) -> Record:
    """Explain a photograph by every method and head, and compare the heads' maps with one another."""
    maps = [every_map(study, seen_by(study.task(chosen), head)) for head in heads]
    of_heads = [torch.cat([one.found.attributions for one in of_head]) for of_head in maps]
    pairs = [map_consistency(a, b, evaluation.consistency_grid) for a, b in combinations(of_heads, 2)]
    rows = []
    for one, value in zip(maps[0], torch.stack(pairs).mean(dim=0).tolist(), strict=True):
        rows += rows_of(one.method, {CONSISTENCY.name: value})
    return {"rows": rows}


def _classifiers(study: PhotographStudy, model: ImageModel, evaluation: HeadsEvaluation) -> list[PhotographClassifier]:
    """Train the heads on crops of the chosen photographs, and put each in the place of the classifier's own."""
    run, network, each = study.run, model.load(study.run.device), evaluation.crops + evaluation.test_crops
    features, labels = [], []
    for chosen in study.chosen:
        generator = generator_for(run.seed, "images: crops", image_key(chosen.photograph.name))
        pixels = study.classifiers[0].reader.pixels(chosen.photograph)
        features.append(features_of(network, random_crops(pixels, each, generator)))
        labels.append(chosen.predicted)
    label = sent(torch.tensor(labels), run.device).repeat_interleave(each)
    is_train = sent(torch.arange(each) < evaluation.crops, run.device).repeat(len(labels))
    found, every = [], torch.cat(features)
    for number in range(evaluation.heads):
        seed = (run.seed, "images: heads", number)
        head = trained_head(network, every[is_train], label[is_train], evaluation.hidden, evaluation.epochs, seed)
        right = (head(every[~is_train]).argmax(dim=1) == label[~is_train]).double().mean().item()
        log.info("head %d: %.0f %% of the crops it has not seen", number, 100 * right)
        run.rows.add("network", "accuracy", f"head_{number}", right)
        run.checksums[f"head_{number}"] = state_checksum(head)
        found.append(classifier_of(with_head(network, head), model, study.attribution, run))
    return found
