"""Masks of objects in photographs: COCO's instances, and PNG files.

A mask lies in the frame of the upright image. COCO's outlines are drawn on the pixels as they are stored, so a
photograph that its EXIF orientation turns takes its mask along. Masks without a pixel count as none.
"""

import json
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.pictures import Frame, Picture, UnreadablePhotographError, opened, read_frame

MAX_OUTLINE = 1_000_000  # pixels along all polygons of a mask; pycocotools counts in 32 bits, at a fifth of a pixel
MOST_BITS = 30  # of a run length; padded texts, which grow for ever, have more
_Fields = Mapping[str, type | tuple[type, ...]]  # of a record, with their types


@dataclass(frozen=True)
class AnnotatedImage:
    """An image of a COCO instances file."""

    file_name: str  # relative to the folder of the images, in its shortest form: a.jpg for ./a.jpg
    width: int  # in pixels
    height: int  # in pixels
    # Category id and segmentation (polygons or run lengths) of each object, crowds included
    instances: tuple[tuple[int, Any], ...]


@dataclass(frozen=True)
class Annotations:
    """A COCO instances file."""

    images: tuple[AnnotatedImage, ...]  # all images, also those without an instance
    categories: Mapping[str, int]  # name -> id


@dataclass(frozen=True)
class InstanceMasks:
    """The union of an image's instances."""

    image: AnnotatedImage  # with its instances
    # ImageNet class -> COCO category whose instances are taken; None takes all, whatever the class
    category_of: Mapping[int, int] | None = None

    def mask(self, photograph: Picture, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The union in the photograph's upright frame."""
        outlines = self._outlines(predicted)
        if not outlines:
            return None
        # First the sizes: outlines for an image of another size may not even fit into the memory.
        frame = read_frame(photograph)
        is_stored = _is_stored((self.image.width, self.image.height), frame, first=True)
        union = rasterise(outlines, self.image.height, self.image.width)
        return _upright(union, frame, is_stored=is_stored)

    def _outlines(self, predicted: int) -> list[Any]:
        if self.category_of is None:
            return [outline for _, outline in self.image.instances if outline]
        category = self.category_of.get(predicted)
        return [outline for found, outline in self.image.instances if found == category and outline]


@dataclass(frozen=True)
class PngMask:
    """A mask in a PNG file: every pixel that is not black is object; transparency does not matter."""

    path: Path  # the file, as large as the upright image; as the stored pixels where only these have its size

    def mask(self, photograph: Picture, predicted: int) -> Bool[np.ndarray, "h w"] | None:
        """The mask in the photograph's upright frame, whatever the predicted class."""
        with opened(self.path) as image:
            # Colours without their transparency; through RGBA, since PIL warns where it drops a palette's itself.
            has_colours = image.mode in ("P", "PA", "LA", "RGBA")
            pixels = np.asarray(image.convert("RGBA").convert("RGB") if has_colours else image)
        object_pixels = np.asarray((pixels if pixels.ndim == 3 else pixels[..., None]).any(axis=-1))
        frame = read_frame(photograph)
        is_stored = _is_stored((object_pixels.shape[1], object_pixels.shape[0]), frame, first=False)
        return _upright(object_pixels, frame, is_stored=is_stored)


def rasterise(outlines: Iterable[Any], height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    """The union of COCO segmentations: lists of polygons, and run lengths, plain or compressed.

    Raises:
        UnreadablePhotographError: if one is broken or is not of an image of this size.
    """
    from pycocotools import mask as coco_mask

    union, length = np.zeros((height, width), dtype=bool), 0.0
    for outline in outlines:
        if isinstance(outline, dict):
            runs = _runs(outline, height, width)
            union |= np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T  # column by column
        else:
            length += _length(outline, height, width)
            if length > MAX_OUTLINE:
                raise UnreadablePhotographError(f"the polygons of its mask are longer than {MAX_OUTLINE} pixels")
            encoded = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
            union |= np.asarray(coco_mask.decode(encoded)).astype(bool)
    return union


def read_annotations(path: Path) -> Annotations:
    """Read a COCO instances file; outlines are looked at when a mask is asked for.

    Raises:
        UserError: if it is missing, broken, or lacks what a mask needs.
    """
    content = _read_json(path)
    outlines: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    needed: _Fields = {"image_id": int, "category_id": int, "segmentation": (list, dict)}
    for annotation in _records(path, content, "annotations", needed):
        outlines[annotation["image_id"]].append((annotation["category_id"], annotation["segmentation"]))
    of_categories = _records(path, content, "categories", {"id": int, "name": str})
    categories = {record["name"]: record["id"] for record in of_categories}
    _check_once(path, "category", [record["name"] for record in of_categories])
    _check_once(path, "category id", [record["id"] for record in of_categories])
    of_images = _records(path, content, "images", {"id": int, "file_name": str, "width": int, "height": int})
    images = tuple(
        AnnotatedImage(
            posixpath.normpath(record["file_name"]), record["width"], record["height"], tuple(outlines[record["id"]])
        )
        for record in of_images
    )
    if not images:
        raise UserError(f"{path}: no images, a COCO instances file names at least one")
    _check_once(path, "image", [image.file_name for image in images])
    _check_once(path, "image id", [record["id"] for record in of_images])
    return Annotations(images, categories)


def _check_once(path: Path, what: str, names: Sequence[object]) -> None:
    """Two entries of one name would get each other's outlines, or one of them be dropped."""
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{path}: {what} {repeated[0]!r:.80} is named more than once, every {what} needs one entry")


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such file, a COCO instances file (.json) is needed")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: a COCO instances file is an object with images, annotations and categories")
    return content


def _records(path: Path, content: dict[str, Any], key: str, fields: _Fields) -> list[dict[str, Any]]:
    """A list of the file whose entries have these fields."""
    records = content.get(key)
    if not isinstance(records, list):
        raise UserError(f"{path}: no list {key!r}, a COCO instances file has images, annotations and categories")
    for index, record in enumerate(records):
        for name, kind in fields.items():
            if not isinstance(record, dict) or name not in record:
                raise UserError(f"{path}: {key}[{index}] has no {name!r}")
            if not isinstance(record[name], kind) or isinstance(record[name], bool):
                raise UserError(f"{path}: {key}[{index}] has a {name!r} of the wrong type ({record[name]!r:.40})")
    return records


def _length(polygons: object, height: int, width: int) -> float:
    """The pixels along polygons; refused is what pycocotools would take for another thing, as 4 numbers for a box."""
    if not isinstance(polygons, list) or not polygons or not all(isinstance(polygon, list) for polygon in polygons):
        raise UnreadablePhotographError("an outline of its mask is neither polygons nor run lengths")
    length = 0.0
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise UnreadablePhotographError(f"a polygon of its mask has {len(polygon)} numbers, not x, y of 3 points")
        if not all(type(value) in (int, float) and value == value for value in polygon):
            raise UnreadablePhotographError("a polygon of its mask has a coordinate that is no finite number")
        for values, side in ((polygon[::2], width), (polygon[1::2], height)):
            if min(values) < -side or max(values) > 2 * side:  # an integer of any size, or an infinite number
                raise UnreadablePhotographError(f"a polygon of its mask is far outside the {width} x {height} pixels")
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        length += len(points) + float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())
    return length


