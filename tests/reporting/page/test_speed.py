"""The report's section on speed: from the files that the benchmark writes."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.output import write
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.speed import FOLDER, read_speed


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """An output root with the benchmark's files alone."""
    timings = pd.DataFrame(
        {
            "job": ["hep", "hep"],
            "candidate": ["igbaselines", "Captum, default"],
            "seconds": [0.5, None],
            "times_ours": [1.0, None],
            "timed": ["whole", "not installed: No module named 'captum'"],
        }
    )
    goals = pd.DataFrame({"job": ["hep"], "times as fast": [21.5], "goal": [20.0], "met": ["yes"], "why not": [""]})
    grown = pd.DataFrame(
        [("steps", at, name, at / 10, 30.0 + at) for at in (10, 50) for name in ("igbaselines", "Captum, default")],
        columns=["along", "at", "candidate", "seconds", "peak_mib"],
    )
    write(tmp_path / FOLDER, timings, goals, grown)
    system = {"processor": "a very fast one", "threads": 2, "packages": {"torch": "2.14.1"}}
    (tmp_path / FOLDER / "system.json").write_text(json.dumps(system))
    return tmp_path


def test_without_a_benchmark_there_is_no_section(tmp_path: Path) -> None:
    assert read_speed(tmp_path) is None
    assert 'id="speed"' not in write_report(tmp_path).read_text()


def test_the_report_shows_tables_figures_and_the_machine(measured: Path) -> None:
    page = write_report(measured).read_text()
    section = page[page.index('id="speed"') :]
    for text in ("a very fast one", "torch 2.14.1", "21.5", "not installed: No module named", "peak memory"):
        assert text in section
    assert section.count("<img") == 2
    speed = read_speed(measured)
    assert speed is not None
    assert [noted.name for noted in speed.tables] == ["goals", "timings", "scaling"]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["system.json", "tables/timings.csv", "figures/ratios.png"])
def test_damaged_files_are_said_and_leave_the_report(measured: Path, file: str) -> None:
    (measured / FOLDER / file).write_bytes(b"")
    page = write_report(measured).read_text()
    assert "What it wrote cannot be read" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["[1]", "7", "null", '"x"', "{}", '{"packages": [1]}', "[" * 10**5, '{"packages": {"a": {"b": [1]}}}']
)
def test_whatever_stands_in_the_file_of_the_machine_the_page_is_there(measured: Path, content: str) -> None:
    (measured / FOLDER / "system.json").write_text(content)
    assert 'id="speed"' in write_report(measured).read_text()
