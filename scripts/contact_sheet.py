"""Draw the sample photographs with their hand-drawn outlines on one sheet, to be checked by eye.

    python scripts/contact_sheet.py
    python scripts/contact_sheet.py --annotations data/sample_photos.json --output docs/sample_photos.png

The photographs are in the package foolbox (the extra `samples`), which is located but never imported: it would
bring its whole toolbox with it.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.masks import InstanceMasks, read_annotations
from igbaselines.studies.images.data.sample_photos import SamplePhotos

ROOT = Path(__file__).parents[1]
COLUMNS = 5
TILE = 280  # side of a photograph's place on the sheet [pixel]
CAPTION = 20  # height of the line of text under it [pixel]
OVERSAMPLING = 2  # drawn larger and then reduced: PIL's own lines are jagged
LINE = "#ff00c8"
FADING = 0.5  # of the surroundings, to white: the object keeps its own colours
PALETTE = 256  # colours that keep the sheet well under 1.5 MB


@dataclass(frozen=True)
class OutlinedPhotograph:
    """One photograph, its polygons ([x1, y1, x2, y2, ...] in pixels of the photograph) and its caption."""

    path: Path
    polygons: list[list[float]]
    caption: str


def main() -> None:
    """Read the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotations", type=Path, default=ROOT / "data" / "sample_photos.json")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "sample_photos.png")
    arguments = parser.parse_args()
    try:
        photographs = outlined(arguments.annotations)
    except UserError as error:
        parser.error(str(error))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw_sheet(photographs).quantize(PALETTE, method=Image.Quantize.MEDIANCUT)
    sheet.save(arguments.output, optimize=True)


def outlined(annotations: Path) -> list[OutlinedPhotograph]:
    """The sample photographs with the outlines of a file in the format of COCO's instances.

    Raises:
        UserError: if foolbox is not installed, or the file is missing or broken.
    """
    name_of = {category: name for name, category in read_annotations(annotations).categories.items()}
    photographs = []
    for number, photograph in enumerate(SamplePhotos(str(annotations)).find()):
        if not isinstance(photograph.masks, InstanceMasks) or not isinstance(photograph.picture, Path):
            raise UserError(f"{annotations}: no outline for {photograph.name}")
        objects = photograph.masks.image.instances
        names = sorted({name_of[category] for category, _ in objects})
        count = f" ({len(objects)})" if len(objects) > 1 else ""
        polygons = [polygon for _, outline in objects for polygon in outline]
        photographs.append(OutlinedPhotograph(photograph.picture, polygons, f"{number:02d} {', '.join(names)}{count}"))
    return photographs


def draw_sheet(photographs: list[OutlinedPhotograph]) -> Image.Image:
    """All photographs, COLUMNS a row, each centred in its place above its caption."""
    rows = math.ceil(len(photographs) / COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + CAPTION)), "white")
    text, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for place, photograph in enumerate(photographs):
        row, column = divmod(place, COLUMNS)
        left, top = column * TILE, row * (TILE + CAPTION)
        tile = draw_outlines(photograph, TILE - 4)
        sheet.paste(tile, (left + (TILE - tile.width) // 2, top + (TILE - tile.height) // 2))
        text.text((left + TILE // 2, top + TILE), photograph.caption, fill="black", font=font, anchor="ma")
    return sheet


def draw_outlines(photograph: OutlinedPhotograph, side: int) -> Image.Image:
    """The photograph with its polygons outlined and the rest faded, its longer side `side` pixels long."""
    with Image.open(photograph.path) as file:
        image = file.convert("RGB")
    scale = side / max(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    large = image.resize((width * OVERSAMPLING, height * OVERSAMPLING), Image.Resampling.LANCZOS)
    outlines = [_points(polygon, scale * OVERSAMPLING) for polygon in photograph.polygons]
    inside = Image.new("L", large.size)
    for outline in outlines:
        ImageDraw.Draw(inside).polygon(outline, fill=255)
    faded = Image.blend(large, Image.new("RGB", large.size, "white"), FADING)
    large = Image.composite(large, faded, inside)
    for outline in outlines:
        ImageDraw.Draw(large).line([*outline, outline[0]], fill=LINE, width=OVERSAMPLING, joint="curve")
    return large.resize((width, height), Image.Resampling.LANCZOS)


def _points(polygon: list[float], scale: float) -> list[tuple[float, float]]:
    return [(x * scale, y * scale) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]


if __name__ == "__main__":
    main()
