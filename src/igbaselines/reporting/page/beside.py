"""The files beside the page: one folder that any static host can serve, however many runs there are.

A run has a page of its own in report/runs/EXPERIMENT/LABEL/, with its tables, configuration and provenance, and its
figures beside it. Where the folder would be larger than ROOM, the newest runs have one, and of the others the page says
where they lie.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from igbaselines.common.files import read_bounded, replacing
from igbaselines.reporting.page.runs import FigureFile, ReportedRun
from igbaselines.reporting.web import SVG, WEBP, safe_svg, webp
from igbaselines.running.states import COMPLETE

ROOM = 15_000_000  # bytes of all that lies beside the page, which has some of its own
LARGEST_PNG = 60_000  # bytes of a figure that is shown as it is, where a run of before has no other file for pages
MOST_FIGURES = 12  # of one run on the page: `explain` draws one for each photograph
MOST_EXAMPLES = 1  # of single inputs, which a study numbers twice
EXAMPLE = re.compile(r"figure_\d+_\d+")
SHEET = "_sheet"  # NAME_sheet has what there is to be seen in NAME, and more methods
RUNS, PAGE = "runs", "index.html"


@dataclass(frozen=True)
class Shown:
    """A figure on the page.

    Args:
        name: of the figure.
        caption: as its file has it.
        link: of the picture, from the report's folder.
        size: width and height [pixels], so that nothing moves when it is loaded.
    """

    name: str
    caption: str
    link: str
    size: tuple[int, int]

    @property
    def is_photograph(self) -> bool:
        """Whether it shows photographs: these stand side by side."""
        return self.link.endswith(WEBP)


@dataclass
class Beside:
    """What has been put beside the page.

    Args:
        report: the page's folder.
        written: this report's files.
    """

    report: Path
    written: set[Path] = field(default_factory=set)

    def show(self, figure: FigureFile, folder: str) -> Shown:
        """Put a figure into a folder of the report: its SVG if it has a safe one, else a picture."""
        content, suffix = for_page(figure.path)
        target = self.report / folder / (figure.name + suffix)
        self._write(target, content)
        return Shown(figure.name, figure.caption, target.relative_to(self.report).as_posix(), figure.size)

    def place_runs(self, runs: Sequence[ReportedRun], page: Callable[[ReportedRun, Sequence[Shown]], str]) -> "Placed":
        """Write the pages and figures of complete runs, the newest first, for as long as there is room."""
        placed: Placed = {}
        others = [path for path in self.report.rglob("*") if path.is_file() and not self._is_of_runs(path)]
        size = sum(path.stat().st_size for path in others)
        for run in sorted(runs, key=lambda run: run.ended, reverse=True):
            if run.state != COMPLETE or size > ROOM:
                continue
            folder = f"{RUNS}/{run.experiment}/{run.label}"
            shown = [self.show(figure, folder) for figure in shown_figures(run)]
            self._write(self.report / folder / PAGE, page(run, shown).encode(errors="backslashreplace"))
            size += sum(path.stat().st_size for path in (self.report / folder).iterdir())
            placed[run.experiment, run.label] = shown
        self._remove_others()
        return placed

    def _write(self, target: Path, content: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as whole:
            whole.write_bytes(content)
        self.written.add(target)

    def _is_of_runs(self, path: Path) -> bool:
        """Whether a file of the report is a run's, or the page itself."""
        return path.relative_to(self.report).parts[0] in (RUNS, PAGE)

    def _remove_others(self) -> None:
        """Remove what an earlier report has put there of runs."""
        root = self.report / RUNS
        for path in sorted(root.rglob("*"), reverse=True):  # what is in a folder before the folder
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in self.written:
                path.unlink()


Placed = dict[tuple[str, str], list[Shown]]  # by experiment and label the figures of a run that has a page


def for_page(png: Path) -> tuple[bytes, str]:
    """Choose what a page shows of a figure: content, and suffix."""
    if png.with_suffix(SVG).is_file() and safe_svg(content := read_bounded(png.with_suffix(SVG))):
        return content, SVG
    if png.with_suffix(WEBP).is_file():
        return read_bounded(png.with_suffix(WEBP)), WEBP
    content = read_bounded(png)
    if len(content) > LARGEST_PNG:
        with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return webp(content), WEBP
    return content, png.suffix


def shown_figures(run: ReportedRun) -> list[FigureFile]:
    """Choose the figures of a run that pages show: in their order, MOST_FIGURES at most.

    Further examples are left out, and what a sheet of several methods shows.
    """
    examples = [figure for figure in run.figures if EXAMPLE.fullmatch(figure.name)]
    names = {figure.name for figure in run.figures}
    shown = [figure for figure in run.figures if figure.name + SHEET not in names]
    return [figure for figure in shown if figure not in examples[MOST_EXAMPLES:]][:MOST_FIGURES]
