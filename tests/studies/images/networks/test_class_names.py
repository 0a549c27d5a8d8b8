"""Names of classes: the data set's own, ImageNet's, or numbers."""

import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.images.networks.class_names import class_names, imagenet_names


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


def test_timm_has_the_word_of_its_weights() -> None:
    published = {"num_classes": 21843, "label_names": None}
    assert class_names(None, 1000, published)[185] == "class 185"  # trained for other classes, ImageNet's or not
    assert class_names(None, 21843, published)[185] == "class 185"
    assert class_names(None, 1000, {"num_classes": 1000})[185] == "Norfolk terrier"
    assert class_names(None, 2, {"num_classes": 2, "label_names": ["hot dog", "not"]}) == ["hot dog", "not"]
    assert class_names(None, 3, {"num_classes": 2, "label_names": ["hot dog", "not"]})[0] == "class 0"


def test_imagenets_labels_need_imagenets_classes() -> None:
    for outputs in (3, 999, 1001, 21843):
        with pytest.raises(UserError, match=rf"1000 classes \(tench, .*, the network {outputs}"):
            class_names(imagenet_names(), outputs)
