"""Weighted Gradients of a photograph, whole (2505.03201): attribution, D_alpha of every baseline, deletion curve.

Against the published algorithm as one would write it down: Captum for each baseline, then one picture at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import hydra
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.peers import by_captum
from benchmarks.turns import Candidate, Job, Work
from igbaselines.attribution import Attribution
from igbaselines.attribution.baselines import BaselineSet
from igbaselines.attribution.fitness import BinarySearch
from igbaselines.attribution.weighting import InverseFitness
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC
from igbaselines.metrics.perturbation_curves import ShareGrid, area
from igbaselines.running.config import register
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.targets import instantiate
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, load_classifier
from igbaselines.studies.images.experiments.selection import photograph_background, select
from igbaselines.studies.images.experiments.settings import ImageAttribution
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.networks.network import Probabilities
from igbaselines.tasks import Function, Task, class_score, impute

OURS, NAIVE, LIMIT = "igbaselines", "as published: Captum, then picture by picture", "limit: bare passes"
# Rankings that differ in the last digits find another D_alpha, and so weights, by as much as scores jump: less where
# the paths are long enough for smooth maps.
CLOSE, QUICK = 2e-2, 0.2


@dataclass(frozen=True)
class Photograph:
    """What is explained, and how."""

    classifier: PhotographClassifier
    plain: Probabilities
    attribution: ImageAttribution
    task: Task
    grid: ShareGrid

    @classmethod
    def make(cls, quick: bool) -> "Photograph":
        """The first photograph of `experiment=weighted_gradients`."""
        return cls.several(quick, 1)[0]

    @classmethod
    def several(cls, quick: bool, count: int | None) -> list["Photograph"]:
        """A random choice of so many of the sample photographs, or all, less those that the experiment leaves out."""
        register()
        number = "null" if count is None else count
        overrides = ["experiment=weighted_gradients", "hydra.mode=RUN", f"dataset.n_images={number}"]
        with hydra.initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
            config = hydra.compose("config", overrides)
        dataset, model, attribution = (instantiate(config[name]) for name in ("dataset", "model", "attribution"))
        here = PROJECT_ROOT
        run = Run(Rows("", "", "", 0), here, here, here, torch.device("cpu"), 0, None, 1)
        classifier = load_classifier(model, attribution, run)
        if quick:
            attribution = replace(attribution, rule=replace(attribution.rule, n_steps=2))
        found = dataset.photographs()
        background = photograph_background(found.candidates, classifier, 4, 0)
        plain = Probabilities(model.load(torch.device("cpu")))
        grid = ShareGrid(4 if quick else 100, 1)
        study = PhotographStudy(run, attribution, [classifier], background, select(found, classifier).chosen, {}, {})
        return [cls(classifier, plain, attribution, study.task(chosen), grid) for chosen in study.chosen]

    def with_exact_search(self) -> "Photograph":
        """The search's tolerance makes a jump of a rounding error: a count is just near enough, or it goes on."""
        search = replace(self.attribution.search, tolerance=0.0)
        return replace(self, attribution=replace(self.attribution, search=search))

    def scored_by(self, scored: Function) -> "Photograph":
        """With another function for the scores."""
        return replace(self, task=replace(self.task, score=class_score(scored, self.task.targets)))

    def weighted(self, f: Function | None = None) -> Attribution:
        """Weighted Gradients as in the experiment, of its network or of another function."""
        task = self.task if f is None else replace(self.task, f=f)
        return self.attribution.averaged(InverseFitness()).attribute(task, generator_for(0))

    def curve(self, attributions: Float[Tensor, "1 3 h w"], grid: ShareGrid) -> Float[Tensor, "1 points"]:
        """The deletion curve of a map."""
        metric = DeletionAUC(self.attribution.fitness_mask, grid, self.attribution.ranking)
        return metric.curves(self.task, attributions, torch.arange(len(attributions)), generator_for(0))

    @property
    def explained(self) -> Probabilities:
        """The network made for gradients."""
        assert isinstance(self.task.f, Probabilities)
        return self.task.f

    @property
    def search(self) -> BinarySearch:
        """For D_alpha."""
        assert isinstance(self.attribution.search, BinarySearch)
        return self.attribution.search

    @property
    def target(self) -> Tensor:
        """The explained class."""
        assert self.task.targets is not None
        return self.task.targets


