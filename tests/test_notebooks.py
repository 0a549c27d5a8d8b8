"""The notebooks of the documentation run from the first cell to the last, in an empty folder, and say what they say."""

import re
from pathlib import Path

import pytest

from tests.commands import ROOT

NOTEBOOKS = {
    "explain_your_network": r"each path sums to f\(x\) - f\(x'\)",
    "compare_on_your_table": r"evaluations an input",
    "a_new_method_in_one_cell": r"counterfactual_ig",
}


def test_there_is_no_other() -> None:
    assert {path.stem for path in (ROOT / "docs" / "notebooks").iterdir()} == set(NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert re.search(NOTEBOOKS[name], nbformat.writes(notebook))
