"""The script that generates events ahead: its table, the small sample it writes, and errors in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from igbaselines.common.files import sha256
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.pythia.processes import PYTHIA_PROCESSES
from igbaselines.studies.hep.data.pythia.shards import EXTRA
from igbaselines.studies.hep.data.table import read_events
from tests.commands import load_script
from tests.studies.hep.data.pythia.pythia_settings import needs_pythia

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "scripts" / "generate_hep.py"
SMALL = [
    "dataset.n_events=12",
    "dataset.shard_events=6",
    "dataset.selection.ht=300",
    "dataset.selection.lepton_pt=30",
    "dataset.selection.fat_jet_pt=200",
    "dataset.processes.tt1l={share: 1.0, pt_hat: [300], pt_hat_shares: [1.0]}",
    *(f"~dataset.processes.{name}" for name in PYTHIA_PROCESSES if name not in ("signal", "tt1l")),
    "workers=1",
]
Generate = Callable[..., None]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("generate_hep")


@pytest.fixture
def generate(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """Runs the script with arguments of the command line."""

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments, f"data_root={tmp_path}"])
        script.main()

    return run


@needs_pythia
def test_generates_then_reads_and_writes_a_sample(
    generate: Generate, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    generate(*SMALL)
    first = capfd.readouterr().out
    (path,) = tmp_path.glob("cache/*/events-*.parquet")
    assert f"all events: {path}" in first
    sample = tmp_path / "sample.parquet"
    generate(*SMALL, "--sample", str(sample))  # the events are there now
    lines = capfd.readouterr().out.splitlines()
    full, small = read_events(path), read_events(sample)
    assert f"sample: {sample}, {sample.stat().st_size / 1e6:.1f} MB" in lines
    assert sample.stat().st_size < path.stat().st_size

    table = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("signal", "tt1l"))}
    record = json.loads(sample.with_suffix(".json").read_text())
    assert record["sha256"] == sha256(sample)
    assert set(record["versions"]) == set(EXTRA)
    assert full.weight is not None
    for index, name in enumerate(full.processes):
        weight = full.weight[full.process == index]
        assert table[name][0] == str(len(weight))
        assert float(table[name][1]) == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), abs=0.51)
        assert float(table[name][2]) == pytest.approx(weight.sum(), rel=1e-3)
        (line,) = record["processes"][name]
        assert line["cutflow"]["selected"] == len(weight)
        assert line["cross_section_fb"] == pytest.approx(weight.sum())

    np.testing.assert_array_equal(small.weight, full.weight)
    np.testing.assert_array_equal(small.process, full.process)
    np.testing.assert_allclose(small.features, full.features, rtol=1 / 4096)
    assert small.feature_names == FEATURE_NAMES
    assert small.cross_section_error == full.cross_section_error
    assert pq.read_schema(sample).names == pq.read_schema(path).names


def test_rounding_keeps_eleven_bits(script: ModuleType, rng: np.random.Generator) -> None:
    values = (rng.standard_normal(10_000) * 10.0 ** rng.integers(-6, 6, 10_000)).astype(np.float32)
    rounded = script.rounded(values)
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, values, rtol=1 / 4096)
    np.testing.assert_array_equal(script.rounded(rounded), rounded)
    np.testing.assert_array_equal(np.frexp(rounded)[0] * 2**12 % 1, 0)  # twelve significant bits: one is implied
    exact = np.array([0.0, 1.0, -2.5, 1024.0], dtype=np.float32)
    np.testing.assert_array_equal(script.rounded(exact), exact)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset.n_event=5"], "n_event"),
        (["dataset.n_events=many"], "many"),
        (["dataset.n_events=0"], "dataset.n_events must be at least 1"),
        (["dataset.processes.qcd.share=0.1"], "qcd"),
        (["workers=-1"], "workers"),
        (["~dataset.processes.wj"], "shares of the background processes must add up to 1"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], message: str, generate: Generate, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        generate(*arguments)
    assert stopped.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.slow
@needs_pythia
def test_the_script_works_from_another_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), *SMALL, "workers=2", f"data_root={tmp_path}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "all events: " in done.stdout
