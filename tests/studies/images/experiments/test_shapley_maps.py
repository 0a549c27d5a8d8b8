"""Every method on a network with a closed form, and what each of them costs."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.baselines import MaximumDistance, TrainingMean, UniformNoise, ZeroBaseline
from igbaselines.attribution.image_baselines import Constant
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments.classifier import Classifier
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import ShapleyImagesAttribution, ShapleyImagesEvaluation
from igbaselines.studies.images.experiments.shapley_images import check_settings
from igbaselines.studies.images.experiments.shapley_maps import MapMaker, Sampling
from igbaselines.studies.images.networks.network import ImageNetwork, Probabilities
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.networks.recipe import EfficientNetLite

SIDE, MEAN = 12, (0.4, 0.5, 0.6)
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
    mask=None,
    grid=None,
    ranking="signed",
    overlap="paper",
    other_model=EfficientNetLite("efficientnet_lite1"),
    consistency_grid=4,
    patches=[56],
    coalitions=[4],
    examples=0,
)


class Linear(nn.Module):
    """Classes that are linear in the pixels; it counts the pictures that it was differentiated at."""

    def __init__(self, curvature: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3, SIDE, SIDE, generator=generator_for(5)), requires_grad=False)
        self.curvature = curvature
        self.gradients = 0

    def forward(self, z: Tensor) -> Tensor:
        self.gradients += len(z) * z.requires_grad
        return torch.einsum("mchw,kchw->mk", z, self.weight) + self.curvature * (z**2).sum(dim=(1, 2, 3))[:, None]


def maker(network: Linear, settings: ShapleyImagesAttribution = SETTINGS) -> MapMaker:
    pixels = ImageNetwork(network, MEAN, (0.2, 0.2, 0.2)).eval()
    classifier = Classifier(
        explained=pixels,
        scored=Probabilities(pixels),
        predicting=Probabilities(pixels),
        centre=pixels.mean,
        preprocessing=Preprocessing(SIDE, None, "bilinear"),
        minimum_top1=0.0,
        max_batch=3,
        device=torch.device("cpu"),
    )
    return MapMaker(classifier, settings, torch.rand(6, 3, SIDE, SIDE, generator=generator_for(6)), seed=0)


@pytest.fixture
def photograph() -> Tensor:
    return torch.rand(3, SIDE, SIDE, generator=generator_for(7))


CHOSEN = Chosen(Photograph("a.jpg", Path("a.jpg"), 1, None), predicted=1, probability=0.5)


def test_on_a_linear_network_every_method_has_its_closed_form(photograph: Tensor) -> None:
    network = Linear()
    slope = network.weight[1] / 0.2
    absent = torch.tensor(MEAN).view(3, 1, 1).expand_as(photograph)
    maps = {found.method: found for found in maker(network).every_method(CHOSEN, photograph)}
    assert list(maps) == ["shapley_ig", "ig_absent", "ig_black", "ig_white", "ig_uniform", "expected_gradients"]
    baselines = {"shapley_ig": absent, "ig_absent": absent}
    baselines |= {"ig_black": torch.zeros_like(photograph), "ig_white": torch.ones_like(photograph)}
    for method, baseline in baselines.items():
        torch.testing.assert_close(maps[method].attributions, slope * (photograph - baseline), rtol=1e-4, atol=1e-5)
    for found in maps.values():
        assert found.attributions.sum().item() == pytest.approx(found.change, rel=1e-3, abs=1e-3)


def test_every_method_takes_the_gradients_that_it_says(photograph: Tensor) -> None:
    network = Linear()
    maps = maker(network).every_method(CHOSEN, photograph)
    assert [found.gradient_points for found in maps] == [8] * len(maps)
    assert network.gradients == 8 * len(maps)
    assert all(found.seconds > 0 for found in maps)
    main = maker(network).sampling
    assert (main.coalitions, main.columns()) == (4, {"patch": 5, "coalitions": 4, "players": 9, "q": 4 / 2**9})
    assert "q" not in Sampling(SIDE, 3, 4).columns()  # 16 players


def test_draws_are_the_photographs_own_and_not_the_networks(photograph: Tensor) -> None:
    plain, again = (maker(Linear(0.3)).every_method(CHOSEN, photograph) for _ in range(2))
    other = dataclasses.replace(CHOSEN, photograph=Photograph("b.jpg", Path("b.jpg"), 1, None))
    elsewhere = maker(Linear(0.3)).every_method(other, photograph)
    random = {"shapley_ig", "ig_uniform", "expected_gradients"}
    for one, same, different in zip(plain, again, elsewhere, strict=True):
        torch.testing.assert_close(one.attributions, same.attributions, rtol=0, atol=0)
        changed = not torch.equal(one.attributions, different.attributions)
        assert changed == (one.method in random)


def test_shapley_ig_with_the_empty_coalition_alone_is_the_control(photograph: Tensor) -> None:
    explained = maker(Linear(0.3))
    _, control, *_ = explained.every_method(CHOSEN, photograph)
    found = explained.shapley(CHOSEN, photograph, Sampling(SIDE, 5, 1), control.change)
    assert found.gradient_points == 2
    torch.testing.assert_close(found.attributions, control.attributions, rtol=1e-4, atol=1e-5)  # exact on a quadratic


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"gradient_points": 9}, ["attribution.gradient_points", "multiple of attribution.shapley_nodes", "9 and 2"]),
        ({"gradient_points": 10}, ["attribution.gradient_points", "multiple of attribution.example_baselines"]),
        ({"gradient_points": 0}, ["attribution.gradient_points", "0 and 2"]),
        ({"shapley_nodes": 0}, ["attribution.shapley_nodes", "at least 1"]),
        ({"reference_images": 4}, ["attribution.reference_images", "exceed attribution.example_baselines", "4 and 4"]),
        ({"output": "odds"}, ["attribution.output", "probability or logit"]),
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
    short = dataclasses.replace(maker(Linear()), examples=photograph[None])  # itself alone
    with pytest.raises(UserError, match=r"too few photographs: 4 .* found 0; choose a smaller attribution.example"):
        short.every_method(CHOSEN, photograph)


@pytest.mark.parametrize("changed", [{"consistency_grid": 1}, {"consistency_grid": 33}, {"coalitions": [0]}])
def test_an_evaluation_that_will_not_do(changed: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"evaluation.{next(iter(changed))}"):
        dataclasses.replace(EVALUATION, **changed)  # type: ignore[arg-type]