def _runs(outline: Mapping[str, Any], height: int, width: int) -> list[int]:
    """The run lengths of an image of this size, whose pixels they cover."""
    counts, size = outline.get("counts"), outline.get("size")
    if size != [height, width]:
        raise UnreadablePhotographError(f"run lengths of its mask are of size {size!r:.40}, not {[height, width]}")
    runs = _decompress(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= height * width for run in runs):
        raise UnreadablePhotographError("run lengths of its mask are broken")
    if sum(runs) != height * width:
        raise UnreadablePhotographError(f"run lengths of its mask cover {sum(runs)} of {height * width} pixels")
    return runs


def _decompress(counts: str) -> list[int]:
    """Run lengths out of COCO's text: six bits a character, each run from the third on relative to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > MOST_BITS:
            raise UnreadablePhotographError("run lengths of its mask are broken")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise UnreadablePhotographError("run lengths of its mask are broken")
    return runs


def _is_stored(size: tuple[int, int], frame: Frame, *, first: bool) -> bool:
    """Whether a mask of this width and height is of the stored pixels; `first` says so where both frames have it."""
    if size not in (frame.stored, frame.upright):
        found, right = (f"{width} x {height}" for width, height in (size, frame.upright))
        raise UnreadablePhotographError(f"its mask has {found} pixels, the photograph has {right}")
    return size == frame.stored and (first or size != frame.upright)


def _upright(mask: Bool[np.ndarray, "h w"], frame: Frame, *, is_stored: bool) -> Bool[np.ndarray, "H W"] | None:
    if not mask.any():
        return None
    return frame.turn_upright(mask) if is_stored else mask
