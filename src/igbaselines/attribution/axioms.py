"""Axioms, tried on small random networks: what is missed is a counterexample, that nothing is missed is no proof.

Sundararajan et al. (2017, sections 2 and 3) name them for attributions, Friedman (2004) and Lundstrom et al. (2022)
for paths: completeness, sensitivity, dummy, symmetry, linearity and implementation invariance. A method of one's own
is tried like any other.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from igbaselines.attribution.baselines import Examples, TrainingMean, ZeroBaseline
from igbaselines.attribution.methods import MOST_NODES, Method, why_not
from igbaselines.tasks import Background, EachFeature, Function, Patches, Task, draw

# What each says, in a line.
AXIOMS = {
    "completeness": "attributions sum to f(x) minus f at the method's own baselines, in the limit of many nodes",
    "sensitivity": "the only feature that f asks gets something where it changes f, though f is flat at x",
    "dummy": "a feature that f has no use for gets nothing",
    "nothing moved": "a feature whose value is the baseline's gets nothing",
    "symmetry": "features that f, input and baseline treat alike get the same",
    "linearity": "what f + g gives is the sum of what each gives",
    "implementation": "networks that compute the same function give the same",
}
KEPT, KEPT_IN_THE_LIMIT = 1e-9, 0.05  # up to rounding; completeness of one-sided sums falls as 1 / nodes
SEEDS = (1, 2, 3, 4)
INPUTS, FEATURES, EXAMPLES = 2, 6, 24
BLOCK = 10  # pixels of each side that a feature has in a picture


def violations(method: Method, seeds: Sequence[int] = SEEDS) -> dict[str, float]:
    """How far a method misses each axiom on networks of these seeds, the worst of them.

    Args:
        method: as it stands; its rule gets `MOST_NODES` nodes for completeness.
        seeds: of networks of six features in float64, inputs, baselines and draws.

    Returns:
        By axiom, in units of the largest attribution; infinite where all are zero, or one is not finite; NaN where it
        cannot be judged: a method that draws or seeks its baselines where it likes moves every feature.
    """
    found = {axiom: [violation(method, axiom, seed) for seed in seeds] for axiom in AXIOMS}
    return {axiom: max((one for one in each if not isnan(one)), default=nan) for axiom, each in found.items()}


def keeps(axiom: str, missed: float) -> bool:
    """Whether that much is rounding."""
    return missed < (KEPT_IN_THE_LIMIT if axiom == "completeness" else KEPT)


def violation(method: Method, axiom: str, seed: int) -> float:
    """How far a method misses an axiom on the networks of a seed; see `violations`."""
    trial, f = _Trial.of(axiom, seed), _function(axiom, seed)
    if axiom == "nothing moved" and trial.first_moves(method, f):
        return float("nan")
    if axiom == "completeness":
        method = _with_nodes(method, MOST_NODES)
    found, change = trial.attribute(method, f)
    if not torch.isfinite(found).all():
        return inf
    if axiom == "sensitivity":
        changes = change.abs() > KEPT
        nothing = found[:, 0].abs() <= KEPT * change.abs()
        return float((changes & nothing).any()) if changes.any() else float("nan")
    if axiom == "completeness":
        missed = found.sum(dim=1) - change
    elif axiom in ("dummy", "nothing moved"):
        missed = found[:, 0]
    elif axiom == "symmetry":
        missed = found[:, 0] - found[:, 1]
    elif axiom == "linearity":
        g = _network(seed + 100)
        missed = trial.attribute(method, lambda z: f(z) + g(z))[0] - found - trial.attribute(method, g)[0]
    else:
        missed = trial.attribute(method, _in_other_words(_network(seed)))[0] - found
    largest, most = found.abs().max().item(), missed.abs().max().item()
    return most / largest if largest else inf if most else 0.0


def task_for(method: Method, seed: int) -> Task:
    """A task that a method is tried on: a network, two inputs of six features, and what is known beside."""
    return _Trial.of("", seed).fitting(method, _network(seed))


@dataclass(frozen=True)
class _Trial:
    """What an axiom is tried on: inputs, the one value that is absent, and examples."""

    x: Float64[Tensor, "n d"]
    start: Float64[Tensor, " d"]
    examples: Float64[Tensor, "m d"]
    seed: int

    @classmethod
    def of(cls, axiom: str, seed: int) -> "_Trial":
        generator = torch.Generator().manual_seed(seed)
        sizes = (INPUTS, 1, EXAMPLES)
        x, start, examples = (torch.randn(n, FEATURES, generator=generator, dtype=torch.float64) for n in sizes)
        if axiom == "symmetry":
            for values in (x, start, examples):
                values[:, 1] = values[:, 0]
        if axiom == "nothing moved":
            for values in (x, start, examples):
                values[:, 0] = 0.0
        if axiom == "sensitivity":  # f is flat from 1 on
            x[:, 0], start[:, 0], examples[:, 0] = 2.0, 0.0, 0.0
        return cls(x, start[0], examples, seed)

    def task(self, f: Function, pictures: bool) -> Task:
        """Features as they are, or as the blocks of pictures."""
        shown = _as_pictures if pictures else lambda values: values
        centre = shown(self.start[None])[0]
        strata = torch.arange(EXAMPLES) % 2
        background = Background(
            shown(self.examples),
            centre,
            strata,
            torch.tensor([0.3, 0.7], dtype=torch.float64),
            low=torch.full_like(centre, -3.0),
            high=torch.full_like(centre, 3.0),
        )
        return Task(
            "axiom",
            (lambda z: f(avg_pool2d(z, BLOCK).flatten(1))) if pictures else f,
            shown(self.x),
            None,
            [str(place) for place in range(INPUTS)],
            background,
            Patches(BLOCK, BLOCK) if pictures else EachFeature(),
            {"zero": ZeroBaseline(), "mean": TrainingMean(), "background": Examples(EXAMPLES)},
        )

    def fitting(self, method: Method, f: Function) -> Task:
        """Features, or pictures where the method is of those."""
        task = self.task(f, pictures=False)
        return task if why_not(method, task) is None else self.task(f, pictures=True)

    def attribute(self, method: Method, f: Function) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, " n"]]:
        """What each feature gets, and what complete attributions sum to; every draw is the same."""
        task = self.fitting(method, f)
        found = method.attribute(task, self._generator())
        if found.weights is None:  # they differ from feature to feature: all start from what is absent
            absent = f(self.start[None])
        else:
            absent = (found.weights.to(found.f_baselines) * found.f_baselines).sum(dim=1)
        assert found.players is not None
        return found.players.double(), (found.f_inputs - absent).double()

    def first_moves(self, method: Method, f: Function) -> bool:
        """Whether the first feature has another value at the baselines, or these are the method's own business."""
        task, inner = self.fitting(method, f), method
        while hasattr(inner, "method"):  # one around another
            inner = inner.method
        source = getattr(inner, "baselines", None) or getattr(inner, "imputer", None)
        if source is None:
            return True
        baselines, _ = draw(task.imputer(source), task.inputs, task.background, self._generator())
        first = task.player_map.sums(baselines.flatten(0, -len(task.inputs.shape)))[:, 0]
        own = task.player_map.sums(task.inputs)[0, 0]
        return bool((first - own).abs().max() > KEPT)

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def _as_pictures(values: Float64[Tensor, "n d"]) -> Float64[Tensor, "n 1 h w"]:
    blocks = values.view(-1, 1, 2, FEATURES // 2)
    return blocks.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)


