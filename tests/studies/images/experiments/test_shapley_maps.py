"""Every method on a network with a closed form, and what each of them costs."""

import dataclasses

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import (
    MaximumDistance,
    TooFewExamplesError,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.image_baselines import Constant
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics.perturbation_curves import ShareGrid
from igbaselines.studies.images.experiments.settings import ShapleyImagesAttribution, ShapleyImagesEvaluation
from igbaselines.studies.images.experiments.shapley_images import check_settings, measure, sweeps
from igbaselines.studies.images.experiments.shapley_maps import Sampling, TimedMap, every_map
from igbaselines.studies.images.experiments.tasks import seen_by
from igbaselines.studies.images.networks.recipe import EfficientNetLite
from tests.studies.images.small_studies import MEAN, SIDE, Linear, small_study, small_task

SETTINGS = ShapleyImagesAttribution(
    output="logit",
    gradient_points=8,
    absent=TrainingMean(),
    patch=5,
    shapley_nodes=2,
    paired=False,
    baselines={"ig_black": ZeroBaseline(), "ig_white": Constant(1.0), "ig_uniform": UniformNoise()},
    example_baselines=4,
    reference_images=6,
)
EVALUATION = ShapleyImagesEvaluation(
    mask=TrainingMean(),
    grid=ShareGrid(4),
    ranking="signed",
    overlap="paper",
    other_model=EfficientNetLite("efficientnet_lite1"),
    consistency_grid=4,
    patches=[56],
    coalitions=[4],
    examples=0,
)


@pytest.fixture
def photograph() -> Tensor:
    return torch.rand(3, SIDE, SIDE, generator=generator_for(7))


def maps_of(
    network: Linear, photograph: Tensor, settings: ShapleyImagesAttribution = SETTINGS, name: str = "a.jpg"
) -> dict[str, TimedMap]:
    study = small_study(settings, network)
    return {one.method: one for one in every_map(study, small_task(study, photograph, name))}


def test_on_a_linear_network_every_method_has_its_closed_form(photograph: Tensor) -> None:
    network = Linear()
    slope = network.weight[1] / 0.2
    absent = torch.tensor(MEAN).view(3, 1, 1).expand_as(photograph)
    maps = maps_of(network, photograph)
    assert list(maps) == ["shapley_ig", "ig_absent", "ig_black", "ig_white", "ig_uniform", "expected_gradients"]
    baselines = {"shapley_ig": absent, "ig_absent": absent}
    baselines |= {"ig_black": torch.zeros_like(photograph), "ig_white": torch.ones_like(photograph)}
    for method, baseline in baselines.items():
        expected = slope * (photograph - baseline)
        torch.testing.assert_close(maps[method].found.attributions[0], expected, rtol=1e-4, atol=1e-5)
    study = small_study(SETTINGS, network)
    evaluation = EVALUATION
    for of_map in measure(evaluation, small_task(study, photograph), list(maps.values()), seed=0):
        assert of_map["completeness_gap"] < 1e-3


def test_every_method_takes_the_gradients_that_it_says(photograph: Tensor) -> None:
    network = Linear()
    maps = maps_of(network, photograph)
    assert [int(one.found.gradient_points) for one in maps.values()] == [8] * len(maps)
    assert network.gradients == 8 * len(maps)
    assert all(one.seconds > 0 for one in maps.values())
    (main,) = sweeps(SETTINGS, EVALUATION, SIDE)["methods"]
    assert (main.coalitions, main.columns()) == (4, {"patch": 5, "coalitions": 4, "players": 9, "q": 4 / 2**9})
    assert "q" not in Sampling(SIDE, 3, 4).columns()  # 16 players


def test_draws_are_the_photographs_own_and_not_the_networks(photograph: Tensor) -> None:
    plain, again = (maps_of(Linear(0.3), photograph) for _ in range(2))
    elsewhere = maps_of(Linear(0.3), photograph, name="b.jpg")
    for name, one in plain.items():
        torch.testing.assert_close(one.found.attributions, again[name].found.attributions, rtol=0, atol=0)
        changed = not torch.equal(one.found.attributions, elsewhere[name].found.attributions)
        assert changed == (name in {"shapley_ig", "ig_uniform", "expected_gradients"})


def test_a_random_absent_value_is_drawn_once_for_coalitions_and_control(photograph: Tensor) -> None:
    noise = dataclasses.replace(SETTINGS, absent=UniformNoise(), gradient_points=8, shapley_nodes=8)  # the empty one
    maps = maps_of(Linear(0.3), photograph, noise)
    torch.testing.assert_close(maps["shapley_ig"].found.f_baselines, maps["ig_absent"].found.f_baselines)


def test_shapley_ig_with_the_empty_coalition_alone_is_the_control(photograph: Tensor) -> None:
    study = small_study(SETTINGS, Linear(0.3))
    task = small_task(study, photograph)
    control = every_map(study, task, 2)[1].found
    found = Sampling(SIDE, 5, 1).map(study, task).found
    assert int(found.gradient_points) == 2
    torch.testing.assert_close(found.attributions, control.attributions, rtol=1e-4, atol=1e-5)  # exact on a quadratic


def test_another_network_sees_the_same_pixels_and_its_own_colour_of_zero(photograph: Tensor) -> None:
    study = small_study(SETTINGS, Linear(), Linear(0.3))
    other = dataclasses.replace(study.classifiers[1], centre=torch.full((3, 1, 1), 0.25))
    task = small_task(study, photograph)
    elsewhere = seen_by(task, other)
    assert elsewhere.inputs is task.inputs
    assert elsewhere.units == task.units
    assert elsewhere.f is other.explained
    assert elsewhere.background.examples is task.background.examples
    assert (elsewhere.background.centre == 0.25).all()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"gradient_points": 9}, ["attribution.gradient_points", "multiple of attribution.shapley_nodes", "9 and 2"]),
        ({"gradient_points": 10}, ["attribution.gradient_points", "multiple of attribution.example_baselines"]),
        ({"gradient_points": 0}, ["attribution.gradient_points", "at least 1"]),
        ({"shapley_nodes": 0}, ["attribution.shapley_nodes", "at least 1"]),
        ({"reference_images": 4}, ["attribution.reference_images", "exceed attribution.example_baselines", "4 and 4"]),
        ({"output": "odds"}, ["attribution.output", "logit or probability"]),
        ({"absent": UniformNoise(2)}, ["attribution.absent", "one baseline"]),
        ({"absent": "black"}, ["attribution.absent", "attribution/absent=black"]),
        ({"baselines": {"noise": UniformNoise(2)}}, ["attribution.baselines.noise", "one baseline"]),
        ({"baselines": {"shapley_ig": MaximumDistance()}}, ["attribution.baselines.shapley_ig", "another"]),
    ],
)
def test_settings_that_will_not_do(changed: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        dataclasses.replace(SETTINGS, **changed)  # type: ignore[arg-type]
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("attribution", "evaluation", "words"),
    [
        ({"patch": 224}, {}, ["attribution.patch", "below model.size (224)"]),
        ({}, {"patches": [56, 300]}, ["evaluation.patches", "300"]),
        ({}, {"other_model": EfficientNetLite("efficientnet_lite1", size=240)}, ["same pixels", "240", "224"]),
        ({}, {"other_model": EfficientNetLite("efficientnet_lite0")}, ["efficientnet_lite0", "another network"]),
    ],
)
def test_settings_that_do_not_fit_the_network(
    attribution: dict[str, object], evaluation: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        check_settings(
            EfficientNetLite("efficientnet_lite0"),
            dataclasses.replace(SETTINGS, **attribution),  # type: ignore[arg-type]
            dataclasses.replace(EVALUATION, **evaluation),  # type: ignore[arg-type]
        )
    assert all(word in str(error.value) for word in words), error.value


def test_the_settings_of_another_experiment_are_refused() -> None:
    with pytest.raises(UserError, match="attribution=shapley_ig"):
        check_settings(EfficientNetLite("efficientnet_lite0"), object(), EVALUATION)


def test_too_few_photographs_for_expected_gradients_are_named(photograph: Tensor) -> None:
    study = small_study(SETTINGS, Linear(), examples=photograph[None])  # itself alone
    with pytest.raises(TooFewExamplesError, match="4 examples beside the explained one are needed, found 0"):
        every_map(study, small_task(study, photograph))


@pytest.mark.parametrize("changed", [{"consistency_grid": 1}, {"consistency_grid": 33}, {"coalitions": [0]}])
def test_an_evaluation_that_will_not_do(changed: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"evaluation.{next(iter(changed))}"):
        dataclasses.replace(EVALUATION, **changed)  # type: ignore[arg-type]
