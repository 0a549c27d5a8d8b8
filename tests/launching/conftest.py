"""Sweeps of the smallest runs there are, launched as a user launches them."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests import prepared
from tests.commands import ROOT, Command

PATIENCE = 240  # seconds; cores may be busy with other tests
ON_THE_WAY = "validation loss"  # what a run says when its network is trained, and kept


@dataclass(frozen=True)
class Sweep(Command):
    """`python run.py -m ...` on a table of 600 events, and its processes."""

    def arguments(self, *overrides: str) -> list[str]:
        run = ["experiment=hep_sample_counts", "scale=smoke", "evaluation.networks=1", "evaluation.counts=[2]"]
        settings = ["model.max_epochs=1", "attribution.signal_events=20", "device=cpu"]
        events = ["dataset=hep_table", f"dataset.path={self.data / 'events.parquet'}"]
        folders = [f"output_root={self.outputs}", f"data_root={self.data}"]
        return [sys.executable, str(ROOT / "run.py"), "-m", *folders, *run, *settings, *events, *overrides]

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.arguments(*overrides),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=prepared.environment(),
            process_group=0,
        )

    def logs(self) -> list[Path]:
        return sorted(self.outputs.glob(".sweeps/*/*/*.log"))

    def rows(self) -> list[pd.DataFrame]:
        return [pd.read_parquet(folder / "rows.parquet") for folder in self.runs()]


@pytest.fixture(scope="module")
def new_sweep(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Sweep]:
    """Makes sweeps with outputs of their own."""
    data = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    label = np.repeat([1, 0], 300)
    features = {f"x{i}": rng.normal(size=600) + label * i / 4 for i in range(4)}
    process = np.where(label == 1, "s", "b")
    pd.DataFrame(features | {"process": process, "label": label}).to_parquet(data / "events.parquet")
    return lambda: Sweep(tmp_path_factory.mktemp("outputs"), data)


def wait_until(condition: Callable[[], object], launcher: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert launcher.poll() is None, launcher.communicate()
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.02)


def processes_of(launcher: "subprocess.Popen[str]", word: str) -> list[psutil.Process]:
    """The launcher's jobs that were given a word."""
    children = psutil.Process(launcher.pid).children()
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and word in child.cmdline()]


def said(file: Path, words: str) -> bool:
    return file.exists() and words in file.read_text()


def without_seconds(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["metric"].str.startswith("seconds")].reset_index(drop=True)
