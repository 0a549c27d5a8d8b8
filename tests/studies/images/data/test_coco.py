"""COCO: masks of the predicted class's category, the table of categories, and errors in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools.coco import COCO

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.coco import Coco, read_categories
from igbaselines.studies.images.data.pictures import open_photograph

ROOT = Path(__file__).parents[4]
CATEGORIES = ROOT / "data" / "imagenet_to_coco.yaml"
REAL = ROOT.parent / "shared" / "data" / "coco_photos"
INSTANCES = REAL / "annotations" / "instances_val2017.json"
KNOWN = {"cat": 17, "dog": 18, "person": 1}
SQUARE = [[2, 2, 10, 2, 10, 10, 2, 10]]


def make(root: Path, categories: tuple[int, ...] = (17, 18, 17, 1)) -> Path:
    """One image for each category, with one instance."""
    folder = root / "val2017"
    folder.mkdir(parents=True)
    (root / "annotations").mkdir()
    for index in range(len(categories)):
        Image.new("RGB", (32, 20)).save(folder / f"{index}.jpg")
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 32, "height": 20} for i in range(len(categories))],
        "categories": [{"id": identity, "name": name} for name, identity in KNOWN.items()],
        "annotations": [
            {"id": i, "image_id": i, "category_id": category, "segmentation": SQUARE, "iscrowd": 0}
            for i, category in enumerate(categories)
        ],
    }
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def categories(tmp_path: Path) -> Path:
    path = tmp_path / "categories.yaml"
    path.write_text("cat: [281-285]\ndog: [151-200, 250]\n")
    return path


def test_candidates_are_all_annotated_images(tmp_path: Path, categories: Path) -> None:
    root = make(tmp_path / "coco")
    found = Coco(str(root), str(categories), n_images=2).photographs()
    assert {photograph.name for photograph in found.candidates} == {"0", "1", "2", "3"}
    assert (found.wanted, found.only_correct, found.mask_required) == (2, False, True)
    photograph = next(photograph for photograph in found.candidates if photograph.name == "0")
    assert photograph.label is None
    mask = photograph.mask(283)
    assert mask is not None
    expected = np.zeros((20, 32), dtype=bool)
    expected[2:10, 2:10] = True
    np.testing.assert_array_equal(mask, expected)
    assert photograph.mask(151) is None
    assert photograph.mask(0) is None
    person = next(photograph for photograph in found.candidates if photograph.name == "3")
    assert all(person.mask(index) is None for index in range(1000))  # left out when its turn comes, and counted


def test_order_and_checksum(tmp_path: Path, categories: Path) -> None:
    root = make(tmp_path / "coco", (17,) * 12)

    def order(seed: int) -> list[str]:
        return [photograph.name for photograph in Coco(str(root), str(categories), seed=seed).photographs().candidates]

    assert order(0) == order(0)
    assert order(0) != order(1)
    checksums = [Coco(str(root), str(categories)).checksum()]
    categories.write_text("cat: [281]\n")
    checksums.append(Coco(str(root), str(categories)).checksum())
    (root / "val2017" / "3.jpg").unlink()
    assert len(order(0)) == 11
    checksums.append(Coco(str(root), str(categories)).checksum())
    annotations = root / "annotations" / "instances_val2017.json"
    annotations.write_text(annotations.read_text().replace("[2, 2, 10", "[3, 2, 10"))
    checksums.append(Coco(str(root), str(categories)).checksum())
    assert len(set(checksums)) == 4


def test_nothing_is_printed(tmp_path: Path, categories: Path, capfd: pytest.CaptureFixture[str]) -> None:
    candidates = Coco(str(make(tmp_path / "coco")), str(categories)).photographs().candidates
    for photograph in candidates:
        photograph.mask(283)
    assert capfd.readouterr() == ("", "")


def test_errors_end_in_one_line(tmp_path: Path, categories: Path) -> None:
    root = make(tmp_path / "coco")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"root": str(tmp_path / "none")}, "no such folder, dataset.root must name the folder that holds val2017/"),
        ({"split": "train2017"}, "train2017: no such folder"),
        ({"annotations": str(tmp_path / "none.json")}, "no such file, a COCO instances file"),
        ({"annotations": str(categories)}, "cannot be read as JSON"),
        ({"categories": str(tmp_path / "none.yaml")}, "cannot be read as YAML"),
    ]
    for changes, message in cases:
        with pytest.raises(UserError, match=message) as error:
            Coco(**({"root": str(root), "categories": str(categories)} | changes)).photographs()
        assert "\n" not in str(error.value)
    for path in (root / "val2017").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="none of the 4 images"):
        Coco(str(root), str(categories)).photographs()
    with pytest.raises(UserError, match=r"dataset\.n_images must be at least 1"):
        Coco(str(root), str(categories), n_images=-3)


def test_the_table_of_categories(categories: Path) -> None:
    category_of = read_categories(categories, KNOWN)
    assert {index for index, category in category_of.items() if category == 17} == set(range(281, 286))
    assert {index for index, category in category_of.items() if category == 18} == {*range(151, 201), 250}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("tiger: [292]", "no category 'tiger'; they have cat, dog, person"),
        ("cat: [1000]", r"'cat' has 1000, it must be a class from 0 to 999 or a range"),
        ("cat: [-1]", "'cat' has -1"),
        ("cat: [285-281]", "'cat' has '285-281'"),
        ("cat: [true]", "'cat' has True"),
        ("cat: [tabby]", "'cat' has 'tabby'"),
        ("cat: [281]\ndog: [151, 280-282]", "class 281 is in 'cat' and 'dog'"),
        ("cat: [281, 281]", "class 281 is in 'cat' and 'cat'"),
        ("cat: 281", "must name a table"),
        ("- cat", "must name a table"),
        ("", "must name a table"),
        ("cat: [", "cannot be read as YAML"),
    ],
)
def test_broken_tables(table: str, message: str, categories: Path) -> None:
    categories.write_text(table)
    with pytest.raises(UserError, match=message) as error:
        read_categories(categories, KNOWN)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not INSTANCES.is_file(), reason="no COCO photographs in ../shared/data")
def test_the_project_s_table_and_real_masks() -> None:
    coco = COCO()  # given the file it would print
    coco.dataset = json.loads(INSTANCES.read_text())
    coco.imgs = {image["id"]: image for image in coco.dataset["images"]}
    known = {category["name"]: category["id"] for category in coco.dataset["categories"]}
    category_of = read_categories(CATEGORIES, known)
    class_of = {category: index for index, category in category_of.items()}
    assert set(yaml.safe_load(CATEGORIES.read_text())) == {name for name in known if known[name] in class_of}

    candidates = Coco(str(REAL), str(CATEGORIES)).photographs().candidates
    assert len(candidates) == 100
    seen = 0
    for photograph in candidates[:25]:
        height, width = np.asarray(open_photograph(photograph.picture)).shape[:2]
        annotations = [a for a in coco.dataset["annotations"] if a["image_id"] == int(photograph.name)]
        for category in {annotation["category_id"] for annotation in annotations} & set(class_of):
            mask = photograph.mask(class_of[category])
            expected = np.zeros((height, width), dtype=bool)
            for annotation in annotations:
                if annotation["category_id"] == category:
                    expected |= coco.annToMask(annotation).astype(bool)
            assert mask is not None
            np.testing.assert_array_equal(mask, expected)
            seen += 1
    assert seen > 20
