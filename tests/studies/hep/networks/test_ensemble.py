"""Networks side by side are the networks one by one."""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.ensemble import DNNEnsemble
from igbaselines.studies.hep.networks.training import evaluate
from igbaselines.studies.hep.networks.training_data import TrainingData

HIDDEN = [12, 9]


def ensemble(masks: Tensor, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> DNNEnsemble:
    """Initial weights, and BatchNorm with statistics and factors of its own."""
    networks = DNNEnsemble.initialise(masks, HIDDEN, generator)
    state = {
        name: tensor if tensor.dtype == torch.bool else tensor.to(dtype) for name, tensor in networks.state.items()
    }
    for name, tensor in state.items():
        if name.startswith(("gain", "shift", "mean", "variance")):
            state[name] = torch.rand(tensor.shape, generator=generator, dtype=dtype) + 0.5
    return DNNEnsemble(state)


def unit(features: int, dtype: torch.dtype) -> Standardise:
    return Standardise(torch.zeros(features, dtype=dtype), torch.ones(features, dtype=dtype))


def test_initial_weights_lie_within_pytorchs_bounds(generator: torch.Generator) -> None:
    masks = torch.zeros(2, 100).bool()
    masks[0], masks[1, :25] = True, True
    state = DNNEnsemble.initialise(masks, [64, 50], generator).state
    bounds = {"linear_1": 1 / 8, "logit": 1 / math.sqrt(50), "bias": 1 / math.sqrt(50)}
    for name, bound in bounds.items():
        assert state[name].abs().max() <= bound
    for name in ("linear_1", "logit"):
        assert state[name].abs().max() > 0.9 * bounds[name]
    for network, fan_in in enumerate((100, 25)):  # the features that it sees
        weights = state["linear_0"][network][:, masks[network]]
        assert 0.99 / math.sqrt(fan_in) < weights.abs().max() <= 1 / math.sqrt(fan_in)
        assert abs(float(weights.mean())) < 4 / math.sqrt(3 * fan_in * weights.numel())
    assert torch.all(state["linear_0"][1][:, 25:] == 0)


def test_networks_start_from_the_same_draws(masks: Tensor, generator: torch.Generator) -> None:
    state = DNNEnsemble.initialise(masks, HIDDEN, generator).state
    scaled = state["linear_0"] * masks.sum(1)[:, None, None].sqrt()
    torch.testing.assert_close(scaled, scaled[0] * masks[:, None])
    for name in ("linear_1", "logit", "bias"):
        assert torch.equal(state[name], state[name][:1].expand_as(state[name]))


def test_a_network_taken_out_gives_the_logits_of_the_ensemble(masks: Tensor, generator: torch.Generator) -> None:
    physical = torch.randn(50, 6, generator=generator) * 30 + 100
    standardise = Standardise(physical.mean(0), physical.std(0))
    networks = ensemble(masks, generator, torch.float32)
    expected = networks.logits(standardise(physical))
    for index in range(len(networks)):
        network = networks.network(index, standardise, 0.2)
        assert not network.training
        torch.testing.assert_close(network(physical), expected[index], rtol=0, atol=1e-6)
    assert len({round(float(row[0]), 4) for row in expected}) == len(networks)


def test_a_network_taken_out_shares_no_memory(masks: Tensor, generator: torch.Generator) -> None:
    networks = ensemble(masks, generator)
    before = networks.state["linear_1"].clone()
    network = networks.network(0, unit(6, torch.float64), 0.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(networks.state["linear_1"], before)


def test_select_copies(masks: Tensor, generator: torch.Generator) -> None:
    networks = ensemble(masks, generator)
    chosen = networks.select(torch.tensor([2, 0]))
    assert len(chosen) == 2
    torch.testing.assert_close(chosen.state["linear_0"], networks.state["linear_0"][[2, 0]])
    chosen.state["linear_0"].zero_()
    assert networks.state["linear_0"].abs().max() > 0


def test_masked_features_have_no_influence(masks: Tensor, generator: torch.Generator) -> None:
    networks, x = ensemble(masks, generator), torch.randn(30, 6, generator=generator, dtype=torch.float64)
    before = networks.logits(x)
    for feature in range(6):
        perturbed = x.clone()
        perturbed[:, feature] += 100
        same = torch.isclose(networks.logits(perturbed), before, rtol=0, atol=1e-12).all(dim=1)
        assert same.tolist() == (~masks[:, feature]).tolist()


def test_features_that_no_network_sees_need_no_products(masks: Tensor, generator: torch.Generator) -> None:
    """Together with a network that sees all, the others give the same logits, gradients and, once chosen, again."""
    masks = torch.cat([masks & (torch.arange(6) % 3 > 0), torch.ones(1, 6, dtype=torch.bool)])
    together, x = ensemble(masks, generator), torch.randn(30, 6, generator=generator, dtype=torch.float64)
    some = together.with_state(together.select(torch.arange(len(masks) - 1)).state)
    assert together.seen is None
    assert some.seen is not None
    assert some.seen.tolist() == [1, 2, 4, 5]
    for networks in (together, some):
        networks.state["linear_0"].requires_grad_()
        networks.logits(x).sum().backward()
    torch.testing.assert_close(some.logits(x), together.logits(x)[:-1], rtol=0, atol=1e-12)
    gradients = [networks.state["linear_0"].grad for networks in (some, together)]
    assert gradients[0] is not None
    assert gradients[1] is not None
    seen = masks[:-1, None].expand_as(gradients[0])
    torch.testing.assert_close(gradients[0][seen], gradients[1][:-1][seen], rtol=0, atol=1e-12)


def test_evaluation_in_chunks(masks: Tensor, generator: torch.Generator) -> None:
    networks, x = ensemble(masks, generator), torch.randn(9000, 6, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(evaluate(networks, x), networks.logits(x), rtol=0, atol=1e-12)


def test_a_training_step_is_that_of_pytorch(masks: Tensor, data: TrainingData, generator: torch.Generator) -> None:
    """Batch statistics, running ones, gradients and AdamW with decay, against torch.nn for every network."""
    networks = DNNEnsemble.initialise(masks, HIDDEN, generator)
    networks.state = {
        name: tensor if tensor.dtype == torch.bool else tensor.double() for name, tensor in networks.state.items()
    }
    alone = [networks.network(index, unit(6, torch.float64), 0.0).train() for index in range(len(masks))]
    tensors = [tensor.requires_grad_() for tensor in networks.trained().values()]
    together = torch.optim.AdamW(tensors, lr=0.05, weight_decay=0.1)
    optimisers = [torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1) for network in alone]
    keep = [torch.ones(width, 100, dtype=torch.float64) for width in HIDDEN]
    for step in range(4):
        events = data.train[100 * step : 100 * (step + 1)]
        x, target = data.x[events], data.target[events]
        logits = networks.logits(x, keep)
        losses = binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none").mean(dim=1)
        together.zero_grad()
        losses.sum().backward()
        networks.mask_gradients()
        together.step()
        for index, (network, optimiser) in enumerate(zip(alone, optimisers, strict=True)):
            loss = binary_cross_entropy_with_logits(network(x * masks[index]), target)
            torch.testing.assert_close(losses[index], loss, rtol=0, atol=1e-10)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    for index, network in enumerate(alone):
        after = networks.network(index, unit(6, torch.float64), 0.0).state_dict()
        for name, tensor in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-10)
