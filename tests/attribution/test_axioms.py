"""Which axioms each method of conf/methods keeps: the table of docs/methods.md, tried again; and one's own methods."""

import math
import re
from dataclasses import dataclass
from types import ModuleType

import pytest
import torch

from igbaselines.attribution import Attribution, GaussLegendre, LeftRiemann, Midpoint
from igbaselines.attribution.axioms import AXIOMS, keeps, violation, violations
from igbaselines.attribution.field.blur_ig import BlurIG, ScaleSpace
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.tasks import Task
from tests.commands import ROOT, load_script
from tests.small_tasks import task_of

SEEDS = (1, 2)
VIOLATED = 5e-3  # of the largest attribution: far from rounding
COMPLETE = 1e-6
# By one-sided sums, cut Gaussians and nodes that differ from baseline to baseline, at 128 nodes a path.
NEARLY_COMPLETE = {"guided_ig": 1e-2, "blur_ig": 2e-3, "eg_rotated": 2e-3}
COALITIONS = ("shapley_ig", "shapley_ig_zero", "shapley_ig_background", "shapley_sampling")
BY_FITNESS = ("weighted_gradients", "filtered_weighted_gradients", "wg_next", "wg_others", "wg_fittest")
GIVES_UP = {
    *((name, "completeness") for name in COALITIONS),  # each feature is averaged over coalitions of its own
    *((name, "symmetry") for name in COALITIONS),  # features that are alike are in other coalitions
    *((name, "linearity") for name in (*BY_FITNESS, "wg_first_crossing")),  # weights follow f
    *((name, "symmetry") for name in ("ig_uniform", "ig_gaussian")),  # two features have noise of their own
    ("ig_blur", "symmetry"),  # pixels of one value have neighbours of others
    ("idgi", "nothing moved"),  # shares go by the gradient alone
    ("idgi", "linearity"),
    ("left_ig", "completeness"),
    ("left_ig", "linearity"),  # where the path ends follows f
    ("idg", "completeness"),
    ("idg", "linearity"),  # quadratic in f
    ("guided_ig", "linearity"),  # the path follows f
    ("blur_ig", "symmetry"),  # as ig_blur
    ("big", "linearity"),  # the baseline follows f
    ("ig_undecided", "linearity"),
    ("ig_calibrated", "linearity"),  # the weights follow f
    ("smooth_ig", "completeness"),
    ("smooth_ig", "nothing moved"),  # noise moves it
    ("smooth_ig", "symmetry"),  # as ig_uniform
    ("noise_ig", "completeness"),
    ("noise_ig", "dummy"),  # what cancels does so no longer
    ("noise_ig", "symmetry"),
    ("noise_ig", "linearity"),  # one draw for both is none for each
    ("noise_ig", "implementation"),  # noise is on weights
    ("xrai", "dummy"),  # a pixel shares with its region
    ("xrai", "nothing moved"),
    ("xrai", "symmetry"),  # edges of one go to a neighbour
    ("xrai", "linearity"),  # regions grow by attribution
    ("gradient_x_input", "completeness"),
    ("gradient_x_input", "sensitivity"),  # the gradient is zero where f is flat
    *((name, "linearity") for name in ("random_map", "edge_map", "distance_map")),  # nobody asks f
    *((name, "dummy") for name in ("random_map", "edge_map", "distance_map")),
    *((name, "symmetry") for name in ("random_map", "edge_map")),
}
OF_THE_FIELD = ("idgi", "left_ig", "idg", "guided_ig", "blur_ig", "big", "ig_undecided", "ig_calibrated", "xrai")
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|([^`\n]*)\|$", PAGE, re.MULTILINE)
TABLE = {name: cells.split("|") for names, cells in ROWS for name in re.findall(r"\w+", names)}
# Of the others the first of those that keep the same.
FAST = {*OF_THE_FIELD, *(re.findall(r"\w+", names)[0] for names, _ in ROWS)}


@pytest.fixture(scope="module")
def cards() -> ModuleType:
    return load_script("write_cards")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in TABLE])
def test_an_axiom_is_kept_or_has_a_counterexample(name: str, cards: ModuleType) -> None:
    method = cards.configured()[name].method
    for axiom, said in zip(AXIOMS, TABLE[name], strict=True):
        each = [violation(method, axiom, seed) for seed in SEEDS]
        missed = max((one for one in each if not math.isnan(one)), default=math.nan)
        if said.strip() == "-":
            assert math.isnan(missed), axiom
        elif said.strip() == "no":
            assert missed > VIOLATED, axiom
        else:
            assert keeps(axiom, missed), axiom
            assert axiom != "completeness" or missed < NEARLY_COMPLETE.get(name, COMPLETE)


def test_the_table_has_every_method_and_says_what_each_gives_up(cards: ModuleType) -> None:
    assert set(TABLE) == set(cards.configured())
    said = {
        (name, axiom)
        for name, cells in TABLE.items()
        for axiom, cell in zip(AXIOMS, cells, strict=True)
        if "no" in cell
    }
    assert said == GIVES_UP


@pytest.mark.parametrize("seed", SEEDS)
def test_a_blur_of_six_pixels_is_complete_to_a_thousandth(seed: int) -> None:
    """Without cut Gaussians, of few pixels, nothing but the rule is left."""
    generator = torch.Generator().manual_seed(seed)
    x, weight = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (1, 12))
    task = task_of(lambda z: torch.tanh(z.flatten(1) @ weight.T).sum(dim=1), x.view(1, 1, 2, 3))
    found = BlurIG(ScaleSpace(5.0, 2.0), Midpoint(64)).attribute(task, generator)
    assert found.completeness_gap.abs().max() < 1e-3 * found.attributions.abs().max()


@dataclass(frozen=True)
class Doubled:
    """A method of one's own, twice what Integrated Gradients give, plus one for the first feature."""

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        found = AveragedGradients("mean", GaussLegendre(32)).attribute(task, generator)
        assert found.players is not None
        more = torch.zeros_like(found.players)
        more[:, 0] = 1.0
        return Attribution(**{**vars(found), "players": 2 * found.players + more})


def test_a_method_of_ones_own_is_tried() -> None:
    missed = violations(Doubled(), SEEDS)
    assert {axiom for axiom in AXIOMS if not math.isnan(missed[axiom]) and not keeps(axiom, missed[axiom])} == {
        *("completeness", "dummy", "symmetry", "linearity"),
    }


def test_what_is_missed_is_in_units_of_the_largest_attribution_and_falls_with_the_nodes() -> None:
    """A one-sided sum is complete in the limit: it gets many nodes, whatever its own are."""
    few, many = (AveragedGradients("mean", LeftRiemann(nodes)) for nodes in (1, 1000))
    assert violation(few, "completeness", 1) == violation(many, "completeness", 1) < 0.02
