"""What training scripts put before the names of a network's weights is found, said, and chosen by a key."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from igbaselines.studies.images.networks.checkpoints import read_checkpoint, without_prefix

State = dict[str, Tensor]


@pytest.fixture
def expected() -> State:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).state_dict()


def before(prefix: str, state: State, add: float = 0.0) -> State:
    return {f"{prefix}{name}": tensor + add for name, tensor in state.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.", "model._orig_mod.module.", "net.backbone."])
def test_prefixes_are_taken_off(prefix: str, expected: State, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = without_prefix(before(prefix, expected) | {"loss.weight": torch.ones(2)}, expected, Path("x.ckpt"))
    assert expected.keys() <= found.keys()
    if prefix:
        assert found.keys() == expected.keys()
        assert f"its names begin with '{prefix}'; 1 others are left out" in caplog.text


@pytest.mark.parametrize(("key", "value"), [(None, 0.0), ("ema", 1.0), ("model", 0.0)])
def test_of_an_average_and_what_was_averaged_a_key_chooses(
    key: str | None, value: float, expected: State, caplog: pytest.LogCaptureFixture
) -> None:
    zeros = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    state = before("ema.", zeros, 1.0) | before("model.", zeros)
    found = without_prefix(state, expected, Path("x.ckpt"), key)
    assert {float(tensor.mean()) for tensor in found.values()} == {value}
    assert ("model.checkpoint_key chooses" in caplog.text) == (key is None)


@pytest.mark.parametrize(("key", "value"), [(None, 0.0), ("ema_state_dict", 1.0)])
def test_of_two_dictionaries_a_key_chooses(key: str | None, value: float, expected: State, tmp_path: Path) -> None:
    zeros = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    path = tmp_path / "x.ckpt"
    torch.save({"epoch": 3, "model": zeros, "ema_state_dict": before("", zeros, 1.0)}, path)
    assert {float(tensor.mean()) for tensor in read_checkpoint(path, key).values()} == {value}


def test_other_weights_are_left_for_the_message_that_says_what_does_not_fit(expected: State) -> None:
    other = {"layer.bias": torch.ones(3)}
    assert without_prefix(other, expected, Path("x.ckpt")) is other
