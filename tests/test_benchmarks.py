"""The benchmark runs and its candidates agree; how long they take is for `make bench` to say."""

import subprocess
import sys
from pathlib import Path

PROJECT_ROOT = Path(__file__).parents[1]


def test_engine_benchmark_runs() -> None:
    command = [sys.executable, str(PROJECT_ROOT / "benchmarks" / "engine.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("max difference") == 5
    for name in ("igbaselines, plain network", "igbaselines, for_gradients", "Captum, default", "limit: gradients"):
        assert name in done.stdout
    assert "Captum's best / this" in done.stdout
