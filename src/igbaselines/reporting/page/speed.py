"""What `make bench` measured, as the report shows it: OUTPUT_ROOT/benchmarks/ with its tables and figures."""

from dataclasses import dataclass
from pathlib import Path

from igbaselines.common.errors import first_line
from igbaselines.common.files import read_json
from igbaselines.reporting.combination import Noted
from igbaselines.reporting.page.runs import FigureFile, figure_file, read_table

FOLDER = "benchmarks"
NOTES = {
    "goals": "How many times as fast as what it is compared with: the median over the rounds.",
    "timings": "Seconds are for the whole job; `times_ours` and `times_limit` are medians of ratios within a round.",
    "scaling": "The HEP network with 300 events x 5 baselines x 50 nodes, and other numbers along one direction; "
    "mobilenet_v2 along the side of its images.",
}


@dataclass(frozen=True)
class Speed:
    """The measurements of `make bench`, what they were made on, and why there are none though there is a folder."""

    system: dict[str, str]
    tables: list[Noted]
    figures: list[FigureFile]
    unreadable: str = ""


def read_speed(output_root: Path) -> Speed | None:
    """Read the last `make bench`, or None where there was none."""
    folder = output_root / FOLDER
    if not (folder / "system.json").exists():
        return None
    try:
        system = read_json(folder / "system.json")
        known = {str(key): str(value) for key, value in system.items() if not isinstance(value, dict)}
        known["packages"] = ", ".join(f"{name} {number}" for name, number in system["packages"].items())
        there = {path.stem: path for path in (folder / "tables").glob("*.csv")}
        tables = [Noted(name, read_table(there[name]), note) for name, note in NOTES.items() if name in there]
        figures = [figure_file(path) for path in sorted((folder / "figures").glob("*.png"))]
    except Exception as error:  # damaged files break their readers in any way
        return Speed({}, [], [], f"{type(error).__name__}: {first_line(str(error))}")
    return Speed(known, tables, figures)
