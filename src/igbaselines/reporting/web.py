"""A figure as a page shows it: a drawing as SVG, whose text is text, and a photograph as WebP.

An SVG could hold a script, and anyone could have written a run's folder: `safe_svg` takes what drawings are made of.
"""

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from PIL import Image

PHOTOGRAPH = 100  # pixels a side from which a picture in colours is one
DENSE = 1000  # points of a line or a cloud that is a picture inside the drawing
DPI = 150  # of such a picture
QUALITY = 80  # of WebP, of 100
SVG, WEBP = ".svg", ".webp"
ELEMENTS = {"svg", "g", "defs", "path", "use", "rect", "clipPath", "text", "tspan", "style", "image"}
NUMBERS = re.compile(r' (?:d|points|x|y|width|height|transform)="[^"]*"')
DIGITS = re.compile(r"(\.\d\d)\d+")
HEAD = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)


def write_for_page(figure: Figure, png: Path) -> None:
    """Write, beside a figure's PNG, the file that a page shows: NAME.svg, or NAME.webp of a photograph."""
    if has_photograph(figure):
        png.with_suffix(WEBP).write_bytes(webp(png.read_bytes()))
    else:
        png.with_suffix(SVG).write_text(svg(figure), encoding="utf-8")


def has_photograph(figure: Figure) -> bool:
    """Whether a figure shows pictures in colours, and not in a few squares."""
    sizes = [image.get_size() for image in figure.findobj(AxesImage) if _colours(image)]
    return any(min(size) >= PHOTOGRAPH for size in sizes)


def _colours(image: object) -> bool:
    assert isinstance(image, AxesImage)
    shown = image.get_array()
    return shown is not None and shown.ndim == 3


def webp(png: bytes) -> bytes:
    """Turn a PNG into a format for photographs; an OSError or ValueError where it is none."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image, io.BytesIO() as buffer:
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY)
        return buffer.getvalue()


def svg(figure: Figure) -> str:
    """Draw a figure as SVG: numbers to a hundredth of a point, what is dense as a picture inside."""
    for artist in (*figure.findobj(Collection), *figure.findobj(Line2D)):
        if _points(artist) > DENSE:
            artist.set_rasterized(True)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    bare = HEAD.sub("", buffer.getvalue()).strip()
    return NUMBERS.sub(lambda found: DIGITS.sub(r"\1", found[0]), bare) + "\n"


def _points(artist: object) -> int:
    if isinstance(artist, Line2D):
        return len(np.asarray(artist.get_xydata()))
    assert isinstance(artist, Collection)
    return max(len(np.asarray(artist.get_offsets())), sum(path.vertices.shape[0] for path in artist.get_paths()))


def safe_svg(content: bytes) -> bool:
    """Whether an SVG consists of shapes, text and pictures alone: no script, no handler, nothing from elsewhere."""
    if b"<!" in content:  # entities could stand for billions
        return False
    try:
        root = ElementTree.fromstring(content)  # without entities
    except (ElementTree.ParseError, ValueError):
        return False
    return all(_is_safe(element) for element in root.iter())


def _is_safe(element: ElementTree.Element) -> bool:
    if str(element.tag).rpartition("}")[2] not in ELEMENTS:
        return False
    if str(element.tag).endswith("style") and re.search(r"@|url|\\", element.text or ""):
        return False
    for name, value in element.attrib.items():
        bare = name.rpartition("}")[2].lower()
        if bare.startswith("on") or (bare == "href" and not value.startswith(("#", "data:image/png;base64,"))):
            return False
        if "url(" in value and not re.fullmatch(r"url\(#[\w-]+\)", value):
            return False
    return True
