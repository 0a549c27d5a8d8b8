"""What a command imports: whoever asks for help, or misspells a key, does not wait for torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMERICAL = {"torch", "torchvision", "pandas", "scipy", "sklearn", "matplotlib"}
OPTIONAL = {"joblib", "submitit", "pycocotools", "shapiq", "awkward", "fastjet", "pythia8mc", "skimage", "timm"}
HEP = "experiment=hep_weightings"
SMALL = ["scale=smoke", "dataset.n_events=2000", "evaluation.networks=1", "workers=1"]
# Does what run.py does, and says at its end what it has imported.
PROBE = """
import atexit, sys
from igbaselines.command_line import main
atexit.register(lambda: print("\\n", *sys.modules))
main()
"""


def imported(code: int, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", PROBE, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == code, result.stderr
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["--help"]),
        (0, [HEP, "--cfg", "job"]),
        (2, [HEP, "misspelt=1"]),
        (2, [HEP, "dataset.n_events=many"]),
        (2, [HEP, "model=resnet50"]),
        (0, ["action=status"]),
    ],
)
def test_what_needs_no_numbers_imports_no_torch(code: int, arguments: list[str], tmp_path: Path) -> None:
    modules = imported(code, f"output_root={tmp_path}", *arguments)
    assert "igbaselines.running.config" in modules
    assert not (NUMERICAL | OPTIONAL) & modules


@pytest.mark.slow
def test_a_run_on_events_imports_nothing_of_photographs_and_no_compiler(tmp_path: Path) -> None:
    run = [HEP, *SMALL, f"output_root={tmp_path}"]
    modules = imported(0, *run)
    assert {"torch", "matplotlib"} <= modules
    # joblib comes with scikit-learn.
    assert not {"torchvision", "torch._dynamo", "torch._inductor", *OPTIONAL - {"joblib"}} & modules
    again = imported(0, *run)  # it is complete, which the checksums tell
    assert not (NUMERICAL - {"torch"} | OPTIONAL) & again  # the settings hold objects of the engine's


def test_the_package_alone_imports_nothing() -> None:
    code = "import igbaselines, sys; print('torch' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.split() == ["False", "False"]