def job(quick: bool) -> Job:
    """One photograph with efficientnet_lite0."""
    photograph = partial(Photograph.make, quick)
    candidates = [
        Candidate(OURS, partial(ours, photograph)),
        Candidate(NAIVE, partial(naive, photograph), tolerance=QUICK if quick else CLOSE),
        Candidate(LIMIT, partial(bare_passes, photograph)),
    ]
    title = (
        "Weighted Gradients whole: a photograph, efficientnet_lite0, 6 baselines x 16 nodes, D_alpha, deletion curve"
    )
    return Job("weighted-gradients", title, "photographs", 1, candidates, limit=LIMIT)


def ours(make: Callable[[], Photograph]) -> Work:
    """The engine, the search in lockstep, the curve in batches."""
    p = make().with_exact_search()

    def work(_: int) -> Tensor:
        found = p.weighted()
        assert found.weights is not None
        return _result(found.attributions, found.weights[0], area(p.curve(found.attributions, p.grid), p.grid))

    return work


def naive(make: partial[Photograph]) -> Work:
    """What the paper's text says, line by line, on the network as it comes."""
    p = make().with_exact_search()
    inputs, background, target = p.task.inputs, p.task.background, int(p.target)
    baselines, _ = BaselineSet(p.attribution.baselines).draw(inputs, background, generator_for(0))
    fill, pixels = impute(p.attribution.fitness_mask, inputs, background, generator_for(0)), inputs[0, 0].numel()

    @torch.no_grad()
    def without(order: Tensor, count: int) -> float:
        masked = torch.zeros(pixels, dtype=torch.bool).index_fill(0, order[:count], True)
        picture = torch.where(masked.view(inputs.shape[2:]), fill, inputs)
        return float(p.plain(picture)[0, target])

    def work(_: int) -> Tensor:
        maps, d_alpha = [], []
        goal = p.search.alpha * without(torch.arange(0), 0)
        for baseline in baselines.view(-1, *inputs.shape[1:]):
            maps.append(by_captum(p.plain, inputs, baseline[None], p.attribution.rule.n_steps, p.target, None))
            order = maps[-1].sum(dim=1).flatten().argsort(descending=True, stable=True)
            low, high = 0, pixels
            while high - low > 1:
                middle = (low + high) // 2
                score = without(order, middle)
                if abs(score - goal) < p.search.tolerance:
                    high = middle
                    break
                low, high = (middle, high) if score > goal else (low, middle)
            d_alpha.append(high)
        weights = 1 / torch.tensor(d_alpha, dtype=torch.float64)
        weights /= weights.sum()
        attributions = sum(w * m for w, m in zip(weights.float(), maps, strict=True))
        assert isinstance(attributions, Tensor)
        importance = attributions.sum(dim=1).flatten(1)
        order = importance.flatten().argsort(descending=True, stable=True)
        counts = p.grid.counts(importance)[0].tolist()
        curve = torch.tensor([[without(order, count) for count in counts]])
        return _result(attributions, weights, area(curve, p.grid))

    return work


def _result(attributions: Tensor, weights: Tensor, auc: Tensor) -> Tensor:
    """Everything that has to agree, each as a share of its largest value."""
    return torch.cat([(part / part.abs().max()).flatten().float() for part in (attributions, weights)] + [auc.float()])


def bare_passes(make: partial[Photograph]) -> Work:
    """As many gradient points and scored pictures through the network made for gradients, and nothing else."""
    p = make()
    counted = Counted(p.classifier.scored)
    ours(lambda: p.scored_by(counted))(1)
    batch = p.classifier.max_batch
    points = p.task.inputs.expand(batch, -1, -1, -1).clone()
    gradients = 6 * p.attribution.rule.n_steps

    def work(_: int) -> None:
        behind = points.clone().requires_grad_()
        for _ in range(-(-gradients // batch)):
            value = p.explained.after_stem(behind)[:, int(p.target)].sum()
            torch.autograd.grad(value, behind)
        with torch.no_grad():
            for _ in range(-(-counted.pictures // batch)):
                p.classifier.scored(points)

    return work


class Counted:
    """What scores pictures, counting how often it is asked, and for how many."""

    def __init__(self, scored: Callable[[Tensor], Tensor]) -> None:
        self.scored, self.calls, self.pictures = scored, 0, 0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Score pictures."""
        self.calls, self.pictures = self.calls + 1, self.pictures + len(pixels)
        return self.scored(pixels)
