"""Which axioms each method keeps, on small random networks; for each that it gives up a counterexample is kept here.

docs/methods.md has the table, which a test compares with `GIVES_UP`.
"""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from igbaselines.attribution import GaussLegendre, LeftRiemann, Midpoint, path_attribution
from igbaselines.attribution.baselines import Given
from igbaselines.attribution.field.blur_ig import ScaleSpace
from igbaselines.attribution.field.guided_ig import Guided
from igbaselines.attribution.field.idg import DecisionGradient, WhereOutputChanges
from igbaselines.attribution.field.idgi import ImportantDirection
from igbaselines.attribution.field.left_ig import Unsaturated
from igbaselines.attribution.field.noise import NoisyInputs, NoisyWeights
from igbaselines.attribution.field.regions import Regions
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.sources.boundary import Boundary
from igbaselines.attribution.sources.calibrated import Calibrated
from igbaselines.attribution.sources.undecided import Undecided
from igbaselines.tasks import Background, Imputer, draw
from tests.commands import ROOT
from tests.small_tasks import task_of

Function = Callable[[Tensor], Tensor]
RULE = GaussLegendre(32)
HOOKS: Mapping[str, Mapping[str, Any]] = {
    "ig": {"rule": RULE},
    "idgi": {"rule": LeftRiemann(32), "integrand": ImportantDirection()},
    "left_ig": {"rule": Unsaturated(32)},
    "idg": {"rule": WhereOutputChanges(64), "integrand": DecisionGradient()},
    "guided_ig": {"rule": LeftRiemann(200), "path": Guided(0.25, 0.3)},
    "blur_ig": {"rule": Midpoint(64), "path": ScaleSpace(5.0, 2.0)},
}
SOURCES: Mapping[str, Imputer] = {"big": Boundary(), "ig_undecided": Undecided(), "ig_calibrated": Calibrated(4)}
AROUND: Mapping[str, Callable[[Method], Method]] = {
    "smooth_ig": lambda method: NoisyInputs(method, 4),
    "noise_ig": lambda method: NoisyWeights(method, 4),
    "xrai": Regions,
}
METHODS = [*HOOKS, *SOURCES, *AROUND]
BLOCK = 10  # pixels of each side that a feature has in a picture with regions
AXIOMS = ["completeness", "dummy", "nothing moved", "symmetry", "linearity", "implementation"]
GIVES_UP = {
    ("idgi", "nothing moved"),  # shares go by the gradient alone
    ("idgi", "linearity"),
    ("left_ig", "completeness"),
    ("left_ig", "linearity"),  # where the path ends follows f
    ("idg", "completeness"),
    ("idg", "linearity"),  # quadratic in f
    ("guided_ig", "linearity"),  # the path follows f
    ("blur_ig", "symmetry"),  # pixels of one value have neighbours of others
    ("big", "linearity"),  # the baseline follows f
    ("ig_undecided", "linearity"),
    ("ig_calibrated", "linearity"),  # the weights follow f
    ("smooth_ig", "completeness"),
    ("smooth_ig", "nothing moved"),  # noise moves it
    ("smooth_ig", "symmetry"),  # two features have noise of their own
    ("noise_ig", "completeness"),
    ("noise_ig", "dummy"),  # what cancels does so no longer
    ("noise_ig", "symmetry"),
    ("noise_ig", "linearity"),  # one draw for both is none for each
    ("noise_ig", "implementation"),  # noise is on weights
    ("xrai", "dummy"),  # a pixel shares with its region
    ("xrai", "nothing moved"),
    ("xrai", "symmetry"),  # edges of one go to a neighbour
    ("xrai", "linearity"),  # regions grow by attribution
}
TOLERANCE = {"guided_ig": 5e-2, "blur_ig": 1e-3}  # of completeness, by one-sided sums and cut Gaussians


def network(seed: int, features: int = 6) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(features, 12), nn.Tanh(), nn.Linear(12, 1), nn.Flatten(0)).double()


def of_six(seed: int, axiom: str) -> Function:
    """A function that has no use for its first feature, since it cancels, or treats the first two alike."""
    g = network(seed, 5 if axiom == "dummy" else 6)
    if axiom == "dummy":
        one = network(seed + 50)
        same = copy.deepcopy(one)
        return lambda z: g(z[:, 1:]) + one(z) - same(z)
    weight = g.get_parameter("0.weight")
    with torch.no_grad():
        weight[:, 1] = weight[:, 0]
    return g


