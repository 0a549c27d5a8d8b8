"""The look of all figures, and how they are saved.

Figures are made without pyplot: there is no global state, no window system, and nothing to close.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.style
import mplhep
from matplotlib.figure import Figure

DPI = 150

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
}


@contextmanager
def page_style() -> Iterator[None]:
    """Draw in the style of high-energy physics while the context is open."""
    with matplotlib.rc_context():
        matplotlib.style.use([mplhep.style.CMS, PAGE])
        yield


def new_figure(width: float, height: float) -> Figure:
    """Start a figure (inches) whose layout keeps labels apart; call it within `page_style`."""
    return Figure(figsize=(width, height), layout="constrained")


def add_caption(figure: Figure, statement: str) -> None:
    """Print a paper's statement, which may hold math, under the axes."""
    characters = int(figure.get_figwidth() * 13)  # what a line holds at this size of letter
    text = "\n".join(textwrap.wrap(f"Paper: {statement}", characters))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=10, style="italic")


def save_figure(figure: Figure, folder: Path, name: str, caption: str) -> None:
    """Write NAME.png and NAME.pdf into folder/figures; both carry the caption, which the report reads back.

    Args:
        figure: what to save.
        folder: a run's folder.
        name: file name without suffix.
        caption: what the figure shows.
    """
    (folder / "figures").mkdir(exist_ok=True)
    with page_style():
        png, pdf = (folder / "figures" / f"{name}.{suffix}" for suffix in ("png", "pdf"))
        figure.savefig(png, dpi=DPI, metadata={"Description": caption})
        figure.set_layout_engine("none")  # found once: the second file looks like the first
        figure.savefig(pdf, metadata={"Subject": caption, "CreationDate": None})
