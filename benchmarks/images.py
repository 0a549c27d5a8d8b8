"""Time the explanation of one photograph against its bare network passes.

One photograph as `experiment=weighted_gradients` takes it: 6 baselines, 16 nodes, D_alpha of every baseline, deletion
curves of 100 steps. The limit is the same number of gradient points and of scored pictures through the same network
(folded, channels_last) in the same chunks, and nothing else. Both take turns.

    python benchmarks/images.py                       # about two minutes on two cores
    python benchmarks/images.py --model resnet50 model.checkpoint=FILE
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import hydra
import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor

from igbaselines.attribution import path_attribution
from igbaselines.attribution.baselines import Reference, Together
from igbaselines.attribution.path import Function
from igbaselines.config import PROJECT_ROOT, register
from igbaselines.experiments.classifier import Classifier, load_classifier
from igbaselines.experiments.context import Run
from igbaselines.experiments.photographs import Chosen, load_pixels, reference_photographs, select
from igbaselines.experiments.weighted_gradients import Study, one_photograph
from igbaselines.randomness import generator_for
from igbaselines.results.rows import Rows
from igbaselines.targets import instantiate

NO_EXAMPLE = 10**9  # a photograph so far down the list that nothing of it is kept


class Counted:
    """A function of pictures that counts them."""

    def __init__(self, scored: Function) -> None:
        self._scored = scored
        self.pictures = 0

    def __call__(self, pixels: Tensor) -> Tensor:  # noqa: D102
        self.pictures += len(pixels)
        return self._scored(pixels)


@dataclass(frozen=True)
class Job:
    """One photograph, ready to be explained."""

    study: Study
    chosen: Chosen
    pixels: Float[Tensor, "3 h w"]

    def whole(self, classifier: Classifier) -> None:  # noqa: D102
        one_photograph(replace(self.study, classifier=classifier), NO_EXAMPLE, self.chosen, Path())


def make_job(model: str, overrides: list[str]) -> Job:
    register()
    with hydra.initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        grid = ["evaluation.grid.steps=100", "evaluation.grid.power=1"]  # the paper's, not the demo's
        chosen = [f"model={model}", "dataset.n_images=1", *grid, *overrides]
        config = hydra.compose("config", ["experiment=weighted_gradients", "hydra.mode=RUN", *chosen])
    parts = {name: instantiate(config[name]) for name in ("dataset", "model", "attribution", "evaluation")}
    here = PROJECT_ROOT
    run = Run(Rows("", "", "", 0), here, here, here, torch.device(config.device.replace("auto", "cpu")), 0, None, 1)
    classifier = load_classifier(parts["model"], parts["attribution"], run)
    found = parts["dataset"].photographs()
    examples = reference_photographs(found.candidates, classifier, 4, 0)
    photograph = select(found, classifier).chosen[0]
    study = Study(classifier, parts["attribution"], parts["evaluation"], examples, 0)
    return Job(study, photograph, load_pixels(photograph.photograph, classifier))


def bare_gradients(job: Job, count: int) -> Callable[[], None]:
    classifier = job.study.classifier
    batch = classifier.max_batch
    with torch.no_grad():
        points = classifier.explained.affine_stem(job.pixels.expand(batch, -1, -1, -1)).clone().requires_grad_()

    def run() -> None:
        for _ in range(-(-count // batch)):
            value = classifier.explained.after_stem(points)[:, job.chosen.predicted].sum()
            torch.autograd.grad(value, points)

    return run


def bare_scores(job: Job, count: int) -> Callable[[], None]:
    classifier = job.study.classifier
    pictures = job.pixels.expand(classifier.max_batch, -1, -1, -1).clone()

    @torch.no_grad()
    def run() -> None:
        for _ in range(-(-count // classifier.max_batch)):
            classifier.scored(pictures)

    return run


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def attribution_only(job: Job) -> Callable[[], object]:
    """The engine's part, without the fitness."""
    study, classifier = job.study, job.study.classifier
    reference = Reference(examples=study.examples, centre=classifier.centre.expand_as(job.pixels))
    baselines, _ = Together(study.attribution.baselines).draw(job.pixels[None], reference, generator_for(0))
    target = torch.tensor([job.chosen.predicted])
    return lambda: path_attribution(
        classifier.explained,
        job.pixels[None],
        baselines,
        rule=study.attribution.rule,
        target=target,
        max_batch=classifier.max_batch,
        keep_per_baseline=True,
    )


def count_pictures(job: Job) -> tuple[int, int]:
    """How many pictures the whole photograph scores, and how many gradient points it takes."""
    classifier = job.study.classifier
    scored = Counted(classifier.scored)
    job.whole(replace(classifier, scored=scored))
    k = sum(getattr(source, "count", 1) for source in job.study.attribution.baselines.values())
    gradients = k * job.study.attribution.rule.steps
    return scored.pictures + k + 1, gradients  # the engine takes f at the baselines and at the input too


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of a tiny job, to see that it works")
    parser.add_argument("overrides", nargs="*", help="of the configuration, such as model.checkpoint=FILE")
    arguments = parser.parse_args()
    overrides = list(arguments.overrides)
    if arguments.quick:
        overrides += ["attribution.rule.steps=1", "evaluation.grid.steps=2", "evaluation.removed=[]"]
    job = make_job(arguments.model, overrides)
    scored, gradients = count_pictures(job)
    candidates: dict[str, Callable[[], object]] = {
        "attribution": attribution_only(job),
        f"limit: {gradients} gradient points": bare_gradients(job, gradients),
        "whole photograph": lambda: job.whole(job.study.classifier),
        f"limit: {scored} scored pictures": bare_scores(job, scored),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()  # the warm-up
    for _ in range(1 if arguments.quick else arguments.rounds):
        for name, run in candidates.items():
            times[name].append(seconds(run))
    report(arguments.model, times)


def report(model: str, times: dict[str, list[float]]) -> None:
    """Print the medians, and ratios taken round by round."""
    table = Table(title=f"one photograph, {model}, {torch.get_num_threads()} threads")
    for heading in ("what", "median [s]", "least [s]", "most [s]"):
        table.add_column(heading)
    for name, taken in times.items():
        table.add_row(name, f"{statistics.median(taken):.3f}", f"{min(taken):.3f}", f"{max(taken):.3f}")
    attribution, gradients, whole, scored = times.values()
    ratios = [a / g for a, g in zip(attribution, gradients, strict=True)]
    wholes = [w / (g + s) for w, g, s in zip(whole, gradients, scored, strict=True)]
    console = Console(width=100)
    console.print(table)
    console.print(f"attribution / its gradient points: {statistics.median(ratios):.3f}")
    console.print(f"whole photograph / its gradient points and scored pictures: {statistics.median(wholes):.3f}")


if __name__ == "__main__":
    main()
