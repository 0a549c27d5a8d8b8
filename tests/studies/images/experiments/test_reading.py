"""Photographs are decoded once and in their order, by this process or by others that read ahead."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor

from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.data.pictures import Picture, UnreadablePhotographError, open_photograph
from igbaselines.studies.images.experiments import reading
from igbaselines.studies.images.experiments.reading import Reader
from igbaselines.studies.images.networks.preprocessing import Preprocessing

SIDE, COUNT, BROKEN = 24, 9, 4
PIXELS = 3 * SIDE * SIDE * 4  # bytes


class Object:
    """The object of a class in every photograph, which counts how often it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def mask(self, photograph: Picture, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        self.asked += 1
        return np.full((40, 30), predicted == 1) if predicted < 2 else None


@pytest.fixture
def photographs(tmp_path: Path) -> list[Photograph]:
    rng, found, outline = np.random.default_rng(0), [], Object()
    for place in range(COUNT):
        file = tmp_path / f"{place}.png"
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(file)
        found.append(Photograph(file.stem, file, None, outline))
    found[BROKEN].picture.write_bytes(b"no picture")  # type: ignore[union-attr]
    return found


def reader(processes: int = 0) -> Reader:
    return Reader(Preprocessing(SIDE, 32, "bilinear"), torch.device("cpu"), processes)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that this process has decoded."""
    seen: list[str] = []

    def noted(picture: Picture) -> Image.Image:
        seen.append(Path(str(picture)).stem)
        return open_photograph(picture)

    monkeypatch.setattr(reading, "open_photograph", noted)
    return seen


def test_others_read_what_this_process_would(photographs: list[Photograph], decoded: list[str]) -> None:
    ahead, here = list(reader(2).ahead(photographs)), reader()
    assert decoded == []
    for place, (photograph, found) in enumerate(zip(photographs, ahead, strict=True)):
        if place == BROKEN:
            assert isinstance(found, UnreadablePhotographError)
            with pytest.raises(UnreadablePhotographError, match=r"4\.png is not an image") as raised:
                here.pixels(photograph)
            assert str(raised.value) == str(found)
        else:
            assert isinstance(found, Tensor)
            assert found.equal(here.pixels(photograph))


@pytest.mark.parametrize("processes", [0, 2])
def test_each_is_decoded_once(processes: int, photographs: list[Photograph], decoded: list[str]) -> None:
    one = reader(processes)
    first = [found for found in one.ahead(photographs[::-1]) if isinstance(found, Tensor)]
    assert len(decoded) == (0 if processes else COUNT)
    decoded.clear()
    again = [one.pixels(photograph) for photograph in photographs[::-1] if photograph.name != str(BROKEN)]
    assert decoded == []
    assert all(a.equal(b) for a, b in zip(first, again, strict=True))
    one.forget(photographs[2])
    assert isinstance(next(iter(one.ahead([photographs[2]]))), Tensor)
    assert decoded == ["2"]


def test_masks_too(photographs: list[Photograph]) -> None:
    one, outline = reader(), photographs[0].masks
    assert isinstance(outline, Object)
    for _ in range(2):
        mask = one.mask(photographs[0], 1)
        assert mask is not None
        assert mask.shape == (SIDE, SIDE)
        assert one.mask(photographs[0], 0) is one.mask(photographs[0], 2) is None
    assert outline.asked == 3


def test_no_more_is_kept_than_there_is_room_for(
    photographs: list[Photograph], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "KEPT_BYTES", 2 * PIXELS)
    one = reader()
    for photograph in (*photographs[:3], *photographs[:3]):
        one.pixels(photograph)
    assert decoded == ["0", "1", "2", "2"]
    one.forget(photographs[0])
    for _ in range(2):
        one.pixels(photographs[2])
    assert decoded == ["0", "1", "2", "2", "2"]


def test_those_that_read_ahead_end_with_whoever_has_enough(photographs: list[Photograph]) -> None:
    before = set(multiprocessing.active_children())
    state = torch.get_rng_state()
    read = reader(2).ahead(photographs)
    assert isinstance(next(read), Tensor)
    assert len(set(multiprocessing.active_children()) - before) == 2
    read.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while set(multiprocessing.active_children()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not set(multiprocessing.active_children()) - before
    assert torch.get_rng_state().equal(state)
