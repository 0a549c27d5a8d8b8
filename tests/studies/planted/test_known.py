"""The closed forms against all coalitions, and what the tasks promise of inputs, scores and variants."""

import pytest
import torch

from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.studies.planted.inputs import BLOCK, Distribution
from igbaselines.studies.planted.settings import KINDS, PlantedInputs
from igbaselines.tasks import Task, draw, for_each, impute
from tests.studies.planted.planted_tasks import function_of, task_of


def exact(task: Task, imputer: str) -> torch.Tensor:
    """Shapley values from all coalitions."""
    absent, weights = draw(task.imputer(imputer), task.inputs, task.background, torch.Generator())
    return exact_shapley_values(task.f, task.inputs, for_each(absent, task.inputs), weights).values


@pytest.mark.parametrize("kind", KINDS)
def test_known_values_are_the_shapley_values_of_all_coalitions(kind: str) -> None:
    task = task_of(kind)
    assert list(task.known) == ["zero", "mean", "background"]
    for imputer in task.known:
        assert task.known[imputer].abs().max() > 0.1
        torch.testing.assert_close(task.known[imputer], exact(task, imputer), rtol=0, atol=1e-12)


def test_known_values_go_with_inputs_and_variants() -> None:
    task = task_of("interactions")
    torch.testing.assert_close(task.take([3, 1]).known["mean"], task.known["mean"][[3, 1]])
    shuffled = task.variants["randomised"]()
    assert torch.equal(shuffled.inputs, task.inputs)
    assert not torch.allclose(shuffled.known["mean"], task.known["mean"])
    torch.testing.assert_close(shuffled.known["mean"], exact(shuffled, "mean"), rtol=0, atol=1e-12)
    torch.testing.assert_close(shuffled.followed(task.inputs, torch.arange(5)), shuffled.f(task.inputs).sigmoid())


def test_features_that_do_nothing_are_known_to() -> None:
    task, settings = task_of("irrelevant"), PlantedInputs(8, 4, 0.8, 40, 0)
    matters = Distribution.of(KINDS["irrelevant"], settings).matters
    assert (int(matters.sum()), len(matters)) == (8, 12)
    assert all((values[:, ~matters] == 0).all() and (values[:, matters] != 0).all() for values in task.known.values())
    shuffled = task.variants["randomised"]()
    assert (shuffled.known["mean"][:, ~matters] != 0).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(3))
def test_explained_inputs_can_lose_half_of_their_score(kind: str, number: int) -> None:
    task = task_of(kind, inputs=50, number=number, features=20)
    every = torch.arange(50)
    score = task.followed(task.inputs, every)
    deleted = task.followed(impute(task.imputer("mean"), task.inputs, task.background, torch.Generator()), every)
    assert (score > 0.5).all()
    assert (deleted <= 0.5 * score).all()


def test_draws_share_inputs_and_kinds_share_coefficients() -> None:
    first, second, correlated = task_of("interactions"), task_of("interactions", number=1), task_of("correlated")
    assert torch.equal(first.background.examples, second.background.examples)
    assert (first.data, second.network) == ("interactions", "draw_1")
    ratio = function_of(correlated).coefficient / function_of(first).coefficient
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    assert not torch.allclose(function_of(second).phase, function_of(first).phase)
    assert not any(parameter.requires_grad for parameter in function_of(first).parameters())


@pytest.mark.parametrize("kind", ["additive", "correlated", "irrelevant"])
def test_inputs_are_correlated_in_blocks(kind: str, generator: torch.Generator) -> None:
    distribution = Distribution.of(KINDS[kind], PlantedInputs(12, 10, 0.8, 40, 0))
    x = distribution.draw(20_000, generator)
    together = distribution.block[:, None] == distribution.block
    expected = torch.where(together, 0.8, 0.0).double().fill_diagonal_(1)
    torch.testing.assert_close(torch.corrcoef(x.T), expected, rtol=0, atol=0.04)
    torch.testing.assert_close(x.mean(dim=0), distribution.location, rtol=0, atol=0.04)
    partners = together.sum(dim=1) - 1
    assert set(partners.tolist()) == {"additive": {0}, "correlated": {BLOCK - 1}, "irrelevant": {0, 1}}[kind]
    if kind == "irrelevant":  # who has a partner has one of the other sort
        one, other = (together & ~torch.eye(22, dtype=torch.bool)).nonzero().unbind(1)
        assert len(one) == 10
        assert (distribution.matters[one] != distribution.matters[other]).all()
