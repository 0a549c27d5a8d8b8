"""Every file and command of docs/ntuple.md, on ROOT files as an analyst has them."""

import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from igbaselines.reporting.page.runs import figure_file
from tests import prepared
from tests.analyst import PROCESSES, branches, write_root
from tests.commands import ROOT

PAGE = (ROOT / "docs" / "ntuple.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS: list[str] = re.findall(r"^    (python run\.py .*)$", PAGE, re.MULTILINE)
SHARE = 0.28  # fewer events than smoke takes: all of them are
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of the page's runs, in its order; the report is made at the end."""
    folder = tmp_path_factory.mktemp("reader")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "ntuples").mkdir()
    write_root(folder / "ntuples", scale=SHARE)
    saved = prepared.run([sys.executable, "save_network.py"], folder)
    assert saved.returncode == 0, saved.stderr
    found: list[Path] = []
    for command in COMMANDS:
        words = [*shlex.split(command)[2:], f"output_root={folder / 'outputs'}"]
        words += ["evaluation.networks=1", "evaluation.top_k=[1,all]"] if "methods=" in command else []
        result = prepared.run([sys.executable, str(ROOT / "run.py"), *words], folder)
        assert result.returncode == 0, result.stderr
        found += [one.parent for one in folder.glob("outputs/[!.]*/[!.]*/status.json") if one.parent not in found]
    assert len(found) == 5
    return found


def table(run: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(run / "tables" / f"{name}.csv")


def test_yields_are_right_and_the_features_that_were_put_in_lead(runs: list[Path]) -> None:
    events = table(runs[0], "events").set_index("process")
    for name, (count, cross_section, *_) in PROCESSES.items():
        weight = branches(name, round(SHARE * count), 0)["mc_weight"]
        assert events.loc[name, "cross_section"] == pytest.approx(cross_section)
        assert events.loc[name, "n_eff"] == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    rankings = table(runs[0], "rankings")
    assert set(rankings.loc[rankings["place"] == 1, "feature"]) == {"meff"}
    assert "met" in set(rankings.loc[rankings["place"] == 2, "feature"])
    features = set(pd.read_parquet(runs[0] / "rows.parquet").query("metric == 'attribution'")["feature"])
    assert "lep_type" in features
    assert not any(name.startswith("lep_type_") for name in features), "a category is one of them"
    assert table(runs[0], "curves")["k"].max() == len(features)


def test_figures_say_nothing_of_other_data(runs: list[Path]) -> None:
    captions = [figure_file(path).caption for path in runs[0].glob("figures/*.png")]
    assert len(captions) == 6
    assert not re.search("H_T|jet masses|lepton|missing", " ".join(captions))
    claims = (runs[0] / "claims.json").read_text()
    assert "claims of hep_baselines about other data than this run's" in claims
    assert "H_T" not in claims


def test_sets_of_particles_are_ranked_with_the_places_that_are_empty(runs: list[Path]) -> None:
    attribution = pd.read_parquet(runs[1] / "rows.parquet").query("metric == 'attribution'")
    assert {"jet_pt_1", "jet_pt_2", "jet_2_missing", "meff"} <= set(attribution["feature"])
    rankings = table(runs[1], "rankings")
    assert set(rankings.loc[rankings["place"] == 1, "feature"]) == {"meff"}


def test_the_users_network_is_explained_as_it_is(runs: list[Path]) -> None:
    """It is linear: from zero, each feature's attribution is its weight times its value, over its scale."""
    rows = pd.read_parquet(runs[2] / "rows.parquet")
    assert set(rows["feature"].dropna()) == {"met", "meff", "lep_pt", "dphi"}
    assert not set(rows["metric"]) & {"network_loss", "network_epochs"}
    from_zero = rows[(rows["metric"] == "attribution") & (rows["method"] == "zero_physical")]
    mean = from_zero.groupby("feature")["value"].mean()
    signal = branches("signal", 1680, 0)
    assert mean["meff"] == pytest.approx(2 * signal["meff"].mean() / 1e5, rel=0.03)
    assert mean["met"] == pytest.approx(0.5 * signal["met"].mean() / 2e4, rel=0.03)
    assert mean[["lep_pt", "dphi"]].abs().max() < 1e-6
    assert {path.stem for path in runs[2].glob("figures/*.png")} == {f"figure_{n}" for n in "1345"}
    assert "splits of the events" in figure_file(runs[2] / "figures" / "figure_1.png").caption


def test_every_baseline_is_ranked_by(runs: list[Path]) -> None:
    methods = {"ig_uniform", "ig_gaussian", "ig_max_distance", "ig_nearest", "ig_kmeans", "expected_gradients"}
    rankings = table(runs[3], "rankings")
    assert methods < set(rankings["method"])
    first = rankings[rankings["place"] == 1].set_index("method")["feature"]
    assert set(first[["ig_nearest", "ig_kmeans", "expected_gradients"]]) == {"meff"}
    assert (runs[3] / "figures" / "figure_others.png").is_file()


def test_methods_are_compared_on_the_users_network(runs: list[Path]) -> None:
    """Of a linear network one baseline needs no path: Shapley values and IG from the same reference are the same."""
    rows = pd.read_parquet(runs[4] / "rows.parquet")
    assert set(rows["network"]) == {"hep own network"}
    assert {"model_randomisation", "infidelity_background"} <= set(rows["metric"])
    assert "twin_stability" not in set(rows["metric"]), "nobody trains it again"
    known = rows[rows["metric"] == "cosine_zero"].groupby("method")["value"].mean()
    assert known["ig_zero"] == pytest.approx(1, abs=1e-4)
    assert known["random_map"] < 0.9


def test_own_runs_stand_first_in_the_report(runs: list[Path]) -> None:
    page = (runs[0].parents[1] / "report" / "index.html").read_text()
    assert page.index("Your own data") < page.index(f"<h3>{runs[0].name}") < page.index("Which claims hold")
