"""The hand-drawn outlines of data/sample_photos.json: whole, inside their photographs, and what they say they are."""

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from torchvision.models import ResNet50_Weights

ROOT = Path(__file__).parents[4]
COCO_FILE = COCO(ROOT / "data" / "sample_photos.json")
IMAGES: list[dict[str, Any]] = COCO_FILE.loadImgs(sorted(COCO_FILE.imgs))
ANNOTATIONS: list[dict[str, Any]] = COCO_FILE.loadAnns(sorted(COCO_FILE.anns))
SPEC = importlib.util.find_spec("foolbox")  # found, not imported: its import is slow and not needed

# pycocotools 2.0.11 itself decodes masks in a way that numpy 2 finds out of date.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Point = tuple[float, float]

each_image = pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image["file_name"]))


def points(polygon: list[float]) -> list[Point]:
    return list(zip(polygon[::2], polygon[1::2], strict=True))


def annotations_of(image: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in ANNOTATIONS if item["image_id"] == image["id"]]


def test_there_are_twenty_photographs_and_each_has_an_object() -> None:
    assert len({image["file_name"] for image in IMAGES}) == 20
    assert {item["image_id"] for item in ANNOTATIONS} == {image["id"] for image in IMAGES}


@each_image
def test_the_size_is_that_of_the_photograph(image: dict[str, Any]) -> None:
    if SPEC is None or not SPEC.submodule_search_locations:
        pytest.skip("the photographs are in the package foolbox, which is not installed (extra `samples`)")
    with Image.open(Path(SPEC.submodule_search_locations[0]) / "data" / image["file_name"]) as photograph:
        assert photograph.size == (image["width"], image["height"])


@each_image
def test_the_category_is_the_label_of_the_file_name(image: dict[str, Any]) -> None:
    label = re.fullmatch(r"imagenet_\d\d_(\d+)\.jpg", image["file_name"])
    assert label is not None
    assert {item["category_id"] for item in annotations_of(image)} == {int(label[1])}


def test_the_names_are_those_of_imagenet() -> None:
    names = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    assert {index: category["name"] for index, category in COCO_FILE.cats.items()} == {
        index: names[index] for index in COCO_FILE.cats
    }


@each_image
def test_every_polygon_lies_in_its_photograph(image: dict[str, Any]) -> None:
    corners = [point for item in annotations_of(image) for polygon in item["segmentation"] for point in points(polygon)]
    assert all(0 <= x <= image["width"] and 0 <= y <= image["height"] for x, y in corners)


@pytest.mark.parametrize("item", ANNOTATIONS, ids=lambda item: f"object_{item['id']}")
def test_no_outline_crosses_itself(item: dict[str, Any]) -> None:
    for polygon in item["segmentation"]:
        corners = points(polygon)
        assert len(corners) >= 3
        edges = list(pairwise([*corners, corners[0]]))
        assert not any(crosses(one, other) for k, one in enumerate(edges) for other in edges[k + 2 :])


def crosses(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    return turn(*one, other[0]) * turn(*one, other[1]) < 0 and turn(*other, one[0]) * turn(*other, one[1]) < 0


def turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@pytest.mark.parametrize("item", ANNOTATIONS, ids=lambda item: f"object_{item['id']}")
def test_area_and_box_are_those_of_the_mask(item: dict[str, Any]) -> None:
    encoded = COCO_FILE.annToRLE(item)
    assert item["area"] == coco_mask.area(encoded)
    assert item["bbox"] == pytest.approx(coco_mask.toBbox(encoded), abs=0.05)


@each_image
def test_the_mask_is_that_of_another_rasteriser(image: dict[str, Any]) -> None:
    """PIL fills every pixel that an edge touches, pycocotools about half of them: the rims alone may differ."""
    drawn = Image.new("1", (image["width"], image["height"]))
    rim = 0.0
    for item in annotations_of(image):
        for polygon in item["segmentation"]:
            corners = points(polygon)
            ImageDraw.Draw(drawn).polygon(corners, fill=1)
            rim += sum(np.hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise([*corners, corners[0]]))
    difference = np.array(drawn) != mask_of(image)
    assert difference.sum() <= rim


@each_image
def test_the_object_covers_a_sensible_part_of_the_photograph(image: dict[str, Any]) -> None:
    assert 0.01 <= mask_of(image).mean() <= 0.95


def mask_of(image: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    union = np.zeros((image["height"], image["width"]), dtype=np.bool_)
    for item in annotations_of(image):
        union |= COCO_FILE.annToMask(item).astype(np.bool_)
    return union


def test_the_contact_sheet_shows_five_photographs_a_row() -> None:
    with Image.open(ROOT / "docs" / "sample_photos.png") as sheet:
        assert sheet.width >= 1000
        assert 0.7 < sheet.height / sheet.width < 1  # four rows of five
    assert (ROOT / "docs" / "sample_photos.png").stat().st_size < 1.5e6
