"""Shuffled networks: the same values in other places, and the network itself as it was."""

import copy

import pytest
import torch
from torch import nn

from igbaselines.models.randomised import randomised


def test_each_parameter_keeps_its_values_and_loses_their_order(generator: torch.Generator) -> None:
    network = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    before = copy.deepcopy(network.state_dict())
    shuffled = randomised(network, generator)
    assert type(shuffled) is nn.Sequential
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    for name, value in shuffled.named_parameters():
        assert torch.equal(value.flatten().sort().values, before[name].flatten().sort().values)
    assert not torch.equal(shuffled.state_dict()["0.weight"], before["0.weight"])
    assert torch.equal(shuffled.state_dict()["1.running_var"], before["1.running_var"])


def test_what_has_no_parameter_is_refused(generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match="Flatten has no parameter to shuffle"):
        randomised(nn.Flatten(), generator)
