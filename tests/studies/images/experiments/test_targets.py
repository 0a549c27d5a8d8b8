"""The user's question: which class, against which other, by name, number or place."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.targets import asked, minus, number_of
from igbaselines.studies.images.networks.class_names import class_names, read_labels
from igbaselines.studies.images.networks.network import ImageNetwork, Probabilities
from igbaselines.studies.images.networks.preprocessing import Preprocessing

NAMES = ("cat", "dog", "tiger", "zebra")


@pytest.fixture
def classifier() -> PhotographClassifier:
    """Four classes in a fixed order of probability: tiger, cat, zebra, dog."""
    last = nn.Linear(3, 4)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    with torch.no_grad():
        last.weight.copy_(torch.tensor([[2.0, 0, 0], [-1.0, 0, 0], [3.0, 0, 0], [1.0, 0, 0]]))
        last.bias.zero_()
    explained = ImageNetwork(network.eval(), [0.0] * 3, [1.0] * 3).eval()
    rest: dict[str, Any] = {"preprocessing": Preprocessing(32, None, "bilinear"), "minimum_top1": 0.0, "max_batch": 8}
    probabilities = Probabilities(explained)
    return PhotographClassifier(
        explained, probabilities, probabilities, torch.zeros(3, 1, 1), device=torch.device("cpu"), **rest
    )


@pytest.fixture
def chosen() -> list[Chosen]:
    return [Chosen(Photograph("one", Image.new("RGB", (32, 32), "white")), 2, 0.6, "tiger")]


@pytest.mark.parametrize(
    ("target", "against", "expected"),
    [
        ("predicted", None, [("one", 2, "tiger", None)]),
        ("second", None, [("one", 0, "cat", None)]),
        ("dog", None, [("one", 1, "dog", None)]),
        ("3", "second", [("one", 3, "zebra, not cat", 0)]),
        ("cat", "predicted", [("one", 0, "cat, not tiger", 2)]),
        ("top3", None, [(f"one ({n})", NAMES.index(n), n, None) for n in ("tiger", "cat", "zebra")]),
        ("top3", "cat", [(f"one ({n})", NAMES.index(n), f"{n}, not cat", 0) for n in ("tiger", "zebra")]),
    ],
)
def test_a_class_is_asked_for(
    target: str, against: str | None, expected: list[Any], classifier: PhotographClassifier, chosen: list[Chosen]
) -> None:
    found = asked(chosen, target, against, NAMES, classifier)
    assert [(one.photograph.name, one.predicted, one.label, one.against) for one in found] == expected
    if target != "predicted":
        p = classifier.predicting(torch.ones(1, 3, 32, 32))[0]
        assert [one.probability for one in found] == pytest.approx([p[one.predicted].item() for one in found])


@pytest.mark.parametrize(
    ("target", "against", "line"),
    [
        ("tigre", None, r"evaluation.target=tigre is no class: did you mean tiger"),
        ("4", None, r"evaluation.target=4 is no class: there are 4, cat to zebra"),
        ("cat", "top3", "evaluation.against=top3: one class is taken away"),
        ("predicted", "predicted", "the same class in every photograph"),
    ],
)
def test_what_cannot_be_asked_is_told(
    target: str, against: str | None, line: str, classifier: PhotographClassifier, chosen: list[Chosen]
) -> None:
    with pytest.raises(UserError, match=line):
        asked(chosen, target, against, NAMES, classifier)
    assert number_of("target", "zebra", NAMES) == 3


@pytest.mark.parametrize("stemmed", [True, False])
def test_the_difference_of_two_classes_is_what_is_attributed(stemmed: bool, classifier: PhotographClassifier) -> None:
    network = classifier.explained if stemmed else nn.Sequential(classifier.explained)
    x, target = torch.rand(2, 3, 32, 32), torch.tensor([0, 0])
    apart = [
        path_attribution(network, x, torch.zeros(1, 3, 32, 32), rule=GaussLegendre(4), target=target + n)
        for n in (0, 3)
    ]
    found = path_attribution(minus(network, 3), x, torch.zeros(1, 3, 32, 32), rule=GaussLegendre(4), target=target)
    torch.testing.assert_close(found.attributions, apart[0].attributions - apart[1].attributions)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "cat\ndog\ntiger\nzebra\n"),
        ("a.json", '["cat", "dog", "tiger", "zebra"]'),
        ("b.json", '{"0": "cat", "1": "dog", "3": "zebra", "2": "tiger"}'),
        ("c.json", '{"dog": 1, "cat": 0, "tiger": 2, "zebra": 3}'),
    ],
)
def test_labels_come_in_the_order_of_the_outputs(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    labels = read_labels(tmp_path / name)
    assert labels == list(NAMES)
    assert class_names(None, 4, {}, labels) == labels
    with pytest.raises(UserError, match=r"model\.labels names 4 classes, the network has 10"):
        class_names(None, 10, {}, labels)


@pytest.mark.parametrize("text", ["", "cat\ncat\n", "cat\n\ndog\n"])
def test_labels_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(UserError, match=r"model\.labels must name every class once"):
        read_labels(tmp_path / "labels.txt")
