"""Self-attention between objects: PyTorch's own layer, and networks side by side as one by one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks import training
from igbaselines.studies.hep.networks.attention_ensemble import AttentionEnsemble
from igbaselines.studies.hep.networks.object_tokens import object_tokens
from igbaselines.studies.hep.networks.recipe import ObjectAttentionRecipe
from igbaselines.studies.hep.networks.training import evaluate, train
from igbaselines.studies.hep.networks.training_data import TrainingData

NAMES = ("HT", "m_l_j1", "pT_l", "tau21_b1", "dR_j1_J", "m_l_j1_b")
WIDTH = 8
SEED = (1, 2, 3)


@pytest.fixture
def named(data: TrainingData) -> TrainingData:
    return replace(data, train=data.train[:320], feature_names=NAMES)


@pytest.fixture
def networks(
    attention: ObjectAttentionRecipe, masks: Tensor, named: TrainingData, generator: torch.Generator
) -> AttentionEnsemble:
    networks = attention.untrained(masks, named, generator)
    assert isinstance(networks, AttentionEnsemble)
    networks.state = {n: t if t.dtype == torch.bool else t.double() for n, t in networks.state.items()}
    return networks


def unit() -> Standardise:
    return Standardise(torch.zeros(6).double(), torch.ones(6).double())


def test_is_pytorchs_encoder_over_objects(networks: AttentionEnsemble, generator: torch.Generator) -> None:
    """Tokens made one by one; pre-norm encoder layers of PyTorch; the mean; a logit."""
    standardise = Standardise(torch.randn(6, generator=generator), torch.rand(6, generator=generator) + 0.5)
    network = networks.network(0, standardise, 0.0)
    own = network.state_dict()
    x = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    standardised = (x - standardise.mean.double()) / standardise.scale.double()
    tokens = []
    for index, row in enumerate(object_tokens(NAMES)):
        rows = slice(index * WIDTH, (index + 1) * WIDTH)
        weight = own["embedding.weight"][rows][:, row]
        tokens.append(standardised[:, row] @ weight.T + own["embedding.bias"][rows])
    z = torch.stack(tokens, dim=1)
    names = {
        "self_attn.in_proj_": "queries_keys_values.",
        "self_attn.out_proj.": "attended.",
        "linear1.": "feed_forward.0.",
        "linear2.": "feed_forward.2.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    for block in range(2):
        layer = nn.TransformerEncoderLayer(
            WIDTH, 2, 2 * WIDTH, 0.0, nn.functional.silu, batch_first=True, norm_first=True
        ).double()
        parts = {
            f"{t}{kind}": own[f"blocks.{block}.{o}{kind}"] for t, o in names.items() for kind in ("weight", "bias")
        }
        layer.load_state_dict(parts)
        z = layer(z)
    mean = nn.functional.layer_norm(z.mean(1), (WIDTH,), own["norm.weight"], own["norm.bias"])
    expected = mean @ own["logit.weight"][0] + own["logit.bias"]
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-12)


def test_initial_weights_lie_within_pytorchs_bounds(
    attention: ObjectAttentionRecipe, masks: Tensor, named: TrainingData, generator: torch.Generator
) -> None:
    attention = replace(attention, width=64)
    state = attention.untrained(masks, named, generator).state
    seen = masks[:, None] & object_tokens(NAMES)
    weight = state["embedding.weight"].unflatten(1, (7, 64))
    for network, token in seen.any(2).nonzero().tolist():
        bound, largest = seen[network, token].sum() ** -0.5, weight[network, token].abs().amax(0)
        assert torch.equal(largest > 0, seen[network, token])
        assert 0.8 * bound < largest.max() <= bound
    for name, fan_in in (("queries_keys_values", 64), ("attended", 64), ("feed_forward.2", 128)):
        assert 0.99 * fan_in**-0.5 < state[f"blocks.1.{name}.weight"].abs().max() <= fan_in**-0.5
    assert torch.all(state["blocks.0.attention_norm.weight"] == 1)
    assert torch.all(state["norm.bias"] == 0)
    for name, tensor in state.items():  # differences between networks are paired
        if not name.startswith(("embedding", "mask")):
            assert torch.equal(tensor, tensor[:1].expand_as(tensor))


def test_networks_taken_out_give_the_logits_of_the_ensemble(
    networks: AttentionEnsemble, generator: torch.Generator
) -> None:
    x = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    before = torch.get_rng_state()
    for index, expected in enumerate(networks.logits(x)):
        network = networks.network(index, unit(), 0.2)
        assert not network.training
        torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-12)
        with torch.no_grad():  # it shares no memory with the ensemble
            network.logit.weight.zero_()
    assert torch.equal(torch.get_rng_state(), before)
    assert networks.state["logit.weight"].abs().min() > 0
    assert torch.equal(networks.select(torch.tensor([2, 0])).logits(x), networks.logits(x)[[2, 0]])


def test_a_training_step_is_that_of_pytorch(
    networks: AttentionEnsemble, masks: Tensor, named: TrainingData, generator: torch.Generator
) -> None:
    """Gradients through dropout and AdamW with decay, for every network by itself."""
    alone = [networks.network(index, unit(), 0.0).train() for index in range(len(masks))]
    tensors = [tensor.requires_grad_() for tensor in networks.trained().values()]
    together = torch.optim.AdamW(tensors, lr=0.05, weight_decay=0.1)
    optimisers = [torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1) for network in alone]
    embeds = object_tokens(NAMES).repeat_interleave(WIDTH, dim=0)
    for step in range(2):
        events = named.train[100 * step : 100 * (step + 1)]
        x, target = named.x[events], named.target[events]
        keep = [torch.rand(units, 100, generator=generator).double().round() for units in networks.dropout_units]
        logits = networks.logits(x, keep)
        losses = binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none").mean(dim=1)
        together.zero_grad()
        losses.sum().backward()
        networks.mask_gradients()
        together.step()
        for index, (network, optimiser) in enumerate(zip(alone, optimisers, strict=True)):
            loss = binary_cross_entropy_with_logits(network(x, keep), target)
            torch.testing.assert_close(losses[index], loss, rtol=0, atol=1e-10)
            optimiser.zero_grad()
            loss.backward()
            assert network.embedding.weight.grad is not None
            network.embedding.weight.grad *= embeds & masks[index]
            optimiser.step()
    for index, network in enumerate(alone):
        for name, tensor in networks.network(index, unit(), 0.0).state_dict().items():
            torch.testing.assert_close(tensor, network.state_dict()[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("place", range(4))
def test_dropout_takes_away_what_one_step_of_a_block_adds(
    networks: AttentionEnsemble, place: int, generator: torch.Generator
) -> None:
    x = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    keep = [torch.ones(units, 30).double() for units in networks.dropout_units]
    torch.testing.assert_close(networks.logits(x, keep), networks.logits(x))
    keep[place].zero_()
    found = networks.logits(x, keep)[0]
    network = networks.network(0, unit(), 0.0)
    last = f"blocks.{place // 2}.{('attended', 'feed_forward.2')[place % 2]}"
    with torch.no_grad():
        for parameter in network.get_submodule(last).parameters():
            parameter.zero_()
        torch.testing.assert_close(found, network(x), rtol=0, atol=1e-12)
    assert not torch.allclose(found, networks.logits(x)[0])


def test_learns_and_masked_features_have_no_influence(
    named: TrainingData, masks: Tensor, attention: ObjectAttentionRecipe
) -> None:
    trained = train(named, masks[:3], attention, SEED)
    part = named.validation
    right = (evaluate(trained.networks, named.x[part]) > 0) == (named.target[part] > 0)
    full, separating, noise = right.double().mean(1).tolist()
    assert min(full, separating) > 0.9 > noise
    before = trained.networks.logits(named.x[:30])
    for feature in range(6):
        perturbed = named.x[:30].clone()
        perturbed[:, feature] += 100
        same = torch.isclose(trained.networks.logits(perturbed), before, rtol=0, atol=1e-12).all(dim=1)
        assert same.tolist() == (~masks[:3, feature]).tolist()


def test_together_as_one_after_another(named: TrainingData, masks: Tensor, attention: ObjectAttentionRecipe) -> None:
    attention = replace(attention, patience=1, blocks=1)
    together = train(named, masks, attention, SEED)
    assert len(together.epochs.unique()) > 1  # some dropped out before others
    for index in range(len(masks)):
        alone = train(named, masks[index : index + 1], attention, SEED)
        torch.testing.assert_close(alone.loss, together.loss[index : index + 1], rtol=0, atol=1e-9)
        assert alone.epochs == together.epochs[index]


class Killed(BaseException):
    """What a kill looks like from inside."""


def test_goes_on_after_a_kill_as_if_nothing_had_happened(
    named: TrainingData,
    masks: Tensor,
    attention: ObjectAttentionRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attention = replace(attention, patience=1, blocks=1)
    expected = train(named, masks, attention, SEED)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    checkpoint = tmp_path / "unfinished.safetensors"
    epochs: list[int] = []

    def kill(done: int) -> None:
        epochs.append(done)
        if len(epochs) == 2:
            raise Killed

    with pytest.raises(Killed):
        train(named, masks, attention, SEED, checkpoint, kill)
    epochs_after: list[int] = []
    again = train(named, masks, attention, SEED, checkpoint, epochs_after.append)
    assert len(epochs_after) == int(expected.epochs.max()) - 2
    assert torch.equal(again.loss, expected.loss)
    for name, tensor in expected.networks.state.items():
        assert torch.equal(again.networks.state[name], tensor), name


def test_trains_where_the_data_are(
    named: TrainingData, masks: Tensor, attention: ObjectAttentionRecipe, device: torch.device
) -> None:
    train_part, validation_part = named.train.to(device), named.validation.to(device)
    moved = TrainingData(named.x.to(device), named.target.to(device), train_part, validation_part, NAMES)
    trained = train(moved, masks[:1], replace(attention, max_epochs=1), SEED)
    assert trained.loss.device.type == device.type
    network = trained.networks.network(0, unit().to(device), 0.0)
    torch.testing.assert_close(network(moved.x[:9]), trained.networks.logits(moved.x[:9])[0])
