"""Weighted Gradients of a photograph, whole (2505.03201): attribution, D_alpha of every baseline, deletion curve.

Against the published algorithm as one would write it down: Captum for each baseline, then one picture at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import hydra
import torch
from torch import Tensor

from benchmarks.peers import by_captum
from benchmarks.turns import Candidate, Job, Work
from igbaselines.attribution import Attribution
from igbaselines.attribution.baselines import BaselineSet
from igbaselines.attribution.methods import SharedGradients
from igbaselines.attribution.weighting import InverseFitness
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC
from igbaselines.metrics.perturbation_curves import ShareGrid, area
from igbaselines.running.config import PROJECT_ROOT, register
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.targets import instantiate
from igbaselines.studies.images.experiments.classifier import PhotographClassifier, load_classifier
from igbaselines.studies.images.experiments.selection import load_pixels, photograph_background, select
from igbaselines.studies.images.experiments.settings import ImageAttribution
from igbaselines.studies.images.networks.network import Probabilities
from igbaselines.studies.images.tasks import photograph_task
from igbaselines.tasks import Background, Function, Task, impute

OURS, NAIVE, LIMIT = "igbaselines", "as published: Captum, then picture by picture", "limit: bare passes"
# Rankings that differ in the last digits find another D_alpha, and so weights, by as much as scores jump: less where
# the paths are long enough for smooth maps.
CLOSE, QUICK = 2e-2, 0.2


@dataclass(frozen=True)
class Photograph:
    """What is explained."""

    classifier: PhotographClassifier
    plain: Probabilities
    attribution: ImageAttribution
    pixels: Tensor
    background: Background
    predicted: int
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
        plain, grid = Probabilities(model.load(torch.device("cpu"))), ShareGrid(4 if quick else 100, 1)
        return [
            cls(
                classifier,
                plain,
                attribution,
                load_pixels(chosen.photograph, classifier)[None],
                background,
                chosen.predicted,
                grid,
            )
            for chosen in select(found, classifier).chosen
        ]

    def with_exact_search(self) -> "Photograph":
        """The search's tolerance makes a jump of a rounding error: a count is just near enough, or it goes on."""
        search = replace(self.attribution.search, tolerance=0.0)
        return replace(self, attribution=replace(self.attribution, search=search))

    def scored_by(self, scored: "Counted") -> "Photograph":
        """With another function for the scores."""
        return replace(self, classifier=replace(self.classifier, scored=scored))

    @property
    def task(self) -> Task:
        """As the experiment has it."""
        return photograph_task("", self.pixels, self.target, None, self.classifier, self.background)

    def weighted(self, f: Function | None = None) -> Attribution:
        """Weighted Gradients as in the experiment, with what each baseline gives; of another function, where given."""
        task = self.task if f is None else replace(self.task, f=f)
        method = self.attribution.averaged(InverseFitness())
        return SharedGradients.draw({"": method}, task, generator_for(0)).attribute()[""]

    def area(self, attributions: Tensor, grid: ShareGrid) -> Tensor:
        """Under the deletion curve of a map."""
        metric = DeletionAUC(self.attribution.fitness_mask, grid, self.attribution.ranking)
        return metric.score(self.task, attributions, generator_for(0))

    @property
    def explained(self) -> Probabilities:
        """The network made for gradients."""
        assert isinstance(self.classifier.explained, Probabilities)
        return self.classifier.explained

    @property
    def target(self) -> Tensor:
        """The explained class."""
        return torch.tensor([self.predicted])


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
        return _result(found.attributions, found.weights[0], p.area(found.attributions, p.grid))

    return work


def naive(make: partial[Photograph]) -> Work:
    """What the paper's text says, line by line, on the network as it comes."""
    p = make().with_exact_search()
    baselines, _ = BaselineSet(p.attribution.baselines).draw(p.pixels, p.background, generator_for(0))
    fill = impute(p.attribution.fitness_mask, p.pixels, p.background, generator_for(0))
    pixels = p.pixels[0, 0].numel()

    @torch.no_grad()
    def without(order: Tensor, count: int) -> float:
        masked = torch.zeros(pixels, dtype=torch.bool).index_fill(0, order[:count], True)
        picture = torch.where(masked.view(p.pixels.shape[2:]), fill, p.pixels)
        return float(p.plain(picture)[0, p.predicted])

    def work(_: int) -> Tensor:
        maps, d_alpha = [], []
        goal = p.attribution.search.alpha * without(torch.arange(0), 0)
        for baseline in baselines.view(-1, *p.pixels.shape[1:]):
            maps.append(by_captum(p.plain, p.pixels, baseline[None], p.attribution.rule.n_steps, p.target, None))
            order = maps[-1].sum(dim=1).flatten().argsort(descending=True, stable=True)
            low, high = 0, pixels
            while high - low > 1:
                middle = (low + high) // 2
                score = without(order, middle)
                if abs(score - goal) < p.attribution.search.tolerance:
                    high = middle
                    break
                low, high = (middle, high) if score > goal else (low, middle)
            d_alpha.append(high)
        weights = 1 / torch.tensor(d_alpha, dtype=torch.float64)
        weights /= weights.sum()
        attributions = sum(w * m for w, m in zip(weights.float(), maps, strict=True))
        assert isinstance(attributions, Tensor)
        order = attributions.sum(dim=1).flatten().argsort(descending=True, stable=True)
        counts = p.grid.counts(attributions[:, 0].flatten(1))[0].tolist()
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
    points = p.pixels.expand(batch, -1, -1, -1).clone()
    gradients = 6 * p.attribution.rule.n_steps

    def work(_: int) -> None:
        behind = points.clone().requires_grad_()
        for _ in range(-(-gradients // batch)):
            value = p.explained.after_stem(behind)[:, p.predicted].sum()
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
