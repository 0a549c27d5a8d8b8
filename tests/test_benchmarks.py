"""The benchmark runs and its candidates agree; how long they take is for `make bench` to say."""

import subprocess
import sys
from pathlib import Path

PROJECT_ROOT = Path(__file__).parents[1]


def run_benchmark(name: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROJECT_ROOT / "benchmarks" / name), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_engine_benchmark_runs() -> None:
    done = run_benchmark("engine.py")
    assert done.stdout.count("max difference") == 5
    for name in ("igbaselines, plain network", "igbaselines, for_gradients", "Captum, default", "limit: gradients"):
        assert name in done.stdout
    assert "Captum's best / this" in done.stdout


def test_adaptive_benchmark_runs() -> None:
    done = run_benchmark("adaptive.py")
    for name in ("Swish, logit: 30 pairs", "Swish, probability: 30 pairs", "Gauss-Legendre", "midpoint"):
        assert name in done.stdout


def test_images_benchmark_runs() -> None:
    done = run_benchmark("images.py")
    # 6 baselines of one node; f at 6 baselines and the input, and whatever D_alpha and the curves scored
    assert "limit: 6 gradient points" in done.stdout
    assert "attribution / its gradient points" in done.stdout
    assert "whole photograph / its gradient points and scored pictures" in done.stdout


def test_shapley_benchmark_runs() -> None:
    done = run_benchmark("shapley.py")
    assert "exact values" in done.stdout
    assert done.stdout.replace("\n", "").count("falls as coalitions^") == 2
