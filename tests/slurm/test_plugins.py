"""A file of one's own on a cluster: jobs import it, its rows are there, and another file is another run."""

from pathlib import Path

import pandas as pd
import pytest

from tests.slurm.conftest import Cluster
from tests.slurm.sweeps import ON_CLUSTER, Sweep
from tests.test_extending import FILES

pytestmark = pytest.mark.slurm
IDEAS = "my_ideas.py"


def test_jobs_see_plugins(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / IDEAS
    own = (f"plugins=[{file}]", "methods=[smooth_grad,ig_median]", "metrics=[concentration]", "seed=0,1")
    sweep = Sweep(cluster, tmp_path / "sweep", (*ON_CLUSTER, *own))
    try:
        for text, seeds in ((FILES[IDEAS], 2), (FILES[IDEAS] + "\n# one more line\n", 4)):
            file.write_text(text)
            code, said = sweep.launch().end()
            assert code == 0, said
            folders = [state.folder for state in sweep.states() if state.state == "complete"]
            assert len(folders) == seeds
    finally:
        sweep.kill_launchers()
    for folder in folders:
        rows = pd.read_parquet(folder / "rows.parquet")
        assert {"smooth_grad", "ig_median"} <= set(rows["method"])
        assert "concentration" in set(rows["metric"])
