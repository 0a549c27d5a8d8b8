"""Methods are the engine with their baselines, weights and rule put in; together they share its gradients."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import Attribution, GaussLegendre, Midpoint, RandomPoint, path_attribution
from igbaselines.attribution.baselines import (
    BaselineSet,
    Examples,
    MeanExample,
    PerStratum,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.engine.result import MinimalDeletion
from igbaselines.attribution.fitness import BinarySearch, Fitness
from igbaselines.attribution.image_baselines import Blurred, CornerMean
from igbaselines.attribution.methods import (
    AveragedGradients,
    Method,
    SharedGradients,
    attribute_all,
    shareable,
    why_not,
)
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum, EqualFitness, InverseFitness, OthersFitness, WithoutLeastFit
from igbaselines.tasks import Background, Task
from tests.small_tasks import players_of, task_of

Make = Callable[..., nn.Module]
TARGETS = torch.tensor([0, 2, 1, 1])
FITNESS = Fitness(BinarySearch(tolerance=0.0), ZeroBaseline())
PARTS = (
    "attributions",
    "players",
    "f_inputs",
    "f_baselines",
    "completeness_gap",
    "weights",
    "gradients",
    "evaluations",
)


@pytest.fixture
def background(generator: torch.Generator) -> Background:
    return Background(
        examples=torch.randn(30, 6, generator=generator, dtype=torch.float64),
        stratum=torch.arange(30) % 3,
        stratum_weight=torch.tensor([1.0, 5.0, 2.0]),
        centre=torch.full((6,), 0.25, dtype=torch.float64),
    )


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.randn(4, 6, generator=generator, dtype=torch.float64)


@pytest.fixture
def task(background: Background, inputs: Tensor, make_mlp: Make) -> Task:
    return task_of(make_mlp(), inputs, background)


@pytest.fixture
def classes(background: Background, inputs: Tensor, make_mlp: Make) -> Task:
    return task_of(nn.Sequential(make_mlp(classes=3), nn.Softmax(1)), inputs, background, TARGETS, max_batch=11)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_same(found: Attribution, expected: Attribution) -> None:
    for name in PARTS:
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-13, check_dtype=False)


# One method


def test_ig_is_the_path_from_one_baseline(task: Task) -> None:
    method = AveragedGradients(TrainingMean())
    assert method.rule == GaussLegendre(32)
    result = method.attribute(task, seeded())
    expected = path_attribution(task.f, task.inputs, task.background.centre[None])
    torch.testing.assert_close(result.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert result.completeness_gap.shape == (4, 1)


def test_baselines_by_the_name_of_an_imputer(task: Task) -> None:
    named = replace(task, imputers={"mean": TrainingMean()})
    by_name, by_object = (AveragedGradients(b).attribute(named, seeded()) for b in ("mean", TrainingMean()))
    assert torch.equal(by_name.attributions, by_object.attributions)
    with pytest.raises(ValueError, match="task task knows no imputer 'zero': it has mean"):
        AveragedGradients("zero").attribute(named, seeded())


def test_averages_over_weighted_baselines_of_a_class(background: Background, inputs: Tensor, make_mlp: Make) -> None:
    source = PerStratum(2, ByStratum())
    task = task_of(make_mlp(classes=3), inputs, background, TARGETS, max_batch=3)
    result = AveragedGradients(source, Midpoint(5)).attribute(task, seeded())
    baselines, weights = source.draw(inputs, background, seeded())
    expected = path_attribution(make_mlp(classes=3), inputs, baselines, weights, Midpoint(5), TARGETS)
    torch.testing.assert_close(result.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert result.weights is not None
    torch.testing.assert_close(result.weights, weights.expand(4, 6), rtol=0, atol=1e-15)
    torch.testing.assert_close(result.change, result.f_inputs - result.f_baselines @ weights, rtol=0, atol=1e-14)


def test_expected_gradients_draw_one_point_a_path(task: Task) -> None:
    method = AveragedGradients(PerStratum(3), RandomPoint())
    one, again, other = (method.attribute(task, seeded(s)).attributions for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_expected_gradients_converge_to_the_integral(task: Task) -> None:
    every = PerStratum(10)  # all examples, so that the nodes alone are random
    truth = AveragedGradients(every).attribute(task, seeded()).attributions
    method = AveragedGradients(every, RandomPoint())
    draws = torch.stack([method.attribute(task, seeded(s)).attributions for s in range(64)])
    standard_error = draws.std(0) / 8
    assert torch.all((draws.mean(0) - truth).abs() < 5 * standard_error)
    assert standard_error.max() < 0.2 * truth.abs().max()


def test_methods_touch_no_global_random_state(task: Task) -> None:
    before = torch.get_rng_state()
    AveragedGradients(PerStratum(3), RandomPoint()).attribute(task, seeded())
    attribute_all({"one": AveragedGradients(UniformNoise(2)), "two": ShapleyIG(ZeroBaseline(), 4)}, task, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_does_not_grow_with_baselines_where_nobody_judges_them(task: Task) -> None:
    assert AveragedGradients(PerStratum(3)).attribute(task, seeded()).per_baseline is None
    judged = AveragedGradients(PerStratum(3), weighting=InverseFitness(), fitness=FITNESS).attribute(task, seeded())
    assert judged.per_baseline is not None
    assert judged.per_baseline.shape == (4, 9, 6)


@pytest.mark.parametrize("method", [AveragedGradients(PerStratum(2)), ShapleyIG(ZeroBaseline(), 4)], ids=str)
def test_attributions_on_the_device_of_the_task(method: Method, task: Task, device: torch.device) -> None:
    assert isinstance(task.f, nn.Module)
    given = {name: value for name, value in vars(task.background).items() if value is not None}
    background = replace(task.background, **{name: value.to(device) for name, value in given.items()})
    there = replace(task, f=task.f.to(device), inputs=task.inputs.to(device), background=background)
    found = method.attribute(there, seeded())
    assert found.attributions.device.type == players_of(found).device.type == device.type
    assert found.evaluations.device.type == device.type


# Several methods


@dataclass
class Counter:
    """Counts the points that a network sees, with and without gradients."""

    forwards: int = 0
    gradients: int = 0


def counting(network: nn.Module) -> Counter:
    counter = Counter()

    def count(module: nn.Module, points: tuple[Tensor, ...], output: Tensor) -> None:
        if torch.is_grad_enabled():
            counter.gradients += len(points[0])
        else:
            counter.forwards += len(points[0])

    network.register_forward_hook(count)
    return counter


WEIGHTINGS: dict[str, Method] = {
    "equal": AveragedGradients(PerStratum(2), Midpoint(5)),
    "weighted": AveragedGradients(PerStratum(2, ByStratum()), Midpoint(5)),
    "by fitness": AveragedGradients(PerStratum(2), Midpoint(5), InverseFitness(), FITNESS),
}
MIXED: dict[str, Method] = {
    **WEIGHTINGS,
    "shapley": ShapleySampling(ZeroBaseline(), 5),
    "filtered": AveragedGradients(Examples(3), Midpoint(5), InverseFitness(0.9), FITNESS),
    "least": AveragedGradients(Examples(3), Midpoint(5), WithoutLeastFit(1), FITNESS),
    "other fitness": AveragedGradients(
        Examples(3), Midpoint(5), InverseFitness(), Fitness(BinarySearch(tolerance=0.0), MeanExample(), "magnitude")
    ),
    "own": AveragedGradients(Examples(3), Midpoint(5)),
    "zero": AveragedGradients(ZeroBaseline(), Midpoint(5)),
    "more nodes": AveragedGradients(ZeroBaseline(), GaussLegendre(7)),
    "sig": ShapleyIG(ZeroBaseline(), 5),
}


def test_methods_of_the_same_baselines_take_their_gradients_once(classes: Task) -> None:
    assert isinstance(classes.f, nn.Module)
    counter = counting(classes.f)
    found = attribute_all(WEIGHTINGS, classes, seeded())
    assert list(found) == list(WEIGHTINGS)
    assert counter.gradients == 4 * 6 * 5
    shared = counter.forwards
    for name, method in WEIGHTINGS.items():
        assert_same(found[name], method.attribute(classes, seeded()))
        assert found[name].gradient_points.tolist() == [6 * 5] * 4  # what each would spend alone
    assert counter.gradients == 4 * (4 * 6 * 5)
    assert shared < counter.forwards - shared


def test_methods_of_one_fitness_judge_their_baselines_once(classes: Task) -> None:
    passes: list[int] = []

    def score(points: Tensor, source: Tensor) -> Tensor:
        passes.append(len(points))
        return points.sum(1).exp()

    scored = replace(classes, score=score)
    two: dict[str, Method] = {name: MIXED[name] for name in ("filtered", "least")}
    attribute_all(two, scored, seeded())
    once = sum(passes)
    two["filtered"].attribute(scored, seeded())
    assert sum(passes) == 2 * once


def test_together_methods_give_what_each_gives_alone(classes: Task) -> None:
    found = attribute_all(MIXED, classes, seeded())
    assert list(found) == list(MIXED)
    for name, method in MIXED.items():
        alone = method.attribute(classes, seeded())
        assert_same(found[name], alone)
        assert (found[name].fitness is None) == (alone.fitness is None)
        if alone.fitness is not None:
            assert isinstance(found[name].fitness, MinimalDeletion)
            assert torch.equal(vars(found[name].fitness)["d_alpha"], alone.fitness.d_alpha)


def test_the_order_of_methods_does_not_matter(classes: Task) -> None:
    found = attribute_all(MIXED, classes, seeded())
    turned = attribute_all(dict(reversed(MIXED.items())), classes, seeded())
    assert list(turned) == list(reversed(MIXED))
    for name, attribution in turned.items():
        assert_same(attribution, found[name])


def test_the_generator_given_to_all_stays_where_it_was(classes: Task) -> None:
    generator = seeded()
    before = generator.get_state()
    attribute_all(MIXED, classes, generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rows_in_chunks_are_the_whole(classes: Task, size: int) -> None:
    """Shared and per-input baselines, with weights of their own and by fitness, some of the inputs at a time."""
    averages = {name: method for name, method in MIXED.items() if name in shareable(MIXED)[0]}
    assert len(averages) == len(MIXED) - 3
    whole = SharedGradients.draw(shareable(averages)[0], classes, seeded()).attribute()
    shared = SharedGradients.draw(shareable(averages)[0], classes, seeded())
    chunks = [shared.attribute(slice(start, start + size)) for start in range(0, 4, size)]
    for name, expected in whole.items():
        for part in PARTS:
            found = torch.cat([getattr(chunk[name], part) for chunk in chunks])
            torch.testing.assert_close(found, getattr(expected, part), rtol=0, atol=1e-13)


def test_random_nodes_in_chunks_are_those_of_the_whole(task: Task) -> None:
    methods = {"expected": AveragedGradients(Examples(3), RandomPoint())}
    whole = SharedGradients.draw(methods, task, seeded()).attribute()["expected"]
    shared = SharedGradients.draw(methods, task, seeded())
    parts = [shared.attribute(rows)["expected"].attributions for rows in (slice(0, 3), slice(3, 4))]
    torch.testing.assert_close(torch.cat(parts), whole.attributions, rtol=0, atol=1e-14)
    alone = methods["expected"].attribute(task, seeded())
    torch.testing.assert_close(whole.attributions, alone.attributions, rtol=0, atol=1e-14)
    other = SharedGradients.draw(methods, task, seeded()).attribute(generator=seeded(7))["expected"]
    assert not torch.allclose(other.attributions, whole.attributions)


def test_nodes_are_never_drawn_from_what_baselines_were_drawn_from(task: Task) -> None:
    """A source that draws nothing comes last and puts no generator back."""
    noise = AveragedGradients(UniformNoise(2), RandomPoint())
    generator = seeded()
    methods = {"noise": noise, "zero": AveragedGradients(ZeroBaseline(), RandomPoint())}
    shared = SharedGradients.draw(methods, task, generator)
    after = seeded()
    UniformNoise(2).draw(task.inputs, task.background, after)
    assert torch.equal(generator.get_state(), after.get_state())
    assert list(shared.attribute()) == ["noise", "zero"]


def test_masks_that_cannot_be_hashed_are_judged_with(classes: Task) -> None:
    fitness = Fitness(BinarySearch(tolerance=0.0), BaselineSet({"zero": ZeroBaseline()}))
    weighted: dict[str, Method] = {
        "wg": AveragedGradients(PerStratum(2), Midpoint(5), InverseFitness(), fitness),
        "eg": AveragedGradients(PerStratum(2), Midpoint(5), EqualFitness(), fitness),
    }
    found = attribute_all(weighted, classes, seeded())
    assert_same(found["wg"], attribute_all(WEIGHTINGS, classes, seeded())["by fitness"])


def test_shared_baselines_count_once(classes: Task) -> None:
    shared = SharedGradients.draw(shareable(MIXED)[0], classes, seeded())
    assert shared.baselines_an_input == 6 + 3 + 1  # two of each stratum, three examples, zero
    assert sorted(shared.one_a_set) == sorted(["by fitness", "own", "zero"])
    found = shared.attribute()
    spent = sum(int(found[name].gradient_points.sum()) for name in shared.one_a_set)
    assert spent == 4 * shared.baselines_an_input * 5


def test_what_can_share_is_found_by_rule() -> None:
    assert [set(some) for some in shareable(MIXED)] == [set(MIXED) - {"shapley", "sig", "more nodes"}, {"more nodes"}]


# What fits


@dataclass(frozen=True)
class Picky:
    """A method that speaks for itself."""

    reason: str | None

    def why_not(self, task: Task) -> str | None:
        return self.reason

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        raise NotImplementedError


class Slotted:
    """A method without a __dict__."""

    __slots__ = ()

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        raise NotImplementedError


def test_says_why_a_method_does_not_fit_a_table(task: Task) -> None:
    named = replace(task, imputers={"zero": ZeroBaseline(), "corners": CornerMean()})
    blur = BaselineSet({"zero": ZeroBaseline(), "blur": Blurred(2.0)})
    judged = AveragedGradients(ZeroBaseline(), weighting=InverseFitness())
    reasons: list[tuple[Method, str | None]] = [
        (AveragedGradients(ZeroBaseline()), None),
        (AveragedGradients("zero"), None),
        (AveragedGradients("mean"), "its baselines 'mean' is no imputer of task: zero, corners"),
        (AveragedGradients(Blurred(2.0)), "its baselines Blurred is of pictures"),
        (AveragedGradients(blur), "its sources blur Blurred is of pictures"),
        (judged, "its mask CornerMean is of pictures"),
        (replace(judged, fitness=Fitness(mask="zero")), None),
        (replace(judged, fitness=Fitness(mask="mean")), "its mask 'mean' is no imputer of task: zero, corners"),
        (replace(judged, weighting=None), None),  # nobody asks for the fitness
        (replace(judged, fitness=Fitness(mask=blur)), "its sources blur Blurred is of pictures"),
        (AveragedGradients(PerStratum(1)), None),
        (AveragedGradients(PerStratum(1, ByStratum())), None),
        (ShapleyIG("mean"), "its imputer 'mean' is no imputer of task: zero, corners"),
        (ShapleySampling(MeanExample()), None),
        (Picky("no reason but mine"), "no reason but mine"),
        (Picky(None), None),
        (Slotted(), None),
    ]
    for method, expected in reasons:
        assert isinstance(method, Method)
        assert why_not(method, named) == expected
    unweighted = replace(named, background=replace(task.background, stratum_weight=None))
    needs = "its weighting ByStratum needs the weight of each stratum, such as a cross-section"
    assert why_not(AveragedGradients(PerStratum(1, ByStratum())), unweighted) == needs
    assert why_not(AveragedGradients("mean"), task) == "its baselines 'mean' is no imputer of task: it has none"


def test_weights_of_others_are_refused_for_a_single_input(task: Task) -> None:
    method = AveragedGradients(Examples(3), weighting=OthersFitness(), fitness=FITNESS)
    assert why_not(method, task) is None
    assert why_not(method, task.take([2])) == "its weighting OthersFitness needs other inputs of the same task"


def test_every_method_fits_pictures(generator: torch.Generator) -> None:
    pictures = task_of(lambda x: x.flatten(1).sum(1), torch.rand(2, 3, 4, 5, generator=generator))
    for method in (AveragedGradients(Blurred(2.0)), AveragedGradients(ZeroBaseline(), weighting=InverseFitness())):
        assert why_not(method, pictures) is None
