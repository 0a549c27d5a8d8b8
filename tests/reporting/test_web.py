"""What a page shows of a figure: drawings as small SVG with text, photographs as WebP, and nothing that runs."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from igbaselines.reporting.style import page_style, save_figure
from igbaselines.reporting.web import has_photograph, safe_svg, svg


def drawing(points: int = 5) -> Figure:
    with page_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot(np.arange(points), np.random.default_rng(0).normal(size=points), label="$H_T$ & more")
        axes.set_title("a title <of> 0.12345")
    return figure


def test_text_stays_text_and_numbers_are_short(tmp_path: Path) -> None:
    save_figure(drawing(), tmp_path, "f", "a caption")
    text = (tmp_path / "figures" / "f.svg").read_text(encoding="utf-8")
    assert "a title &lt;of&gt; 0.12345</text>" in text
    assert not (tmp_path / "figures" / "f.webp").exists()
    assert len(text) < 30_000
    assert safe_svg(text.encode())
    save_figure(drawing(), tmp_path, "again", "")
    assert (tmp_path / "figures" / "again.svg").read_text(encoding="utf-8") == text


def test_what_is_dense_is_a_picture_inside() -> None:
    with page_style():
        text = svg(drawing(50_000))
    assert "data:image/png;base64," in text
    assert "</text>" in text
    assert len(text) < 200_000
    assert safe_svg(text.encode())


def test_a_photograph_is_saved_as_one(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(size=(120, 120, 3))
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.imshow(noise[:8, :8])
    assert not has_photograph(figure)
    axes.imshow(noise)
    assert has_photograph(figure)
    save_figure(figure, tmp_path, "f", "")
    png, webp = (tmp_path / "figures" / f"f.{suffix}" for suffix in ("png", "webp"))
    assert not png.with_suffix(".svg").exists()
    assert webp.stat().st_size < png.stat().st_size
    with Image.open(png) as one, Image.open(webp) as other:
        assert one.size == other.size


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g onload='alert(1)'/>",
        "<foreignObject/>",
        "<a href='https://example.org'><g/></a>",
        "<image href='https://example.org/a.png'/>",
        "<image href='data:image/svg+xml;base64,AAAA'/>",
        "<use xmlns:x='http://www.w3.org/1999/xlink' x:href='other.svg#a'/>",
        "<path style='fill: url(https://example.org)'/>",
        "<style>@import 'https://example.org';</style>",
        "<set attributeName='href' to='javascript:alert(1)'/>",
        "<!-- --><g/>",
        "<g>",
    ],
)
def test_an_svg_that_could_run_or_fetch_anything_is_not_taken(inside: str) -> None:
    assert not safe_svg(f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>".encode())


def test_an_svg_of_shapes_is_taken() -> None:
    shapes = "<g clip-path='url(#p)'><use href='#m'/><text>a</text><image href='data:image/png;base64,AAAA'/></g>"
    assert safe_svg(f"<svg xmlns='http://www.w3.org/2000/svg'>{shapes}</svg>".encode())
