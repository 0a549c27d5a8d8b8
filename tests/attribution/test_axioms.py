"""Which axioms each method of conf/methods keeps: the table of docs/methods.md, tried again; and one's own methods."""

import math
import re
from dataclasses import dataclass
from types import ModuleType

import pytest
import torch

from igbaselines.attribution import Attribution, GaussLegendre, LeftRiemann
from igbaselines.attribution.axioms import AXIOMS, keeps, violation, violations
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.tasks import Task
from tests.commands import ROOT, load_script

SEEDS = (1, 2)
VIOLATED = 5e-3  # of the largest attribution: far from rounding
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|([^`\n]*)\|$", PAGE, re.MULTILINE)
FIRST = {re.findall(r"\w+", names)[0] for names, _ in ROWS} - {
    "xrai"
}  # of those that keep the same; segments take time
TABLE = {name: cells.split("|") for names, cells in ROWS for name in re.findall(r"\w+", names)}


@pytest.fixture(scope="module")
def cards() -> ModuleType:
    return load_script("write_cards")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FIRST else pytest.mark.slow) for name in TABLE]
)
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


def test_the_table_has_every_method(cards: ModuleType) -> None:
    assert set(TABLE) == set(cards.configured())


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
