"""Masks from COCO instances and PNG files, against hand-made rectangles and pycocotools' own class."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Bool
from PIL import Image
from pycocotools import mask as coco_mask

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.masks import (
    AnnotatedImage,
    InstanceMasks,
    PngMask,
    rasterise,
    read_annotations,
)
from igbaselines.studies.images.data.pictures import UnreadablePhotographError, open_photograph

ORIENTATION = 0x0112
WIDTH, HEIGHT = 40, 24


def box(left: int, top: int, right: int, bottom: int) -> list[float]:
    """The polygon of a rectangle whose borders lie between pixels."""
    return [left, top, right, top, right, bottom, left, bottom]


def filled(*boxes: tuple[int, int, int, int]) -> Bool[np.ndarray, "24 40"]:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def plain_runs(mask: Bool[np.ndarray, "h w"]) -> dict[str, Any]:
    """Run lengths down the columns, beginning with the background, counted by hand."""
    counts, value, length = [], False, 0
    for pixel in mask.T.ravel():
        if pixel != value:
            counts.append(length)
            value, length = pixel, 0
        length += 1
    return {"size": list(mask.shape), "counts": [*counts, length]}


def compressed_runs(mask: Bool[np.ndarray, "h w"]) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def annotated(*outlines: Any, categories: tuple[int, ...] | None = None) -> AnnotatedImage:
    ids = categories or (1,) * len(outlines)
    return AnnotatedImage("a.png", WIDTH, HEIGHT, tuple(zip(ids, outlines, strict=True)))


@pytest.fixture
def photograph(tmp_path: Path) -> Callable[..., Path]:
    """Make a photograph with the object in its red channel; its stored pixels have the size of the masks."""

    def make(orientation: int = 1, red: Bool[np.ndarray, "h w"] | None = None) -> Path:
        pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        if red is not None:
            pixels[..., 0] = 255 * red
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = tmp_path / f"photograph{orientation}.png"
        Image.fromarray(pixels).save(path, exif=exif)
        return path

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any) -> Path:
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.mark.parametrize("encode", [plain_runs, compressed_runs])
def test_run_lengths(encode: Callable[..., dict[str, Any]], rng: np.random.Generator) -> None:
    for mask in (
        filled((3, 2, 10, 20)),
        filled((0, 0, 40, 24)),
        filled((39, 23, 40, 24)),
        rng.random((24, 40)) < 0.5,
        rng.random((300, 200)) < 0.001,  # long runs and large differences between them
    ):
        np.testing.assert_array_equal(rasterise([encode(mask)], *mask.shape), mask)


def test_polygons_and_run_lengths_make_a_union() -> None:
    two_parts = [box(1, 1, 6, 5), box(20, 4, 25, 9)]
    runs = plain_runs(filled((4, 3, 12, 20)))
    expected = filled((1, 1, 6, 5), (20, 4, 25, 9), (4, 3, 12, 20))
    np.testing.assert_array_equal(rasterise([two_parts, runs], HEIGHT, WIDTH), expected)


def test_a_triangle_has_the_pixels_whose_centres_it_holds() -> None:
    corners = [4.0, 2.0, 34.0, 6.0, 12.0, 21.0]
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    points = list(zip(corners[::2], corners[1::2], strict=True))
    inside = np.ones((HEIGHT, WIDTH), dtype=bool)
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        inside &= (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) >= 0
    mask = rasterise([[corners]], HEIGHT, WIDTH)
    assert (mask & inside).sum() / (mask | inside).sum() > 0.93  # pycocotools draws up to half a pixel more


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_turns_with_the_photograph(orientation: int, photograph: Callable[..., Path]) -> None:
    stored = filled((2, 1, 30, 7), (2, 7, 9, 20))
    path = photograph(orientation, red=stored)
    upright = np.asarray(open_photograph(path))[..., 0] == 255
    mask = InstanceMasks(annotated(plain_runs(stored))).mask(path, 0)
    assert mask is not None
    np.testing.assert_array_equal(mask, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_png_masks_are_upright_or_else_stored(
    orientation: int, photograph: Callable[..., Path], tmp_path: Path
) -> None:
    stored = filled((2, 1, 30, 7), (2, 7, 9, 20))
    path = photograph(orientation, red=stored)
    upright = np.asarray(open_photograph(path))[..., 0] == 255
    for name, pixels in (("upright", upright), ("stored", stored)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        mask = PngMask(tmp_path / f"{name}.png").mask(path, 0)
        assert mask is not None
        # A stored mask can be told from an upright one by its size alone, where the turn changes that.
        told_apart = name == "upright" or stored.shape != upright.shape
        np.testing.assert_array_equal(mask, upright if told_apart else stored)


def test_png_masks_of_all_modes(photograph: Callable[..., Path], tmp_path: Path) -> None:
    mask = filled((5, 5, 20, 15))
    alpha = Image.fromarray(np.where(mask, 0, 255).astype(np.uint8))  # the opposite of the colours
    palette = Image.fromarray(mask.astype(np.uint8))
    palette.putpalette([0, 0, 0, 0, 0, 1])  # so dark a blue has a luminance of zero
    images = {
        "1": Image.fromarray(mask),
        "L": Image.fromarray(mask.astype(np.uint8)),  # as 0 and 1
        "I;16": Image.fromarray(mask.astype(np.uint16) * 256),  # nothing in the low byte
        "RGB": Image.fromarray(np.stack([mask * 0, mask * 0, mask * 1], axis=-1).astype(np.uint8)),
        "P": palette,
    }
    for mode in ("LA", "RGBA"):
        images[mode] = Image.fromarray(mask).convert(mode)
        images[mode].putalpha(alpha)
    for mode, image in images.items():
        path = tmp_path / "mask.png"
        if mode == "P":
            image.info["transparency"] = bytes([255, 0])  # PIL writes it along
        image.save(path)
        with Image.open(path) as reopened:
            assert reopened.mode == mode
        found = PngMask(path).mask(photograph(), 0)
        assert found is not None, mode
        np.testing.assert_array_equal(found, mask, err_msg=mode)


def test_masks_of_the_predicted_class_only(photograph: Callable[..., Path]) -> None:
    image = annotated([box(1, 1, 6, 5)], [box(10, 4, 15, 9)], [], categories=(17, 18, 19))
    masks = InstanceMasks(image, {281: 17, 151: 18, 340: 19, 404: 99})
    path = photograph()
    cat, dog = masks.mask(path, 281), masks.mask(path, 151)
    assert cat is not None
    assert dog is not None
    np.testing.assert_array_equal(cat, filled((1, 1, 6, 5)))
    np.testing.assert_array_equal(dog, filled((10, 4, 15, 9)))
    assert masks.mask(path, 340) is None  # an instance without an outline
    assert masks.mask(path, 404) is None  # no instance
    assert masks.mask(path, 0) is None  # in no category
    both = InstanceMasks(image).mask(path, 0)
    assert both is not None
    np.testing.assert_array_equal(both, cat | dog)


def test_masks_without_a_pixel_are_none(photograph: Callable[..., Path], tmp_path: Path) -> None:
    assert InstanceMasks(annotated(plain_runs(filled()))).mask(photograph(), 0) is None
    Image.fromarray(filled()).save(tmp_path / "mask.png")
    assert PngMask(tmp_path / "mask.png").mask(photograph(), 0) is None


def test_masks_of_another_size_name_both(photograph: Callable[..., Path], tmp_path: Path) -> None:
    huge = AnnotatedImage("a.png", 10**9, 10**9, ((1, [box(1, 1, 6, 5)]),))
    with pytest.raises(
        UnreadablePhotographError, match="has 1000000000 x 1000000000 pixels, the photograph has 40 x 24"
    ):
        InstanceMasks(huge).mask(photograph(), 0)
    Image.fromarray(filled()[:-1]).save(tmp_path / "mask.png")
    with pytest.raises(UnreadablePhotographError, match="has 40 x 23 pixels, the photograph has 24 x 40"):
        PngMask(tmp_path / "mask.png").mask(photograph(6), 0)


def test_broken_png_masks(photograph: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    for content, message in ((b"", "mask.png is empty"), (b"text", "mask.png is not an image")):
        path.write_bytes(content)
        with pytest.raises(UnreadablePhotographError, match=message):
            PngMask(path).mask(photograph(), 0)


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ([[1, 2, 3, 4]], "a polygon of its mask has 4 numbers"),
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon of its mask has 7 numbers"),
        ([[1, 2, 3, 4, 5, float("nan")]], "no finite number"),
        ([[1, 2, 3, 4, 5, "6"]], "no finite number"),
        ([[1, 2, 3, 4, 1e9, 6]], "far outside the 40 x 24 pixels"),
        ([1, 2, 3, 4, 5, 6], "neither polygons nor run lengths"),
        ({"size": [10, 10], "counts": [100]}, r"size \[10, 10\], not \[24, 40\]"),
        ({"size": [24, 40]}, "are broken"),
        ({"size": [24, 40], "counts": [-1, 961]}, "are broken"),
        ({"size": [24, 40], "counts": [100, 100]}, "cover 200 of 960 pixels"),
        ({"size": [24, 40], "counts": ""}, "cover 0 of 960 pixels"),
        ({"size": [24, 40], "counts": "0000"}, "cover 0 of 960 pixels"),
        ({"size": [24, 40], "counts": "é"}, "are broken"),
    ],
)
def test_broken_outlines_make_their_photograph_unreadable(
    outline: Any, message: str, photograph: Callable[..., Path]
) -> None:
    with pytest.raises(UnreadablePhotographError, match=message) as error:
        InstanceMasks(annotated(outline)).mask(photograph(), 0)
    assert "\n" not in str(error.value)


GOOD: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "a.png", "width": 40, "height": 24, "license": 4}],
    "categories": [{"id": 17, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 17, "segmentation": [box(1, 1, 6, 5)], "iscrowd": 0},
        {"id": 2, "image_id": 8, "category_id": 17, "segmentation": [box(1, 1, 6, 5)], "iscrowd": 0},
    ],
}


def test_reads_annotations(write: Callable[..., Path]) -> None:
    annotations = read_annotations(write(GOOD))
    assert annotations.categories == {"cat": 17}
    assert annotations.images == (AnnotatedImage("a.png", 40, 24, ((17, [box(1, 1, 6, 5)]),)),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "no list 'images'"),
        ({"images": []}, "no images"),
        ({"images": [{"id": 7, "file_name": "a.png", "width": 40}]}, r"images\[0\] has no 'height'"),
        ({"images": [GOOD["images"][0] | {"width": "40"}]}, r"images\[0\] has a 'width' of the wrong type \('40'\)"),
        ({"images": GOOD["images"] * 2}, "image 'a.png' is named more than once"),
        ({"categories": {}}, "no list 'categories'"),
        ({"annotations": [1]}, r"annotations\[0\] has no 'image_id'"),
        ({"annotations": [{"image_id": 7, "category_id": 1}]}, r"annotations\[0\] has no 'segmentation'"),
    ],
)
def test_bad_annotations_end_in_one_line_that_names_the_file(
    changes: dict[str, Any], message: str, write: Callable[..., Path]
) -> None:
    path = write(GOOD | changes)
    with pytest.raises(UserError, match=message) as error:
        read_annotations(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_files_that_are_no_annotations(tmp_path: Path) -> None:
    for content, message in (("{'a': 1}\n", "cannot be read as JSON"), ("[]", "is an object"), (None, "no such file")):
        path = tmp_path / "instances.json"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=message) as error:
            read_annotations(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "outline",
    [
        [[value for i in range(50_000) for value in (30, i % 2 * HEIGHT)]],  # zigzag
        [[x for _ in range(40_000) for x in (0, 0, WIDTH, HEIGHT)]],
        [box(0, 0, WIDTH, HEIGHT)] * 20_000,
        [[10**400, 0, 1, 0, 1, 1]],
        [[-(10**400), 0, 1, 0, 1, 1]],
        [[float("inf"), 0, 1, 0, 1, 1]],
        [[float("nan"), 0, 1, 0, 1, 1]],
        [[1e308, 0, 1, 0, 1, 1]],
        [[True, 0, 1, 0, 1, 1]],
        [["1", 0, 1, 0, 1, 1]],
        [[[0], 0, 1, 0, 1, 1]],
        {"size": [HEIGHT, WIDTH], "counts": "P" * 500_000},  # one number that goes on and on
        {"size": [HEIGHT, WIDTH], "counts": "PPPPPPPPPPPPPPPPPPP0"},
        {"size": [HEIGHT, WIDTH], "counts": "0`"},
        {"size": [HEIGHT, WIDTH], "counts": "\u20ac"},
        {"size": [HEIGHT, WIDTH], "counts": [10**400, -(10**400) + HEIGHT * WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [2**32 + HEIGHT * WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [float(HEIGHT * WIDTH)]},
        {"size": [HEIGHT, WIDTH], "counts": [True, HEIGHT * WIDTH - 1]},
        {"size": [HEIGHT, WIDTH], "counts": []},
        {"size": [HEIGHT, WIDTH], "counts": None},
        {"size": [HEIGHT, WIDTH]},
        {"size": [10**400, WIDTH], "counts": [HEIGHT * WIDTH]},
        {"size": None, "counts": [HEIGHT * WIDTH]},
    ],
    ids=lambda outline: str(outline)[:50],
)
def test_what_is_broken_or_without_bounds_is_left_out(outline: Any) -> None:
    with pytest.raises(UnreadablePhotographError, match="of its mask") as caught:
        rasterise([outline], HEIGHT, WIDTH)
    assert len(str(caught.value)) < 200


def test_whatever_stands_in_an_outline_ends_in_a_mask_or_in_a_line() -> None:
    rng = np.random.default_rng(0)
    numbers = [
        0,
        1,
        -1,
        3.5,
        WIDTH,
        2 * WIDTH,
        -WIDTH,
        10**30,
        float("nan"),
        True,
        None,
        "0",
        2**31,
        2**32,
        2**63,
        1e20,
    ]
    for _ in range(2000):
        drawn = [numbers[i] for i in rng.integers(len(numbers), size=rng.integers(0, 12))]
        text = "".join(map(chr, rng.integers(40, 120, size=rng.integers(0, 30))))
        for outline in ([drawn], drawn, {"size": [HEIGHT, WIDTH], "counts": drawn}, {"size": drawn, "counts": text}):
            try:
                assert rasterise([outline], HEIGHT, WIDTH).shape == (HEIGHT, WIDTH)
            except UnreadablePhotographError as error:
                assert "\n" not in str(error)  # noqa: PT017 (it may also be a mask)


def test_run_lengths_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(1)
    for share in (0.0, 0.1, 0.5, 1.0):
        mask = rng.random((HEIGHT, WIDTH)) < share
        for outline in (plain_runs(mask), compressed_runs(mask)):
            np.testing.assert_array_equal(rasterise([outline], HEIGHT, WIDTH), mask)


IMAGE = {"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}


@pytest.mark.parametrize(
    ("images", "categories", "what"),
    [
        ([IMAGE, IMAGE | {"file_name": "b.jpg"}], [], "image id 1 is named more than once"),
        ([IMAGE, IMAGE | {"id": 2, "file_name": "./a.jpg"}], [], "image 'a.jpg' is named more than once"),
        ([IMAGE, IMAGE | {"id": 2, "file_name": "b/../a.jpg"}], [], "image 'a.jpg' is named more than once"),
        ([IMAGE, IMAGE | {"id": 2, "file_name": ".//a.jpg"}], [], "image 'a.jpg' is named more than once"),
        ([IMAGE], [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}], "category 'cat' is named more than once"),
        ([IMAGE], [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}], "category id 1 is named more than once"),
    ],
)
def test_entries_of_one_name_or_id_are_refused(
    images: list[Any], categories: list[Any], what: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match=what):
        read_annotations(write({"images": images, "categories": categories, "annotations": []}))


def test_a_name_has_its_shortest_form(write: Callable[..., Path]) -> None:
    images = [IMAGE | {"file_name": ".//b/./a.jpg"}]
    (found,) = read_annotations(write({"images": images, "categories": [], "annotations": []})).images
    assert found.file_name == "b/a.jpg"
