"""The benchmarks run and their candidates agree; how long they take is for `make bench` to say."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.bench import goal_row, timing_rows
from benchmarks.turns import Goal, Job, Timing

PROJECT_ROOT = Path(__file__).parents[1]
CANDIDATES = {
    "hep": ["igbaselines", "igbaselines, no fast path", "Captum, best batch", "limit: its matrix products"],
    "mobilenet_v2": ["igbaselines", "igbaselines, no fast path", "Captum, best batch", "limit: bare passes"],
    "weighted": ["igbaselines", "as published: Captum, then picture by picture", "limit: bare passes"],
    "exact": ["igbaselines", "shapiq, one input after another", "limit: the network alone"],
}


def run_benchmark(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"benchmarks.{module}", "--quick", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def timings(folder: Path) -> pd.DataFrame:
    found = pd.read_csv(folder / "tables" / "timings.csv").set_index("candidate")
    timed = found[found["seconds"].notna()]
    assert (timed["seconds"] > 0).all()
    assert (timed["peak_mib"] > 0).all()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("only", CANDIDATES)
def test_a_job_runs_its_candidates_agree_and_are_timed(only: str, tmp_path: Path) -> None:
    done = run_benchmark("bench", "--only", only, "--threads", "1", "--output", str(tmp_path))
    found = timings(tmp_path)
    assert found.loc[CANDIDATES[only], "seconds"].notna().all()
    assert found["difference"].notna().any()
    assert (tmp_path / "figures" / "ratios.png").exists()
    assert json.loads((tmp_path / "system.json").read_text())["threads"] == 1
    goals = pd.read_csv(tmp_path / "tables" / "goals.csv")
    assert len(goals) == {"hep": 3, "mobilenet_v2": 2}.get(only, 0)
    assert set(goals["met"]) <= {"yes", "no"}
    assert all(name in done.stdout for name in goals["candidate"])


@pytest.mark.slow
def test_all_jobs_and_the_scaling_run(tmp_path: Path) -> None:
    run_benchmark("bench", "--output", str(tmp_path))
    assert {"pythia", "synthetic-events", "retraining", "vgg16-1x16"} <= set(timings(tmp_path)["job"])
    grown = pd.read_csv(tmp_path / "tables" / "scaling.csv")
    assert {"inputs", "baselines", "steps", "image side [px]", "threads"} == set(grown["along"])
    assert (tmp_path / "figures" / "scaling.png").exists()


def test_a_job_that_does_not_exist_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.bench", "--quick", "--only", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert done.returncode == 1
    assert "no job begins with 'nothing': hep, mobilenet_v2-1x16" in done.stderr


def test_what_could_not_be_measured_has_a_row_and_no_goal() -> None:
    job = Job("job", "", "units", 4, [], limit="limit")
    ours, limit = Timing("ours", [2.0, 3.0], units=4), Timing("limit", [1.0, 1.0], units=2)
    missing = Timing("missing", failed="not installed: No module named 'missing'")
    rows = {row["candidate"]: row for row in timing_rows(job, [ours, missing, limit])}
    assert rows["missing"]["timed"] == missing.failed
    assert rows["missing"]["seconds"] is None
    assert (rows["ours"]["times_limit"], rows["limit"]["timed"]) == (2.5, "2/4 units")
    assert goal_row(job, Goal("ours", "missing", 2), [ours, missing, limit]) is None
    judged = goal_row(job, Goal("ours", "limit", 0.3), [ours, missing, limit])
    assert judged is not None
    assert judged["met"] == "yes"
    assert judged["times as fast"] == pytest.approx((1 / 2 + 1 / 3) / 2)


@pytest.mark.slow
def test_adaptive_benchmark_runs() -> None:
    done = run_benchmark("adaptive")
    for name in ("Swish, logit: 30 pairs", "Swish, probability: 30 pairs", "Gauss-Legendre", "midpoint"):
        assert name in done.stdout


@pytest.mark.slow
def test_rotated_benchmark_runs() -> None:
    done = run_benchmark("rotated")
    for name in ("Swish, logit: error by gradients an input", "Gauss-Legendre", "rotated", "random point"):
        assert name in done.stdout


@pytest.mark.slow
def test_shapley_benchmark_runs() -> None:
    done = run_benchmark("shapley")
    assert "exact values" in done.stdout
    assert done.stdout.replace("\n", "").count("falls as coalitions^") == 2


@pytest.mark.slow
def test_fewer_benchmark_runs() -> None:
    done = run_benchmark("fewer")
    for name in ("k-section, 2 photographs", "ShareGrid(100, 1)", "bfloat16", "TF32, emulated"):
        assert name in done.stdout
