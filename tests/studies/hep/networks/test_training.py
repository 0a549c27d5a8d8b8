"""Training: together as alone, the best epoch kept, and on again after a kill."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from igbaselines.studies.hep.networks import training
from igbaselines.studies.hep.networks.recipe import DNNRecipe
from igbaselines.studies.hep.networks.training import Trained, evaluate, train
from igbaselines.studies.hep.networks.training_data import TrainingData

SEED = (1, 2, 3)


def accuracy(trained: Trained, data: TrainingData) -> Tensor:
    """Class-balanced accuracy of every network on the validation part."""
    target = data.target[data.validation] > 0
    decision = evaluate(trained.networks, data.x[data.validation]) > 0
    return (decision[:, target].double().mean(1) + (~decision[:, ~target]).double().mean(1)) / 2


def validation_loss(trained: Trained, data: TrainingData) -> Tensor:
    part = data.validation
    logits = evaluate(trained.networks, data.x[part])
    signed = torch.where(data.target[part] > 0, -logits, logits)
    return (torch.nn.functional.softplus(signed) * data.class_weights(part)).mean(dim=1)


def test_learns_what_can_be_learnt(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    full, separating, noise, one = accuracy(train(data, masks, recipe, SEED), data).tolist()
    assert min(full, separating) > 0.9
    assert full > one > 0.6
    assert 0.4 < noise < 0.6


def test_together_as_one_after_another(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    recipe = replace(recipe, max_epochs=30, patience=1)
    together = train(data, masks, recipe, SEED)
    assert len(together.epochs.unique()) > 1  # some dropped out before others
    for index in range(len(masks)):
        alone = train(data, masks[index : index + 1], recipe, SEED)
        torch.testing.assert_close(alone.loss, together.loss[index : index + 1], rtol=0, atol=1e-10)
        assert alone.epochs == together.epochs[index]
        for name, tensor in alone.networks.state.items():
            torch.testing.assert_close(tensor[0], together.networks.state[name][index], rtol=0, atol=1e-8)


def test_keeps_the_best_epoch(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    """At a learning rate where the loss rises and falls, what comes back is the least of all epochs."""
    recipe = replace(recipe, learning_rate=0.3, max_epochs=12, patience=12)
    by_epoch = [train(data, masks, replace(recipe, max_epochs=epochs), SEED) for epochs in range(1, 13)]
    best = torch.stack([trained.loss for trained in by_epoch])
    assert torch.all(best.diff(dim=0) <= 0)
    assert torch.any(best.diff(dim=0) == 0)  # an epoch that was worse changed nothing
    for trained in by_epoch:
        torch.testing.assert_close(validation_loss(trained, data), trained.loss, rtol=0, atol=1e-12)


def test_stops_when_patience_ends(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    recipe = replace(recipe, learning_rate=0.3, max_epochs=40, patience=3)
    trained = train(data, masks, recipe, SEED)
    stopped = trained.epochs < 40
    assert stopped.any()
    for index in stopped.nonzero().squeeze(1).tolist():
        mask, epochs = masks[index : index + 1], int(trained.epochs[index])
        # The loss that was kept is from `patience` epochs before the end, and from no epoch before that.
        for waited, better in ((3, False), (4, True)):
            shorter = train(data, mask, replace(recipe, max_epochs=epochs - waited), SEED)
            assert bool(shorter.loss[0] > trained.loss[index] + 1e-9) == better


def test_trains_for_all_epochs_at_most(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    done: list[int] = []
    trained = train(data, masks, replace(recipe, max_epochs=2, patience=5), SEED, progress=done.append)
    assert trained.epochs.tolist() == [2, 2, 2, 2]
    assert done == [0, 4]


def test_depends_on_the_seed_and_on_no_global_state(single: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    recipe = replace(recipe, max_epochs=2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = train(single, masks, recipe, SEED)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = train(single, masks, recipe, SEED), train(single, masks, recipe, (1, 2, 4))
    assert torch.equal(one.loss, again.loss)
    assert not torch.equal(one.loss, other.loss)


def test_masked_features_have_no_influence(data: TrainingData, masks: Tensor, recipe: DNNRecipe) -> None:
    """Training on other values of features that a network does not see gives the same network."""
    recipe = replace(recipe, max_epochs=2)
    masks = masks[1:2]
    x = data.x.clone()
    x[:, 2:] = 50 * x[:, 2:].flip(0)
    one, other = train(data, masks, recipe, SEED), train(replace(data, x=x), masks, recipe, SEED)
    torch.testing.assert_close(other.loss, one.loss, rtol=0, atol=1e-12)
    assert torch.all(one.networks.state["linear_0"][0][:, 2:] == 0)


def test_class_weights_balance(data: TrainingData) -> None:
    weights, target = data.class_weights(data.train), data.target[data.train]
    assert float(target.mean()) < 0.4
    torch.testing.assert_close(weights[target == 1].sum(), weights[target == 0].sum())
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0).double())


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("epochs_before_the_kill", [1, 3, 5])
def test_goes_on_after_a_kill_as_if_nothing_had_happened(
    epochs_before_the_kill: int,
    single: TrainingData,
    masks: Tensor,
    recipe: DNNRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(recipe, max_epochs=12, patience=1)  # some networks stop early
    expected = train(single, masks, recipe, SEED)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    checkpoint = tmp_path / "unfinished.safetensors"
    epochs = 0

    def kill(_: int) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == epochs_before_the_kill:
            raise Killed

    with pytest.raises(Killed):
        train(single, masks, recipe, SEED, checkpoint, kill)
    assert checkpoint.exists()
    epochs_after: list[int] = []
    again = train(single, masks, recipe, SEED, checkpoint, epochs_after.append)
    assert len(epochs_after) == int(expected.epochs.max()) - epochs_before_the_kill
    assert torch.equal(again.loss, expected.loss)
    assert torch.equal(again.epochs, expected.epochs)
    for name, tensor in expected.networks.state.items():
        assert torch.equal(again.networks.state[name], tensor), name


def test_starts_anew_from_a_damaged_checkpoint(
    single: TrainingData, masks: Tensor, recipe: DNNRecipe, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "unfinished.safetensors"
    checkpoint.write_bytes(b"not a checkpoint")
    recipe = replace(recipe, max_epochs=1)
    expected = train(single, masks, recipe, SEED)
    assert torch.equal(train(single, masks, recipe, SEED, checkpoint).loss, expected.loss)


def test_trains_where_the_data_are(
    single: TrainingData, masks: Tensor, recipe: DNNRecipe, device: torch.device, tmp_path: Path
) -> None:
    train_part, validation_part = single.train.to(device), single.validation.to(device)
    moved = TrainingData(single.x.to(device), single.target.to(device), train_part, validation_part)
    trained = train(moved, masks, recipe, SEED, tmp_path / "unfinished.safetensors")
    assert trained.loss.device.type == device.type
    assert accuracy(trained, moved)[0] > 0.85