def attribute(method: str, f: Function, x: Tensor, start: Tensor, steps: int = 20) -> tuple[Tensor, Tensor]:
    """Attributions (1, 6), and what complete ones sum to."""
    if method == "blur_ig":
        hooks, pictures = HOOKS[method], x.view(1, 1, 2, 3)
        start = hooks["path"].start(pictures)[:, None]
        found = path_attribution(lambda z: f(z.flatten(1)), pictures, start, **hooks)
    elif method == "xrai":
        pictures, black = (
            z.view(1, 1, 2, 3).repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3) for z in (x, start)
        )
        task = task_of(lambda z: f(avg_pool2d(z, BLOCK).flatten(1)), pictures)
        found = Regions(AveragedGradients(Given(black), RULE)).attribute(task, torch.Generator())
        found = replace(found, attributions=BLOCK**2 * avg_pool2d(found.attributions, BLOCK))
    elif method in AROUND:
        task = task_of(f, x, Background(x, x[0], low=x[0] * 0 - 2, high=x[0] * 0 + 2))
        found = AROUND[method](AveragedGradients(Given(start), RULE)).attribute(task, torch.Generator())
    elif method in HOOKS:
        rule = LeftRiemann(steps) if method == "guided_ig" else HOOKS[method]["rule"]
        found = path_attribution(f, x, start, **{**HOOKS[method], "rule": rule})
    else:
        examples = torch.randn(8, 6, generator=torch.Generator().manual_seed(5), dtype=x.dtype)
        examples[:, 1] = examples[:, 0]  # as symmetric as the rest
        task = task_of(f, x, Background(examples, x[0], low=x[0] * 0 - 9, high=x[0] * 0 + 9))
        baselines, weights = draw(SOURCES[method], x, task.background, torch.Generator())
        found = path_attribution(f, x, baselines if baselines.dim() == 3 else baselines[None], weights, RULE)
    assert found.weights is not None
    return found.attributions.flatten(1), found.f_inputs - (found.weights * found.f_baselines).sum(1)


def violation(method: str, axiom: str, seed: int) -> float:
    """How far an axiom is missed, in units of the largest attribution."""
    generator = torch.Generator().manual_seed(seed)
    x, start = (torch.randn(1, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    f = of_six(seed, axiom) if axiom in ("dummy", "symmetry") else network(seed)
    if axiom == "symmetry":
        x[:, 1], start[:, 1] = x[:, 0], start[:, 0]
    if axiom == "nothing moved":
        start[:, 0] = x[:, 0]
    steps = 200 if axiom == "completeness" else 20  # of a walk, which takes time
    found, change = attribute(method, f, x, start, steps)
    size = found.abs().max()
    if axiom == "completeness":
        missed = found.sum() - change
    elif axiom in ("dummy", "nothing moved"):
        missed = found[:, 0]
    elif axiom == "symmetry":
        missed = found[:, 0] - found[:, 1]
    elif axiom == "linearity":
        g = network(seed + 100)
        missed = attribute(method, lambda z: f(z) + g(z), x, start)[0] - found - attribute(method, g, x, start)[0]
    else:
        missed = attribute(method, otherwise(network(seed)), x, start)[0] - found
    return float((missed.abs().max() / size).item())


def otherwise(same: nn.Sequential) -> nn.Sequential:
    """Another network of the same function: hidden units in another order, and of the other sign."""
    first, _, last, _ = same
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        for parameter in (first.weight, first.bias):
            parameter.copy_(-parameter.flip(0))
        last.weight.copy_(-last.weight.flip(1))
    return same


def judged(method: str, axiom: str) -> bool:
    """Blur moves every pixel; and a search starts from the input, examples are where they are."""
    return axiom != "nothing moved" or (method not in SOURCES and method != "blur_ig")


@pytest.mark.parametrize("axiom", AXIOMS)
@pytest.mark.parametrize("method", METHODS)
def test_an_axiom_holds_or_has_a_counterexample(method: str, axiom: str) -> None:
    if not judged(method, axiom):
        assert (method, axiom) not in GIVES_UP
        return
    found = [violation(method, axiom, seed) for seed in (1, 2)]
    tolerance = TOLERANCE.get(method, 1e-6) if axiom == "completeness" else 1e-9
    if (method, axiom) in GIVES_UP:
        assert max(found) > 5e-3
    else:
        assert max(found) < tolerance


def test_the_table_of_axioms_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|([^`\n]*)\|$", page, re.MULTILINE))
    assert set(METHODS) <= set(rows)
    for method in METHODS:
        cells = [cell.strip() for cell in rows[method].split("|")]
        expected = [
            "-" if not judged(method, axiom) else "no" if (method, axiom) in GIVES_UP else "yes" for axiom in AXIOMS
        ]
        assert cells == expected, method
