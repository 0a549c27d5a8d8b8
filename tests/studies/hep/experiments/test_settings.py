"""How many networks rank features, how many of them are retrained, and where their splits stand."""

from typing import Any

import numpy as np
import pytest

from igbaselines.common.errors import UserError
from igbaselines.common.splits import rotated_split
from igbaselines.studies.hep.experiments.settings import HepEvaluation


def evaluation(**changed: Any) -> HepEvaluation:
    known: dict[str, Any] = {"networks": 12, "train_fraction": 0.5, "validation_fraction": 0.2, "top_k": ["all"]}
    known |= {"random_rankings": 1, "luminosity": 1.0, "signal_efficiency": 0.5, "bootstrap": 2}
    return HepEvaluation(**known | changed)


def test_without_a_number_all_networks_are_retrained() -> None:
    every = evaluation()
    assert every.retrained == 12
    assert [every.turn(network) for network in range(12)] == [network / 12 for network in range(12)]


@pytest.mark.parametrize(("networks", "retrained"), [(12, 4), (10, 4), (7, 3), (3, 1), (5, 5)])
def test_networks_that_are_retrained_stand_as_if_they_were_alone(networks: int, retrained: int) -> None:
    some = evaluation(networks=networks, retrained_networks=retrained)
    turns = [some.turn(network) for network in range(networks)]
    assert turns[:retrained] == [network / retrained for network in range(retrained)]
    assert len({round(turn % 1, 9) for turn in turns}) == networks


def test_test_parts_of_the_retrained_cover_every_event_equally_often() -> None:
    some = evaluation(train_fraction=0.3, validation_fraction=0.2, retrained_networks=4)
    counts = np.zeros(400, int)
    for network in range(some.retrained):
        counts[rotated_split(np.zeros(400, int), 0, some.turn(network), 0.3, 0.2).test] += 1
    assert (counts == 2).all()


def test_more_cannot_be_retrained_than_there_are() -> None:
    with pytest.raises(
        UserError, match=r"evaluation\.retrained_networks=4 of evaluation\.networks=3: take at most as many"
    ):
        evaluation(networks=3, retrained_networks=4)
    with pytest.raises(UserError, match=r"evaluation\.retrained_networks must be at least 1"):
        evaluation(retrained_networks=0)
