"""The look of all figures, and how they are saved.

Figures are made without pyplot: there is no global state, no window system, and nothing to close.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import mplhep
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from igbaselines.common.halves import in_halves
from igbaselines.reporting.web import write_for_page

DPI = 150
SCREEN = 100  # dots per inch of pictures inside a PDF

# mplhep's CMS style is made for one plot that fills a slide: a page of several panels needs smaller letters.
PAGE = {
    "font.size": 11,
    "axes.linewidth": 1.0,
    "axes.titlesize": 12,
    "legend.fontsize": 10,
    "xtick.major.size": 5,
    "xtick.minor.size": 3,
    "ytick.major.size": 5,
    "ytick.minor.size": 3,
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",  # text as text, in the reader's fonts
    "svg.hashsalt": "igbaselines",  # the same drawing is the same file
}

Style = Mapping[str, Any]  # color, marker, linestyle; markerfacecolor where it is not the colour
Drawing = tuple[Figure | None, str]  # a figure with its caption; None: there was nothing to draw

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers and lines differ as well.
RED, ORANGE, BLUE, GREEN, PINK, SKY = "#D55E00", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9"
GREY = "#777777"
COLOURS, MARKERS, LINES = (RED, ORANGE, BLUE, GREEN, PINK, SKY), "os^DvP", ("-", "--", "-", "--", "-.", ":")
CONTROL_STYLE: Style = {"color": GREY, "linewidth": 0.9, "marker": ".", "markersize": 4, "zorder": 1}


def style_of(place: int) -> Style:
    """The look of the first, second, ... of several; after six the colours come again, with other markers and lines."""
    turn, colour = divmod(place, len(COLOURS))
    return {"color": COLOURS[colour], "marker": MARKERS[(colour + turn) % 6], "linestyle": LINES[(colour + turn) % 6]}


def looks(names: Iterable[str], known: Mapping[str, Style] | None = None) -> dict[str, Style]:
    """Give every name a look: the known ones theirs, and any others the first that none of the known has."""
    known = known or {}
    taken = {(look["color"], look["marker"]) for look in known.values()}
    free = (look for look in map(style_of, count()) if (look["color"], look["marker"]) not in taken)
    return {name: known[name] if name in known else next(free) for name in names}


@contextmanager
def page_style() -> Iterator[None]:
    """Draw in the style of high-energy physics while the context is open."""
    with matplotlib.rc_context():
        matplotlib.style.use(["default", mplhep.style.CMS, PAGE])  # whatever the user's own matplotlibrc says
        yield


def new_figure(width: float, height: float) -> Figure:
    """Start a figure (inches) whose layout keeps labels apart; call it within `page_style`."""
    return Figure(figsize=(width, height), layout="constrained")


def add_caption(figure: Figure, statement: str) -> None:
    """Print a paper's statement, which may hold math, under the axes."""
    characters = int(figure.get_figwidth() * 13)  # what a line holds at this size of letter
    text = "\n".join(textwrap.wrap(f"Paper: {statement}", characters))
    with page_style():
        figure.supxlabel(text, x=0.01, ha="left", fontsize=10, style="italic")


def save_figures(
    folder: Path, drawings: Mapping[str, Drawing], figures: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Save every figure that there is, with what the paper says of it printed below.

    Args:
        folder: a run's folder.
        drawings: file name without suffix -> figure and caption.
        figures: file name -> what the paper prints of it, a `statement` among it.
    """
    there = {name: (figure, caption) for name, (figure, caption) in drawings.items() if figure is not None}

    def save(name: str) -> None:
        figure, caption = there[name]
        if statement := (figures or {}).get(name, {}).get("statement"):
            add_caption(figure, statement)
        save_figure(figure, folder, name, caption)

    in_halves(save, list(there))


def save_figure(figure: Figure, folder: Path, name: str, caption: str) -> None:
    """Write NAME.png and NAME.pdf into folder/figures, and what the page shows (`web`), NAME.svg or NAME.webp.

    PNG and PDF carry the caption, which the report reads back from the PNG.

    Args:
        figure: what to save.
        folder: a run's folder.
        name: file name without suffix.
        caption: what the figure shows.
    """
    (folder / "figures").mkdir(exist_ok=True)
    with page_style():
        png, pdf = (folder / "figures" / f"{name}.{suffix}" for suffix in ("png", "pdf"))
        figure.set_dpi(DPI)
        if layout := figure.get_layout_engine():
            layout.execute(figure)
        figure.set_layout_engine("none")  # found once: all files look alike, and savefig would draw each of them twice
        FigureCanvasAgg(figure).print_png(png, metadata={"Description": caption})
        figure.set_dpi(SCREEN)
        FigureCanvasPdf(figure).print_pdf(pdf, metadata={"Subject": caption, "CreationDate": None})
        write_for_page(figure, png)
