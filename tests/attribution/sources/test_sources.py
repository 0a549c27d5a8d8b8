"""Baselines that are looked for, against closed forms, brute force and other people's code."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import Drawn, TooFewExamplesError, ZeroBaseline
from igbaselines.attribution.budget import Budget
from igbaselines.attribution.methods import AveragedGradients, attribute_all, why_not
from igbaselines.attribution.sources.boundary import Boundary
from igbaselines.attribution.sources.calibrated import Calibrated
from igbaselines.attribution.sources.k_means import KMeansSummary
from igbaselines.attribution.sources.nearest import NearestOther
from igbaselines.attribution.sources.undecided import Undecided
from igbaselines.attribution.weighting import InverseFitness
from igbaselines.tasks import Background, Task, draw
from tests.small_tasks import task_of

Make = Callable[..., nn.Module]


def wide(examples: Tensor) -> Background:
    """Examples whose features have wide ranges about zero."""
    zero = torch.zeros_like(examples[0])
    return Background(examples, zero, low=zero - 9, high=zero + 9)


def drawn(source: Any, task: Task, seed: int = 0) -> Drawn:
    return draw(source, task.inputs, task.background, torch.Generator().manual_seed(seed))


@pytest.fixture
def task(make_mlp: Make, generator: torch.Generator) -> Task:
    """Four rows of 6 features, of three classes, whose ranges are wide."""
    rows = torch.randn(44, 6, generator=generator, dtype=torch.float64)
    network = make_mlp(classes=3)
    return task_of(network, rows[:4], wide(rows[4:]), network(rows[:4]).argmax(1))


def test_the_nearest_of_another_class(generator: torch.Generator) -> None:
    rows, low = torch.randn(20, 3, generator=generator), torch.zeros(3)
    span, own, stratum = torch.tensor([1.0, 10.0, 0.1]), torch.tensor([0, 1, -1]), torch.arange(17) % 3
    background = Background(rows[3:], low, stratum=stratum, own=own, low=low, high=span)
    baselines, weights = drawn(NearestOther(2), task_of(lambda z: z.sum(1), rows[:3], background))
    assert weights.tolist() == [0.5, 0.5]
    for i in range(3):
        others = [
            (float(((rows[i] - row) / span).norm()), row)
            for row, of in zip(rows[3:], stratum.tolist(), strict=True)
            if of != own[i]
        ]
        nearest = [row for _, row in sorted(others, key=lambda pair: pair[0])[:2]]
        assert torch.equal(baselines[i], torch.stack(nearest))


def test_the_nearest_is_never_the_input_itself() -> None:
    rows = torch.tensor([[0.0], [0.4], [1.0]])
    baselines, _ = drawn(NearestOther(9), task_of(lambda z: z.sum(1), rows[1:2], Background(rows, rows[0])))
    assert baselines.tolist() == [[[0.0], [1.0]]]
    alone = task_of(lambda z: z.sum(1), rows[:1], Background(rows[:1], rows[0]))
    with pytest.raises(TooFewExamplesError, match="no example of another class"):
        drawn(NearestOther(), alone)


@pytest.mark.slow  # shap takes seconds to import
def test_k_means_is_that_of_shap(generator: torch.Generator) -> None:
    shap = pytest.importorskip("shap")
    centres = torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]], dtype=torch.float64)
    rows = centres.repeat_interleave(torch.tensor([20, 10, 5]), 0)
    rows = rows + 0.02 * torch.randn(35, 2, generator=generator, dtype=torch.float64)
    background = Background(rows, centres[0])
    theirs = shap.kmeans(rows.numpy(), 3)
    for rounded, expected in ((True, theirs.data), (False, None)):
        baselines, weights = drawn(KMeansSummary(3, rounded), task_of(lambda z: z.sum(1), rows[:1], background))
        order = weights.argsort(descending=True)
        torch.testing.assert_close(weights[order], torch.tensor([4, 2, 1], dtype=torch.float64) / 7)
        if expected is not None:
            by_weight = torch.from_numpy(expected[theirs.weights.argsort()[::-1].copy()])
            torch.testing.assert_close(baselines[order], by_weight)
        else:
            torch.testing.assert_close(baselines[order][0], rows[:20].mean(0))


def test_k_means_counts_examples_by_their_weight() -> None:
    rows = torch.tensor([[0.0], [1.0]])
    background = Background(rows, rows[0], example_weight=torch.tensor([3.0, 1.0]))
    baselines, weights = drawn(KMeansSummary(5), task_of(lambda z: z.sum(1), rows[:1], background))
    assert sorted(zip(baselines.flatten().tolist(), weights.tolist(), strict=True)) == [(0, 0.75), (1, 0.25)]


def test_undecided_between_classes(task: Task) -> None:
    (baselines, _), f = drawn(Undecided(n_steps=60), task), task.f
    probabilities, before = f(baselines[:, 0]).softmax(1), f(task.inputs).softmax(1)
    assert (probabilities - 1 / 3).abs().max() < 0.01 < (before - 1 / 3).abs().max()
    few, _ = drawn(Undecided(n_steps=1), task)
    assert ((f(few[:, 0]).softmax(1) - 1 / 3).abs().amax(1) <= (before - 1 / 3).abs().amax(1) + 1e-12).all()


@pytest.mark.parametrize("source", [Undecided(0.5, 3), Boundary(0.5, 3, 40)], ids=["undecided", "boundary"])
def test_a_linear_output_is_projected_on_its_level(source: Any) -> None:
    w, rows = torch.tensor([3.0, -4.0]).double(), torch.tensor([[2.0, 1.0], [-1.0, 0.0]]).double()
    baselines, _ = drawn(source, task_of(lambda z: z @ w, rows, wide(rows)))
    expected = rows - ((rows @ w - 0.5) / 25)[:, None] * w
    torch.testing.assert_close(baselines[:, 0], expected, rtol=0, atol=1e-9)


def test_the_boundary_is_that_to_the_runner_up_and_just_behind_it(task: Task) -> None:
    baselines, _ = drawn(Boundary(n_steps=20, n_bisections=30), task)
    top = task.f(baselines[:, 0]).topk(2, dim=1)
    assert (top.values[:, 0] - top.values[:, 1]).abs().max() < 1e-6
    assert task.targets is not None
    assert task.f(baselines[:, 0]).argmax(1).ne(task.targets).all()
    linear = nn.Linear(6, 2).double()
    (w, b), x = ((p[0] - p[1]).detach() for p in linear.parameters()), task.inputs
    of_two = task_of(linear, x, replace(task.background, targets=None), linear(x).argmax(1))
    nearest = x - ((x @ w + b) / w.square().sum())[:, None] * w
    torch.testing.assert_close(drawn(Boundary(n_bisections=40), of_two)[0][:, 0], nearest, rtol=0, atol=1e-8)


def test_without_a_boundary_in_the_ranges_the_search_ends_at_their_edge() -> None:
    rows = torch.tensor([[0.5, 0.5]])
    baselines, _ = drawn(Boundary(-1.0), task_of(lambda z: z.sum(1), rows, Background(rows, rows[0])))
    assert baselines.tolist() == [[[0, 0]]]


def test_searches_stay_in_the_ranges_and_are_the_same_again(task: Task) -> None:
    tight = replace(task, background=replace(task.background, low=task.inputs.amin(0), high=task.inputs.amax(0)))
    low, high = tight.background.bounds()
    for source in (Undecided(), Boundary()):
        (one, _), (other, _) = (drawn(source, tight, seed) for seed in (0, 1))
        assert torch.equal(one, other)
        assert ((one >= low) & (one <= high)).all()


@pytest.mark.parametrize("count", [4, 12, 40])
def test_a_calibrated_background_has_the_neutral_output(count: int, task: Task) -> None:
    baselines, weights = drawn(Calibrated(count), task)
    assert task.targets is not None
    of = task.targets.unique()
    assert baselines.shape == (count, 6)
    assert weights.min() >= 0
    torch.testing.assert_close(
        weights @ task.f(baselines)[:, of], task.f(task.background.examples)[:, of].mean(0), rtol=0, atol=1e-8
    )


def test_calibrated_weights_are_as_equal_as_can_be() -> None:
    """Outputs -1 and 3 at twice as many: weights 3/4 and 1/4 whatever the tilt; all examples count as they are."""
    rows = torch.tensor([[-1.0], [3.0], [3.0], [-1.0], [-1.0], [-1.0], [-1.0], [-1.0]], dtype=torch.float64)
    background = Background(rows, rows[0], example_weight=torch.tensor([5.0, 1.0, 1.0, *[1.0] * 5]))
    f_0 = (-10 + 6) / 12
    task = task_of(lambda z: z.sum(1), rows[:1], background)
    baselines, weights = drawn(Calibrated(8), task)
    high = (f_0 + 1) / 4 / 2
    expected = torch.where(baselines[:, 0] > 0, high, (1 - 2 * high) / 6).double()
    torch.testing.assert_close(weights, expected, rtol=0, atol=1e-7)
    nearest, weight = drawn(Calibrated(1), task)
    assert nearest.tolist() == [[-1.0]]
    assert weight.tolist() == [1.0]


def test_who_asks_the_network_needs_one() -> None:
    rows = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="found by asking the network"):
        draw(Undecided(), rows, Background(rows, rows[0]), torch.Generator())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Undecided(n_steps=0), "n_steps of the descent"),
        (lambda: Boundary(n_steps=0), "n_steps >= 1"),
        (lambda: NearestOther(0), "count of nearest examples"),
        (lambda: KMeansSummary(0), "count of clusters"),
        (lambda: Calibrated(0), "count of calibrated examples"),
    ],
)
def test_what_no_source_can_be(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_search_counts_as_spent_alone_shared_and_weighted(task: Task) -> None:
    rule = GaussLegendre(4)
    methods = {
        "zero": AveragedGradients(ZeroBaseline(), rule),
        "big": AveragedGradients(Boundary(n_steps=3, n_bisections=5), rule),
    }
    together = attribute_all(methods, task, torch.Generator())
    alone = methods["big"].attribute(task, torch.Generator())
    for found in (together["big"], alone):
        assert found.gradient_points.tolist() == [7] * 4
        assert found.evaluations.tolist() == [14] * 4
    assert together["zero"].evaluations.tolist() == [4] * 4
    torch.testing.assert_close(together["big"].attributions, alone.attributions)
    weighted = replace(methods["big"], weighting=InverseFitness())
    weighted = replace(weighted, fitness=replace(weighted.fitness, mask=ZeroBaseline()))
    found = weighted.attribute(task, torch.Generator())
    assert found.fitness is not None
    assert found.evaluations.tolist() == [14 + scored for scored in found.fitness.scored.tolist()]
    small = methods["big"].within(task, Budget(30))
    assert small.baselines == Boundary(n_steps=3, n_bisections=5)
    assert small.rule == GaussLegendre((30 - 6 - 7) // 2)
    assert methods["big"].within(task, Budget(20)).baselines == Boundary(n_steps=1, n_bisections=5)
    assert why_not(methods["big"], task) is None


@pytest.mark.slow
@pytest.mark.parametrize("count", [10, 30])
def test_calibrated_weights_are_those_of_cbaseline(count: int, make_mlp: Make, generator: torch.Generator) -> None:
    """The package of the paper's author, where its kernel is one within a distance and f has one output."""
    cbaseline = pytest.importorskip("cbaseline")
    rows, network = torch.randn(200, 6, generator=generator, dtype=torch.float64), make_mlp()
    task = task_of(network, rows[:2], wide(rows))
    baselines, weights = drawn(Calibrated(count), task)
    outputs = network(rows).detach().numpy()
    with pytest.warns(RuntimeWarning, match="candidate cap"):  # so many of those within the distance
        theirs = cbaseline.background(
            outputs,
            outputs.mean(),
            rows.numpy(),
            weighting="calibrated",
            kernel="uniform",
            bandwidth=1e3,
            candidate_size=count,
        )
    ours, expected = baselines[:, 0].argsort(), theirs.rows[:, 0].argsort()
    np.testing.assert_array_equal(baselines[ours].numpy(), theirs.rows[expected])
    np.testing.assert_allclose(weights[ours].numpy(), theirs.weights[expected], rtol=1e-6)
