"""A figure as a page shows it: a drawing as SVG, whose text is text, and a photograph as WebP.

An SVG could hold a script, and anyone could have written a run's folder: `safe_svg` takes what drawings are made of.
"""

import io
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from PIL import Image

PHOTOGRAPH = 100  # pixels a side from which a picture in colours is one
DENSE = 1000  # points of a line or a cloud that is a picture inside the drawing
DPI = 150  # of such a picture
QUALITY = 50  # of WebP, of 100
WIDEST = 1100  # pixels of a photograph
SVG, WEBP = ".svg", ".webp"
ELEMENTS = {"svg", "g", "defs", "path", "use", "rect", "clipPath", "text", "tspan", "style", "image"}
NAMESPACE = "http://www.w3.org/2000/svg"
NUMBERS = ("d", "points", "x", "y", "width", "height", "transform")  # attributes that hold them
DIGITS = re.compile(r"(\.\d\d)\d+")
NOT_TURNED = re.compile(r"rotate\(-?0 [^)]*\)")
OUR_FONT = re.compile(r"font-family: 'TeX Gyre Heros'[^;]*;?")
FONTS = "'TeX Gyre Heros','Nimbus Sans',Helvetica,'Liberation Sans',Arial,sans-serif"  # as wide as each other
LOOKS = f"*{{stroke-linejoin:round;stroke-linecap:butt}}text{{font-family:{FONTS}}}"


def write_for_page(figure: Figure, png: Path) -> None:
    """Write, beside a figure's PNG, the file that a page shows: NAME.svg, or NAME.webp of a photograph."""
    if has_photograph(figure):
        png.with_suffix(WEBP).write_bytes(webp(png.read_bytes()))
    else:
        png.with_suffix(SVG).write_text(svg(figure), encoding="utf-8")


def has_photograph(figure: Figure) -> bool:
    """Whether a figure shows pictures in colours, and not in a few squares."""
    images = [image for axes in figure.axes for image in axes.get_images()]  # to search all would make every tick
    return any(min(image.get_size()) >= PHOTOGRAPH for image in images if _colours(image))


def _colours(image: AxesImage) -> bool:
    shown = image.get_array()
    return shown is not None and shown.ndim == 3


def webp(png: bytes) -> bytes:
    """Turn a PNG into a format for photographs, WIDEST at most; an OSError or ValueError where it is none."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image, io.BytesIO() as buffer:
        shown = image.convert("RGB")
        shown.thumbnail((WIDEST, 10 * WIDEST))
        shown.save(buffer, "WEBP", quality=QUALITY)
        return buffer.getvalue()


def svg(figure: Figure) -> str:
    """Draw a figure as SVG: numbers to a hundredth of a point, what is dense as a picture inside."""
    for axes in figure.axes:
        for artist in (*axes.collections, *axes.lines):
            if _points(artist) > DENSE:
                artist.set_rasterized(True)
    buffer = io.StringIO()
    figure.set_dpi(DPI)
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # savefig would draw it twice
    root = ElementTree.fromstring(buffer.getvalue())
    _shorten(root)
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _shorten(root: ElementTree.Element) -> None:
    """Leave out of a drawing by matplotlib what changes nothing: half of it are names, digits and styles said again."""
    styles: Counter[str] = Counter()
    for element in root.iter():
        if not (element.text or "").strip():
            element.text = None
        element.tail = None if not (element.tail or "").strip() else element.tail
        attributes = dict(element.attrib)
        element.attrib.clear()
        for name, value in attributes.items():
            element.attrib |= _shortened(element.tag.rpartition("}")[2], name.rpartition("}")[2], value)
        if element.tag == f"{{{NAMESPACE}}}text" and (width := _width(element.text or "", element.get("style", ""))):
            element.attrib |= {"textLength": f"{width:.1f}", "lengthAdjust": "spacingAndGlyphs"}
        styles.update([element.attrib["style"]] if "style" in element.attrib else [])
    for group in list(root.iter()):
        group[:] = [inner for element in group for inner in _unpacked(element)]
        for element in group:
            if str(element.tag).endswith("metadata"):
                group.remove(element)
    classes = {style: f"s{place}" for place, (style, _) in enumerate(styles.most_common())}
    for element in root.iter():
        if style := element.attrib.pop("style", ""):
            element.set("class", classes[style])
    rules = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    next(element for element in root.iter() if str(element.tag).endswith("}style")).text = LOOKS + rules


def _width(text: str, style: str) -> float:
    """The width that the layout has left for a text [points], if any: a reader's font may be wider than ours."""
    size = re.search(r"([\d.]+)px", style)
    if not text or size is None:
        return 0.0
    font = FontProperties(
        size=float(size[1]),
        weight="bold" if "bold" in style else "normal",
        style="italic" if "italic" in style else "normal",
    )
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def _shortened(tag: str, name: str, value: str) -> dict[str, str]:
    """An attribute, if it says anything: numbers to a hundredth, the page's font not at all."""
    if name in NUMBERS:
        value = " ".join(DIGITS.sub(r"\1", NOT_TURNED.sub("", value)).split())
    if name == "style":
        value = "; ".join(OUR_FONT.sub("", value).strip("; ").split("; ")).replace(": ", ":")
    keep = value and not (name == "id" and tag == "g") and name != "type"
    return {name: value} if keep else {}


def _unpacked(element: ElementTree.Element) -> list[ElementTree.Element]:
    """What is in a group that has no attributes, or the element itself."""
    if element.tag != f"{{{NAMESPACE}}}g" or element.attrib:
        return [element]
    return [inner for child in element for inner in _unpacked(child)]


def _points(artist: object) -> int:
    if isinstance(artist, Line2D):
        return len(np.asarray(artist.get_xydata()))
    assert isinstance(artist, Collection)
    corners = sum(len(np.asarray(path.vertices)) for path in artist.get_paths())
    return max(len(np.asarray(artist.get_offsets())), corners)


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
