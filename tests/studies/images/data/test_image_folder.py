"""The user's own images: which files count, which mask belongs to which, and errors in one line."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Bool
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.image_folder import ImageFolder
from igbaselines.studies.images.data.pictures import UnreadablePhotographError


def save(path: Path, mask: Bool[np.ndarray, "20 32"] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.new("RGB", (32, 20)) if mask is None else Image.fromarray(mask)).save(path)
    return path


def columns(first: int, last: int) -> Bool[np.ndarray, "20 32"]:
    mask = np.zeros((20, 32), dtype=bool)
    mask[:, first:last] = True
    return mask


def names(dataset: ImageFolder) -> list[str]:
    return [photograph.name for photograph in dataset.photographs().candidates]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("b.jpg", "a.PNG", "trip/a.jpg", "trip/deep/c.webp", ".hidden/d.jpg", ".e.jpg"):
        save(folder / name)
    (folder / "notes.txt").touch()
    (folder / "trip" / "movie.mp4").touch()
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


def test_images_in_all_subfolders(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = ImageFolder(str(folder)).photographs()
    assert [photograph.name for photograph in found.candidates] == ["a", "b", "trip/a", "trip/deep/c"]
    assert (found.wanted, found.only_correct, found.mask_required) == (None, False, False)
    assert all(photograph.label is None and photograph.mask(0) is None for photograph in found.candidates)
    assert "2 files are no images by their suffixes and are ignored" in caplog.text


def test_one_image_file(folder: Path, tmp_path: Path) -> None:
    assert names(ImageFolder(str(folder / "b.jpg"))) == ["b"]
    save(tmp_path / "masks" / "b.png", columns(3, 5))
    (photograph,) = ImageFolder(str(folder / "b.jpg"), str(tmp_path / "masks")).photographs().candidates
    mask = photograph.mask(0)
    assert mask is not None
    np.testing.assert_array_equal(mask, columns(3, 5))


def test_a_random_choice_is_in_seeded_order(tmp_path: Path) -> None:
    for index in range(12):
        save(tmp_path / f"{index:02}.png")
    found = ImageFolder(str(tmp_path), n_images=5).photographs()
    assert found.wanted == 5
    assert len(found.candidates) == 12  # some may turn out unreadable
    assert names(ImageFolder(str(tmp_path), n_images=5)) == names(ImageFolder(str(tmp_path), n_images=7))
    assert names(ImageFolder(str(tmp_path), n_images=5)) != names(ImageFolder(str(tmp_path), n_images=5, seed=1))
    assert names(ImageFolder(str(tmp_path))) == [f"{index:02}" for index in range(12)]


@pytest.mark.parametrize("place", ["masks", "photos/masks"])
def test_png_masks_belong_to_the_image_of_the_same_relative_name(place: str, folder: Path, tmp_path: Path) -> None:
    save(tmp_path / place / "a.png", columns(0, 4))
    save(tmp_path / place / "trip" / "a.png", columns(4, 8))
    save(tmp_path / place / "trip" / "deep" / "c.png", columns(8, 12)[:10])
    dataset = ImageFolder(str(folder), str(tmp_path / place))
    found = {photograph.name: photograph for photograph in dataset.photographs().candidates}
    assert list(found) == ["a", "b", "trip/a", "trip/deep/c"]  # masks are no photographs
    for name, expected in {"a": columns(0, 4), "trip/a": columns(4, 8)}.items():
        mask = found[name].mask(0)
        assert mask is not None
        np.testing.assert_array_equal(mask, expected)
    assert found["b"].mask(0) is None
    with pytest.raises(UnreadablePhotographError, match="its mask has 32 x 10 pixels, the photograph has 32 x 20"):
        found["trip/deep/c"].mask(0)


def instances(path: Path, file_names: list[str]) -> Path:
    """Two instances of two categories in each image: i-th column and the one after."""
    content = {
        "images": [{"id": i, "file_name": name, "width": 32, "height": 20} for i, name in enumerate(file_names)],
        "categories": [{"id": 1, "name": "left"}, {"id": 2, "name": "right"}],
        "annotations": [
            {
                "id": 2 * i + side,
                "image_id": i,
                "category_id": 1 + side,
                "segmentation": {"size": [20, 32], "counts": [20 * (i + side), 20, 20 * (31 - i - side)]},
            }
            for i in range(len(file_names))
            for side in (0, 1)
        ],
    }
    path.write_text(json.dumps(content))
    return path


def test_coco_masks_by_path_or_by_a_name_that_is_unique(folder: Path, tmp_path: Path) -> None:
    annotations = instances(tmp_path / "masks.json", ["trip/a.jpg", "elsewhere/c.webp", "b.png", "1/x.jpg", "2/x.jpg"])
    save(folder / "deep" / "x.jpg")
    dataset = ImageFolder(str(folder), str(annotations))
    found = {photograph.name: photograph.mask(0) for photograph in dataset.photographs().candidates}
    assert {name for name, mask in found.items() if mask is not None} == {"trip/a", "trip/deep/c"}
    for name, expected in {"trip/a": columns(0, 2), "trip/deep/c": columns(1, 3)}.items():
        mask = found[name]
        assert mask is not None
        np.testing.assert_array_equal(mask, expected)


def test_checksums_see_images_and_masks(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    save(masks / "a.png", columns(0, 4))
    checksums = [ImageFolder(str(folder)).checksum(), ImageFolder(str(folder), str(masks)).checksum()]
    save(masks / "b.png", columns(0, 4))
    checksums.append(ImageFolder(str(folder), str(masks)).checksum())
    annotations = instances(tmp_path / "masks.json", ["b.jpg"])
    checksums.append(ImageFolder(str(folder), str(annotations)).checksum())
    annotations.write_text(annotations.read_text().replace("left", "port"))
    checksums.append(ImageFolder(str(folder), str(annotations)).checksum())
    save(folder / "new.png")
    checksums.append(ImageFolder(str(folder), str(annotations)).checksum())
    assert len(set(checksums)) == len(checksums)
    assert ImageFolder(str(folder), str(annotations)).checksum() == checksums[-1]


def test_errors_end_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    (tmp_path / "broken.json").write_text("{")
    masks = save(tmp_path / "masks" / "z.png", columns(0, 4))
    cases: list[tuple[Path, Path | None, str]] = [
        (tmp_path / "none", None, "no such folder, dataset.path must name a folder of images, or one image"),
        (tmp_path / "empty", None, "no images, dataset.path must name an image or a folder"),
        (folder / "notes.txt", None, "no image by its suffix"),
        (folder, folder, "dataset.masks must name another folder"),
        (folder, tmp_path / "none", "is not there, dataset.masks must name a folder of PNG files"),
        (folder, tmp_path / "none.json", "no such file, a COCO instances file"),
        (folder, tmp_path / "broken.json", "cannot be read as JSON"),
        (folder, folder / "notes.txt", "no mask, dataset.masks must name"),
        (folder, masks.parent, "no mask for any image, such as a.PNG"),
    ]
    save(folder / "a.jpg")
    cases.append((folder, save(tmp_path / "shared" / "a.png", columns(0, 4)).parent, "the mask of several images"))
    for path, mask, message in cases:
        with pytest.raises(UserError, match=message) as error:
            ImageFolder(str(path), None if mask is None else str(mask)).photographs()
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"dataset\.n_images must be at least 1"):
        ImageFolder(str(folder), n_images=0)
