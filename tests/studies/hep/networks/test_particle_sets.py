"""Deep Sets: the order of particles means nothing, those that are not there add nothing, and it learns a sum."""

import pytest
import torch
from torch import Tensor

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.common.errors import UserError
from igbaselines.models.inference import for_gradients
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.particle_sets import ParticleSet, ParticleSets, particle_layout
from igbaselines.studies.hep.networks.recipe import ParticleSetRecipe
from igbaselines.studies.hep.networks.training import evaluate, train
from igbaselines.studies.hep.networks.training_data import TrainingData

NAMES = ("met", "jet_pt_1", "jet_eta_1", "jet_pt_2", "jet_eta_2", "jet_2_missing", "lep_type_11", "lep_type_13")
FIRST, SECOND, MISSING = [1, 2], [3, 4], 5
ALL = torch.ones(1, len(NAMES), dtype=torch.bool)


@pytest.fixture
def recipe() -> ParticleSetRecipe:
    return ParticleSetRecipe(
        width=16,
        dropout=0.0,
        learning_rate=1e-2,
        weight_decay=1e-4,
        batch_size=128,
        max_epochs=15,
        patience=15,
        epoch_events=10_000,
        networks_at_once=2,
    )


@pytest.fixture
def events(generator: torch.Generator) -> Tensor:
    """In physical units; the second jet is softer, and not there in a third of them: then its columns hold means."""
    x = torch.rand(3000, len(NAMES), generator=generator) * torch.tensor([1.0, 100, 5, 40, 5, 1, 1, 1])
    x[:, MISSING] = (x[:, MISSING] < 1 / 3).float()
    x[:, 6] = (x[:, 6] < 0.5).float()
    x[:, 7] = 1 - x[:, 6]
    x[:, SECOND] = torch.where(x[:, MISSING, None] > 0, x[:, SECOND].mean(dim=0), x[:, SECOND])
    return x


@pytest.fixture
def data(events: Tensor) -> TrainingData:
    """Signal are events whose jets have more momentum together than 80."""
    standardise = Standardise.of(events)
    total = events[:, 1] + events[:, 3] * (1 - events[:, MISSING])
    order = torch.arange(len(events))
    return TrainingData(
        standardise(events), (total > 80).float(), order[:2000], order[2000:], NAMES, standardise=standardise
    )


def drawn(recipe: ParticleSetRecipe, data: TrainingData, mask: Tensor = ALL) -> ParticleSets:
    networks = recipe.untrained(mask, data, torch.Generator().manual_seed(0))
    assert isinstance(networks, ParticleSets)
    return networks


def taken(networks: ParticleSets, data: TrainingData, index: int = 0) -> ParticleSet:
    assert data.standardise is not None
    return networks.network(index, data.standardise, 0.0)


def test_names_say_which_particle_a_column_is_of() -> None:
    layout = particle_layout(NAMES)
    places = {NAMES[column]: (particle, kind) for particle, kind, column in layout.nonzero().tolist()}
    assert places["jet_pt_1"][1] == places["jet_pt_2"][1] != places["jet_eta_1"][1] == places["jet_eta_2"][1]
    assert places["jet_pt_2"][0] == places["jet_eta_2"][0] == places["jet_2_missing"][0] != places["jet_pt_1"][0]
    event = {name for name, (particle, _) in places.items() if particle == len(layout) - 1}
    assert event == {"met", "lep_type_11", "lep_type_13"}, "numbers of a category are no places of a list"
    assert layout.sum() == len(NAMES)
    with pytest.raises(UserError, match=r"found no particles: features such as jet_pt_1 .* \(dataset.jagged\)"):
        particle_layout(["HT", "m_l_j1", "tau21_b1", "lep_type_11", "lep_type_13"])


def test_the_order_of_particles_means_nothing(recipe: ParticleSetRecipe, data: TrainingData, events: Tensor) -> None:
    """In physical units, though the columns of the two jets are standardised one by one."""
    network, both = taken(drawn(recipe, data), data), events[events[:, MISSING] == 0]
    swapped = both.clone()
    swapped[:, FIRST], swapped[:, SECOND] = both[:, SECOND], both[:, FIRST]
    torch.testing.assert_close(network(swapped), network(both), rtol=1e-4, atol=1e-5)
    assert (network(swapped) - network(both).flip(0)).abs().max() > 1e-3


def test_what_is_not_there_adds_nothing(recipe: ParticleSetRecipe, data: TrainingData, events: Tensor) -> None:
    network, other = taken(drawn(recipe, data), data), events.clone()
    other[:, SECOND] += 7
    changed = (network(other) - network(events)).abs()
    missing = events[:, MISSING] > 0
    assert changed[missing].max() < 1e-5
    assert changed[~missing].median() > 1e-3


def test_networks_side_by_side_are_those_taken_out(
    recipe: ParticleSetRecipe, data: TrainingData, events: Tensor
) -> None:
    masks = torch.cat([ALL, ALL.clone()])
    masks[1, FIRST] = False
    networks = recipe.with_state(drawn(recipe, data, masks).state)
    assert isinstance(networks, ParticleSets)
    for index, expected in enumerate(networks.logits(data.x)):
        torch.testing.assert_close(taken(networks, data, index)(events), expected, rtol=1e-4, atol=1e-5)
    other = data.x.clone()
    other[:, FIRST] += 1
    whole, part = (networks.logits(other) - networks.logits(data.x)).abs()
    assert part.max() == 0
    assert whole.median() > 1e-3


def test_it_learns_a_sum_over_what_is_there(recipe: ParticleSetRecipe, data: TrainingData) -> None:
    trained = train(data, ALL, recipe, (1, 2))
    logits = evaluate(trained.networks, data.x[data.validation])[0]
    right = ((logits > 0) == (data.target[data.validation] > 0)).double().mean()
    assert right > 0.95


def test_attributions_are_complete_and_know_who_is_there(
    recipe: ParticleSetRecipe, data: TrainingData, events: Tensor
) -> None:
    """From the mean: a jet that is missing hands its share to the column that says so."""
    network, x = for_gradients(taken(drawn(recipe, data), data)), events[:50]
    baseline = events.mean(dim=0, keepdim=True)
    found = path_attribution(network, x, baseline, rule=GaussLegendre(32))
    change = (network(x) - network(baseline)).detach()
    torch.testing.assert_close(found.attributions.sum(dim=1), change, rtol=1e-3, atol=1e-4)
    assert found.attributions[:, MISSING].abs().min() > 0
