"""The photographs of foolbox: found without importing it, with labels and the masks of a file of outlines."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.pictures import open_photograph
from igbaselines.studies.images.data.sample_photos import SamplePhotos

OUTLINES = Path(__file__).parents[4] / "data" / "sample_photos.json"
needs_foolbox = pytest.mark.skipif(
    importlib.util.find_spec("foolbox") is None, reason='foolbox is not installed: pip install "igbaselines[samples]"'
)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """Outlines of a rectangle, and of a second object in the same photograph."""
    content = {
        "images": [{"id": 1, "file_name": "imagenet_00_243.jpg", "width": 512, "height": 512}],
        "categories": [{"id": 243, "name": "bull mastiff"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 243, "segmentation": [[x, 10, x + 20, 10, x + 20, 50, x, 50]]}
            for i, x in enumerate((10, 100))
        ],
    }
    path = tmp_path / "outlines.json"
    path.write_text(json.dumps(content))
    return path


@needs_foolbox
def test_twenty_photographs_with_labels(annotations: Path) -> None:
    found = SamplePhotos(str(annotations)).photographs()
    assert len(found.candidates) == 20
    assert (found.wanted, found.only_correct, found.mask_required) == (None, True, False)
    for index, photograph in enumerate(found.candidates):
        assert photograph.name == f"imagenet_{index:02}_{photograph.label}"
        assert photograph.label in range(1000)
        assert min(open_photograph(photograph.picture).size) >= 200


@needs_foolbox
def test_masks_are_unions_and_photographs_without_outlines_have_none(annotations: Path) -> None:
    first, *others = SamplePhotos(str(annotations)).photographs().candidates
    mask = first.mask(243)
    assert mask is not None
    expected = np.zeros((512, 512), dtype=bool)
    expected[10:50, 10:30] = expected[10:50, 100:120] = True
    np.testing.assert_array_equal(mask, expected)
    assert all(photograph.mask(243) is None for photograph in others)


@needs_foolbox
def test_a_choice_is_seeded(annotations: Path) -> None:
    def order(n_images: int | None, seed: int) -> list[str]:
        found = SamplePhotos(str(annotations), n_images=n_images, seed=seed).photographs()
        assert found.wanted == n_images
        return [photograph.name for photograph in found.candidates]

    assert order(None, 0) == order(None, 1) == sorted(order(None, 0))
    assert order(5, 0) == order(8, 0) != order(5, 1)
    assert sorted(order(5, 0)) == order(None, 0)


@needs_foolbox
def test_the_checksum_is_of_the_outlines(annotations: Path) -> None:
    before = SamplePhotos(str(annotations)).checksum()
    assert SamplePhotos(str(annotations)).checksum() == before
    annotations.write_text(annotations.read_text().replace("bull", "BULL"))
    assert SamplePhotos(str(annotations)).checksum() != before


@needs_foolbox
def test_neither_foolbox_nor_torch_is_imported(annotations: Path) -> None:
    code = (
        "import sys; from igbaselines.studies.images.data.sample_photos import SamplePhotos;"
        f"found = SamplePhotos({str(annotations)!r}).photographs().candidates; found[0].mask(243);"
        "print(sorted({'foolbox', 'torch', 'eagerpy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["[]"]


@needs_foolbox
@pytest.mark.skipif(not OUTLINES.is_file(), reason="no data/sample_photos.json in this checkout")
def test_every_photograph_has_an_outline_of_its_own_size() -> None:
    for photograph in SamplePhotos(str(OUTLINES)).photographs().candidates:
        assert photograph.label is not None
        mask = photograph.mask(photograph.label)
        assert mask is not None, photograph.name
        assert mask.shape == open_photograph(photograph.picture).size[::-1]


def test_without_foolbox_the_error_says_what_to_install(annotations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'foolbox is not installed: pip install "igbaselines\[samples\]"'):
        SamplePhotos(str(annotations)).photographs()


def test_missing_outlines_and_bad_numbers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        SamplePhotos(str(tmp_path / "none.json")).photographs()
    with pytest.raises(UserError, match=r"dataset\.n_images must be at least 1"):
        SamplePhotos("x", n_images=0)
