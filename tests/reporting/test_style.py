"""Looks of any number of names."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from igbaselines.reporting.style import COLOURS, looks, page_style, style_of


@pytest.mark.parametrize("count", [1, 6, 7, 36])
def test_looks_can_be_told_apart(count: int) -> None:
    found = looks([f"method {place}" for place in range(count)])
    assert len({(look["color"], look["marker"]) for look in found.values()}) == count


def test_any_number_has_a_look() -> None:
    assert len(looks(map(str, range(100)))) == 100


def test_what_is_known_keeps_its_look_and_nobody_else_has_it() -> None:
    known = {"a": style_of(0), "b": style_of(2)}
    found = looks(["mine", "b", "yours"], known)
    assert list(found) == ["mine", "b", "yours"]
    assert found["b"] == known["b"]
    assert [found["mine"]["color"], found["yours"]["color"]] == [COLOURS[1], COLOURS[3]]


def test_figures_do_not_depend_on_the_users_settings() -> None:
    with page_style():
        usual = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40, "axes.facecolor": "red", "savefig.dpi": 3}):
        with page_style():
            assert dict(matplotlib.rcParams) == usual
        assert matplotlib.rcParams["text.usetex"]  # theirs again


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "module://nowhere", "nonsense", "TkAgg"]
)
def test_a_command_draws_whatever_backend_a_notebook_has_set(backend: str, tmp_path: Path) -> None:
    code = (
        "import sys; from igbaselines.running.command import run_command\n"
        "def draw(_):\n"
        "    from pathlib import Path; from igbaselines.reporting.style import new_figure, page_style, save_figure\n"
        "    with page_style(): figure = new_figure(2, 2)\n"
        "    save_figure(figure, Path(sys.argv[0]).parent, 'drawn', '')\n"
        f"sys.argv[0] = {str(tmp_path / 'run.py')!r}\n"
        "sys.exit(run_command(['action=status'], draw))"
    )
    environment = os.environ | {"MPLBACKEND": backend}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=200)
    assert (tmp_path / "figures" / "drawn.png").exists()