def _with_nodes(method: Any, nodes: int) -> Any:  # noqa: ANN401 (any method, as a dataclass)
    """A method with so many nodes on every path, or as it stands where it takes none."""
    if hasattr(method, "method"):
        return replace(method, method=_with_nodes(method.method, nodes))
    if not hasattr(getattr(method, "rule", None), "n_steps"):
        return method
    return replace(method, rule=replace(method.rule, n_steps=nodes))


def _function(axiom: str, seed: int) -> Function:
    """A function that is flat at x, has no use for its first feature, since it cancels, or treats the first two alike.

    Where the axiom asks for nothing it is any network.
    """
    if axiom == "sensitivity":
        return _saturated()
    if axiom == "dummy":
        g, one = _network(seed, FEATURES - 1), _network(seed + 50)
        same = copy.deepcopy(one)
        return lambda z: g(z[:, 1:]) + one(z) - same(z)
    f = _network(seed)
    if axiom == "symmetry":
        weight = f.get_parameter("0.weight")
        with torch.no_grad():
            weight[:, 1] = weight[:, 0]
    return f


def _network(seed: int, features: int = FEATURES) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, 12), nn.Tanh(), nn.Linear(12, 1), nn.Flatten(0)).double()


def _saturated() -> nn.Sequential:
    """1 - ReLU(1 - x_1), for which the gradient at x_1 > 1 is zero (Sundararajan et al. 2017, section 2.1)."""
    f = nn.Sequential(nn.Linear(FEATURES, 1), nn.ReLU(), nn.Linear(1, 1), nn.Flatten(0)).double()
    with torch.no_grad():
        for layer in (f[0], f[2]):
            layer.get_parameter("weight").zero_()[:, 0] = -1.0
            layer.get_parameter("bias").fill_(1.0)
    return f


def _in_other_words(network: nn.Sequential) -> nn.Sequential:
    """Another network of the same function: hidden units in another order, and of the other sign."""
    with torch.no_grad():
        for name in ("0.weight", "0.bias"):
            parameter = network.get_parameter(name)
            parameter.copy_(-parameter.flip(0))
        last = network.get_parameter("2.weight")
        last.copy_(-last.flip(1))
    return network
