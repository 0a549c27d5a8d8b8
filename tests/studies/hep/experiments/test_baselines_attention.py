"""2412.13864 with self-attention between objects, from the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.commands import Command

NAMES = ("HT", "MET", "pT_l", "dR_l_b", "m_j1_J", "m_l_j1_j2")
LITTLE = (
    "experiment=hep_baselines",
    "scale=smoke",
    "dataset=hep_table",
    "model=object_attention",
    "model.max_epochs=2",
    "evaluation.networks=1",
    "evaluation.top_k=[2,all]",
    "attribution.signal_events=20",
)


@pytest.fixture
def table(rng: np.random.Generator) -> pd.DataFrame:
    """The signal has a larger distance between lepton and b-jet."""
    label = np.repeat([1, 0, 0], 300)
    events = pd.DataFrame({name: rng.normal(100, 20, 900) + 60 * label * (name == "dR_l_b") for name in NAMES})
    return events.assign(process=np.repeat(["signal", "tt", "wj"], 300), label=label)


@pytest.mark.slow
def test_attention_runs_under_the_same_baselines(command: Command, table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "events.parquet")
    result = command(*LITTLE, f"dataset.path={tmp_path / 'events.parquet'}")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    assert yaml.safe_load((folder / "config.yaml").read_text())["model_name"] == "object_attention"
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows["model"]) == {"object_attention"}
    ranks = rows[(rows["metric"] == "rank") & (rows["method"] == "background")].set_index("feature")["value"]
    assert ranks["dR_l_b"] == 1
    assert set(rows.loc[rows["metric"] == "accuracy", "k"]) == {2, 6}
    gaps = rows.loc[rows["metric"] == "completeness_gap_median", "value"]
    assert (gaps < 1e-2).all()
