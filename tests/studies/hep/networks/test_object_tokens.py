"""Which features describe which object, against a reading of the names by hand."""

import re

import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.networks.object_tokens import object_tokens

TOKENS = ("l", "j1", "j2", "j3", "b", "J", "event")


def features_of(token: str) -> set[str]:
    row = object_tokens(FEATURE_NAMES)[TOKENS.index(token)]
    return {name for name, seen in zip(FEATURE_NAMES, row.tolist(), strict=True) if seen}


def test_the_features_of_an_object_name_it() -> None:
    for token in ("l", "j1", "j2", "j3", "b"):
        assert features_of(token) == {name for name in FEATURE_NAMES if re.search(rf"_{token}(_|$)", name)}
    assert {"pT_j1", "m_j1", "Kurt_j1", "dR_l_j1", "m_l_j1", "m_j1_b_J"} <= features_of("j1")
    assert features_of("J") == {name for name in FEATURE_NAMES if name.endswith("_J") or name.startswith("tau")}
    assert features_of("event") == {"HT", "MET"}


def test_own_features_pairs_and_triples_add_up() -> None:
    """Of five pairs and ten triples each object is part; jets have seven or more features of their own."""
    assert [len(features_of(token)) for token in TOKENS] == [1 + 20, 6 + 20, 6 + 20, 6 + 20, 6 + 20, 10 + 20, 2]


def test_reads_other_features_and_another_order() -> None:
    tokens = object_tokens(("eta_J", "MET", "dphi_l_b"))
    assert tokens.nonzero().tolist() == [[0, 2], [4, 2], [5, 0], [6, 1]]


@pytest.mark.parametrize("name", ["feature 0", "pT", "pT_j4", "m_l_x", "", "HT_sum"])
def test_refuses_a_name_that_says_nothing(name: str) -> None:
    with pytest.raises(UserError, match=rf"cannot tell what the feature '{name}' describes: names must be HT or MET"):
        object_tokens(("HT", name, "pT_l"))
