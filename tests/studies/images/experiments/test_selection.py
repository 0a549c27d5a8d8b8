"""Which photographs are chosen, what is said of the others, and where what is measured of one is kept."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.images.data.image_folder import ImageFolder
from igbaselines.studies.images.data.photographs import Photograph, Photographs
from igbaselines.studies.images.data.pictures import Picture
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.records import Record, for_each, one_by_one
from igbaselines.studies.images.experiments.selection import (
    NO_OBJECT,
    UNREADABLE,
    WRONG_PREDICTION,
    Chosen,
    photograph_background,
    select,
)
from igbaselines.studies.images.networks.network import ImageNetwork, Probabilities
from igbaselines.studies.images.networks.preprocessing import Preprocessing


class BrightestChannel(nn.Module):
    """Three classes: red, green, blue."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 9 * x.mean(dim=(2, 3))


@pytest.fixture
def classifier() -> PhotographClassifier:
    network = Probabilities(ImageNetwork(BrightestChannel(), [0.0] * 3, [1.0] * 3)).eval()
    return PhotographClassifier(
        explained=network,
        scored=network,
        predicting=network,
        centre=torch.zeros(3, 1, 1),
        preprocessing=Preprocessing(32, None, "bilinear"),
        minimum_top1=0.5,
        max_batch=4,
        device=torch.device("cpu"),
    )


class Square:
    """A mask source: the upper left quarter, for red things."""

    def mask(self, photograph: Picture, predicted: int) -> np.ndarray | None:
        mask = np.zeros((32, 32), dtype=bool)
        mask[:16, :16] = True
        return mask if predicted == 0 else None


@pytest.fixture
def candidates(tmp_path: Path) -> list[Photograph]:
    """Red, green, blue, broken, red, green, ...; all labelled red."""
    photographs = []
    for index in range(16):
        path = tmp_path / f"{index:02}.png"
        channel = index % 4
        if channel == 3:
            path.write_bytes(b"no picture")
        else:
            colour = [20, 20, 20]
            colour[channel] = 200
            Image.new("RGB", (32, 32), tuple(colour)).save(path)
        photographs.append(Photograph(f"{index:02}", path, label=0, masks=Square()))
    return photographs


def test_what_is_left_out_is_counted_with_its_reason(
    candidates: list[Photograph], classifier: PhotographClassifier
) -> None:
    selection = select(Photographs(candidates, None, only_correct=True, mask_required=True), classifier)
    assert [chosen.photograph.name for chosen in selection.chosen] == ["00", "04", "08", "12"]
    assert {chosen.predicted for chosen in selection.chosen} == {0}
    assert selection.top1 == 4 / 12
    reasons = list(selection.left_out.values())
    assert (reasons.count(UNREADABLE), reasons.count(WRONG_PREDICTION)) == (4, 8)
    selection = select(Photographs(candidates, None, only_correct=False, mask_required=True), classifier)
    assert list(selection.left_out.values()).count(NO_OBJECT) == 8


def test_nothing_beyond_the_last_one_needed_counts(
    candidates: list[Photograph], classifier: PhotographClassifier
) -> None:
    selection = select(Photographs(candidates, 2, only_correct=False, mask_required=False), classifier)
    assert [chosen.photograph.name for chosen in selection.chosen] == ["00", "01"]
    assert selection.left_out == {}
    assert selection.labelled == 2


def test_none_at_all_is_said(candidates: list[Photograph], classifier: PhotographClassifier) -> None:
    broken = [candidate for candidate in candidates if candidate.name in ("03", "07")]
    with pytest.raises(UserError, match="no photograph can be used: 2 x cannot be read"):
        select(Photographs(broken, None, only_correct=False, mask_required=False), classifier)
    with pytest.raises(UserError, match="none of the photographs can be read"):
        photograph_background(broken, classifier, 3, 0)


def test_the_reference_begins_with_the_first_by_name(
    candidates: list[Photograph], classifier: PhotographClassifier
) -> None:
    for order in (candidates, candidates[::-1]):
        pictures = photograph_background(order, classifier, 5, 1, 2).examples
        assert len(pictures) == 5
        assert pictures[0].mean(dim=(1, 2)).argmax() == 0
    assert len(photograph_background(candidates, classifier, 100, 1).examples) == 12
    assert len(photograph_background(candidates[:1], classifier, 100, 1).examples) == 1


def test_labels_are_strata_as_frequent_as_among_the_candidates(
    candidates: list[Photograph], classifier: PhotographClassifier
) -> None:
    labelled = [replace(one, label=int(one.name) % 4 // 2) for one in candidates]  # the broken ones are half of the 1s
    background = photograph_background(labelled, classifier, 100, 1)
    assert background.stratum is not None
    assert background.stratum_weight is not None
    blue = background.examples.mean(dim=(2, 3)).argmax(dim=1) == 2
    assert torch.equal(background.stratum == background.stratum[blue][0], blue)
    assert background.stratum_weight.tolist() == [0.5, 0.5]
    unlabelled = [*labelled[:-2], replace(labelled[-2], label=None)]
    assert photograph_background(unlabelled, classifier, 100, 1).stratum is None


def test_records_of_names_that_look_alike_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a/b", "a__b", "a__b/c", "x" * 300, "x" * 299 + "y", "é" * 140 + "/1", "é" * 140 + "/2", "plain"]
    chosen = [Chosen(Photograph(name, tmp_path), 0, 1.0) for name in names]
    place = (tmp_path / "checkpoints", tmp_path, tmp_path, torch.device("cpu"), 0, None, 1)
    run, again = (Run(Rows("e", "d", "m", 0), *place) for _ in range(2))
    worked: list[str] = []

    def work(index: int, one: Chosen, file: Path) -> Record:
        worked.append(one.photograph.name)
        return {"rows": [{"method": "m", "metric": "index", "value": index}], "curves": index}

    assert [record["curves"] for record in for_each(run, chosen, "kept", one_by_one(work))] == list(range(len(names)))
    for_each(again, chosen, "kept", one_by_one(work))
    assert worked == names  # the second time everything was there
    rows = again.rows.frame()
    assert rows["unit"].tolist() == names
    assert rows["value"].tolist() == list(range(len(names)))
    other = replace(again, rows=Rows("e", "d", "m", 0), checksums={"weights": "x"})
    for_each(other, chosen[:1], "kept", one_by_one(work))
    assert len(worked) == len(names) + 1  # other weights, other records
    assert (again.checkpoints / again.fingerprint() / "plain.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="names of files are text here")
def test_a_name_that_is_no_text_is_written_out(tmp_path: Path, classifier: PhotographClassifier) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (32, 32), (200, 0, 0)).save(tmp_path / name)
    (photograph,) = ImageFolder(str(tmp_path)).photographs().candidates
    assert photograph.name.encode() == rb"caf\udce9"
    selection = select(ImageFolder(str(tmp_path)).photographs(), classifier)
    assert [chosen.predicted for chosen in selection.chosen] == [0]
