"""Names of classes: the data set's own, ImageNet's, or numbers."""

import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.images.networks.class_names import class_names


def test_a_network_of_imagenets_has_its_names() -> None:
    names = class_names(None, 1000)
    assert (len(names), names[0], names[281]) == (1000, "tench", "tabby")


def test_other_networks_have_numbers() -> None:
    assert class_names(None, 3) == ["class 0", "class 1", "class 2"]


def test_the_data_set_has_the_word() -> None:
    assert class_names(("cat", "dog"), 2) == ("cat", "dog")
    for outputs in (3, 1000):
        with pytest.raises(UserError, match=rf"the dataset has 2 classes \(cat, \.\.\.\), the network {outputs}"):
            class_names(("cat", "dog"), outputs)
