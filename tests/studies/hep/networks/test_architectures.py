"""Every architecture under the experiment's own calls: trained on subsets, taken out, and attributed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from igbaselines.attribution import AffineStem, GaussLegendre, path_attribution
from igbaselines.common.errors import UserError
from igbaselines.models.inference import for_gradients
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.experiments import networks as hep_networks
from igbaselines.studies.hep.experiments.networks import SplitEvents, split_events, train_on_subsets
from igbaselines.studies.hep.experiments.settings import HepEvaluation
from igbaselines.studies.hep.networks.dnn import DNN, Classifier, Probability
from igbaselines.studies.hep.networks.recipe import ACTIVATIONS, ClassifierRecipe, DNNRecipe, ObjectAttentionRecipe
from igbaselines.studies.hep.networks.training import Trained

NAMES = ("HT", "m_l_j1", "pT_l", "tau21_b1", "dR_j1_J", "m_l_j1_b")


@pytest.fixture(params=["swish", "relu", "deep", "attention"])
def architecture(
    request: pytest.FixtureRequest, recipe: DNNRecipe, attention: ObjectAttentionRecipe
) -> ClassifierRecipe:
    recipes = {
        "swish": recipe,
        "relu": replace(recipe, activation="relu"),
        "deep": replace(recipe, hidden=[8] * 5),
        "attention": attention,
    }
    chosen: ClassifierRecipe = replace(recipes[request.param], max_epochs=2)
    return chosen


@pytest.fixture
def events(rng: np.random.Generator) -> SplitEvents:
    """In physical units: the signal has a larger H_T."""
    process = np.repeat([0, 1, 2], 200)
    features = rng.normal(100, 30, (600, 6)).astype(np.float32)
    features[process == 0, 0] += 60
    table = EventTable(features, NAMES, process, ("signal", "tt", "wj"), process == 0, None, "")
    evaluation = HepEvaluation(1, 0.5, 0.2, ["all"], 0, 1.0, 0.5, 2)
    return split_events(table, evaluation, 0, 0, torch.device("cpu"))


def trained(events: SplitEvents, masks: Tensor, recipe: ClassifierRecipe, folder: Path) -> Trained:
    return train_on_subsets(events, masks.numpy(), recipe, (0,), folder, lambda _: None)


def test_finished_networks_are_not_trained_again(
    architecture: ClassifierRecipe, events: SplitEvents, masks: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(events, masks, replace(architecture, networks_at_once=3), tmp_path)
    monkeypatch.setattr(hep_networks, "train", None)
    again = trained(events, masks, replace(architecture, networks_at_once=3), tmp_path)
    assert torch.equal(again.loss, first.loss)
    np.testing.assert_array_equal(events.test_logits(again.networks), events.test_logits(first.networks))
    test = events.data.x[torch.from_numpy(events.split.test)] * events.standardise.scale + events.standardise.mean
    for index, expected in enumerate(events.test_logits(again.networks)):
        logits = again.networks.network(index, events.standardise, 0.2)(test)
        np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=0, atol=1e-5)


def test_architectures_share_a_folder_of_checkpoints(
    recipe: DNNRecipe, attention: ObjectAttentionRecipe, events: SplitEvents, masks: Tensor, tmp_path: Path
) -> None:
    recipes = [replace(r, max_epochs=1) for r in (recipe, replace(recipe, activation="relu"), attention)]
    shared = [trained(events, masks, r, tmp_path).loss for r in recipes]
    for index, r in enumerate(recipes):
        assert torch.equal(trained(events, masks, r, tmp_path / str(index)).loss, shared[index])
    assert not torch.allclose(shared[0], shared[1])


@pytest.mark.parametrize("probability", [False, True])
def test_attributions_are_those_of_a_plain_loop(
    architecture: ClassifierRecipe, events: SplitEvents, masks: Tensor, tmp_path: Path, probability: bool
) -> None:
    """Stem, folding and chunks against autograd at every point, on the module as it was taken out."""
    network: Classifier = trained(events, masks[:1], architecture, tmp_path).networks.network(
        0, events.standardise, 0.2
    )
    model = (Probability(network) if probability else network).double()
    fast = for_gradients(model)
    assert isinstance(fast, AffineStem)
    physical = events.data.x.double() * events.standardise.scale + events.standardise.mean
    inputs, baselines = physical[:3], torch.cat([physical[-2:], torch.zeros(1, 6)])
    shared = baselines.expand(3, -1, -1)
    found = path_attribution(fast, inputs, shared, rule=GaussLegendre(5), max_batch=7, keep_per_baseline=True)
    nodes, weights = np.polynomial.legendre.leggauss(5)
    for i, x in enumerate(inputs):
        for k, baseline in enumerate(baselines):
            expected = torch.zeros(6).double()
            for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
                point = (baseline + node * (x - baseline)).requires_grad_()
                (gradient,) = torch.autograd.grad(model(point[None]).sum(), point)
                expected += weight * gradient * (x - baseline)
            assert found.per_baseline is not None
            torch.testing.assert_close(found.per_baseline[i, k], expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(found.f_inputs, model(inputs).detach())


@pytest.mark.parametrize(("activation", "expected"), [("swish", torch.nn.SiLU()), ("relu", torch.nn.ReLU())])
def test_the_activation_is_the_one_that_is_named(
    activation: str, expected: torch.nn.Module, generator: torch.Generator
) -> None:
    network = DNN(Standardise(torch.zeros(3), torch.ones(3)), [4], 0.0, activation).eval()
    x = torch.randn(9, 3, generator=generator)
    behind = network.logit(expected(network.norm[0](network.linear[0](x)))).squeeze(1)
    torch.testing.assert_close(network(x), behind)
    assert activation in ACTIVATIONS


def test_attention_refuses_features_without_objects_before_it_trains(
    attention: ObjectAttentionRecipe, events: SplitEvents, masks: Tensor, tmp_path: Path
) -> None:
    unnamed = replace(events, data=replace(events.data, feature_names=tuple(f"x{i}" for i in range(6))))
    with pytest.raises(UserError, match="model=object_attention cannot tell what the feature 'x0' describes"):
        trained(unnamed, masks, attention, tmp_path)
    assert not list(tmp_path.iterdir())
