"""The open questions of 2412.13864, each from configuration to claims on a small table of events."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import DictConfig
from scipy import stats

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.reporting.claims import Printed, judge
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.render import render_run
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.runner import execute, prepare
from igbaselines.running.study import find_experiment, look_up
from igbaselines.running.targets import instantiate
from igbaselines.studies.hep.experiments.rankings.combined import best_by_validation
from igbaselines.studies.hep.experiments.rankings.sample_counts import _pools
from igbaselines.tasks import Background
from tests.running.test_config import composed

CLAIMS_ROOT = PROJECT_ROOT / "conf" / "claims"
FEATURES = (
    *("HT", "MET", "pT_l", "pT_j1", "pT_j2", "pT_j3", "pT_b", "m_J", "m_j1_j2", "dR_l_b"),
    *("pT_J", "m_b", "dR_j1_J", "tau21_b1"),  # more than 12: what asks for the first 12 could fail
)
TELLING = {"HT": 2.0, "m_J": 1.0, "pT_b": 0.5}  # shift of the signal in standard deviations
METHODS = ["zero_physical", "zero_standardised", "background", "background_weighted"]
SCORES = ["logit_signed", "logit_magnitude", "probability_signed", "probability_magnitude"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    process = np.repeat(["new", "old", "older"], [400, 250, 250])
    signal = process == "new"
    events = pd.DataFrame({name: rng.normal(3 + TELLING.get(name, 0) * signal, 1) for name in FEATURES})
    events = events.assign(process=process, label=signal.astype(int), weight=np.where(process == "old", 1.0, 0.01))
    path = tmp_path_factory.mktemp("table") / "events.parquet"
    events.to_parquet(path)
    return path


def configured(study: str, table: Path, *overrides: str) -> DictConfig:
    named = [f"dataset.path={table}", "dataset_name=hep_table", "device=cpu", "attribution.rule.n_steps=4"]
    if study != "hep_architectures":
        named += ["model_name=swish_dnn", "model.hidden=[16]", "model.max_epochs=1"]
    return composed(f"experiment={study}", "scale=smoke", "dataset=hep_table", *named, *overrides)


def run(study: str, table: Path, folder: Path, *overrides: str) -> pd.DataFrame:
    """Run a study, draw it, and judge its claims, all of which its rows must be able to answer."""
    config = configured(study, table, *overrides)
    settings = {
        name: None if config[name] is None else instantiate(config[name])
        for name in ("dataset", "model", "attribution", "evaluation")
    }
    rows = Rows(study, "hep_table", "", 0)
    place = Run(rows, folder / "checkpoints", folder, folder, torch.device("cpu"), 0, None, 1)
    experiment = find_experiment(study)
    look_up(experiment.run)(place, **settings)
    look_up(experiment.render)(folder, rows.frame(), Printed())
    assert (folder / "figures" / f"figure_{study.removeprefix('hep_')}.png").is_file()
    (claims,) = [paper.claims[study] for paper in load_papers(CLAIMS_ROOT) if study in paper.claims]
    verdicts = {claim.id: judge(claim, rows.frame())["verdict"] for claim in claims}
    assert [name for name, verdict in verdicts.items() if verdict == "not tested"] == []
    return rows.frame()


def check_agreement(rows: pd.DataFrame, ranks: dict[str, pd.DataFrame], method: str, a: str, b: str) -> None:
    """Each network's Spearman correlation, from the ranks as written."""
    written = rows[(rows["metric"] == "spearman") & (rows["method"] == method)]
    of_unit = written[(written["variant"] == a) & (written["other"] == b)].set_index("unit")["value"].to_dict()
    assert len(of_unit) == 2
    for unit, value in of_unit.items():
        assert value == pytest.approx(stats.spearmanr(ranks[a][unit], ranks[b][unit]).statistic)


def ranks_of(rows: pd.DataFrame, method: str, **columns: str) -> pd.DataFrame:
    chosen = rows[(rows["metric"] == "rank") & (rows["method"] == method)]
    for column, value in columns.items():
        chosen = chosen[chosen[column] == value]
    return chosen.pivot(index="feature", columns="unit", values="value")


def test_sample_counts(table: Path, tmp_path: Path) -> None:
    folders = (f"output_root={tmp_path / 'outputs'}", f"data_root={tmp_path / 'data'}")
    config = configured("hep_sample_counts", table, "evaluation.counts=[2,5,10]", *folders)
    folder = execute(prepare(config), render_run)
    assert (folder / "figures" / "figure_sample_counts.pdf").is_file()
    verdicts = {claim["id"]: claim["verdict"] for claim in json.loads((folder / "claims.json").read_text())}
    assert verdicts["2412.13864/enough_samples/10"] != "not tested"
    assert verdicts["2412.13864/enough_samples/200"] == "not tested"
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows["method"]) == {"background", "background_weighted", "cost"}
    draws = [ranks_of(rows, "background", variant="5", draw=draw) for draw in ("0", "1")]
    written = rows[(rows["metric"] == "spearman") & (rows["method"] == "background")]
    own = written[(written["variant"] == "5") & (written["other"] == "5")].set_index("unit")["value"]
    for unit in own.index:
        assert own[unit] == pytest.approx(stats.spearmanr(draws[0][unit], draws[1][unit]).statistic)
    largest = [ranks_of(rows, "background", variant="10", draw=draw) for draw in ("0", "1")]
    crossed = written[(written["variant"] == "5") & (written["other"] == "10")].set_index("unit")["value"]
    for unit in crossed.index:
        both = [stats.spearmanr(draws[i][unit], largest[1 - i][unit]).statistic for i in (0, 1)]
        assert crossed[unit] == pytest.approx(np.mean(both))
    points = rows[rows["metric"] == "gradient_points"].groupby("variant")["value"].unique()
    assert {name: list(found) for name, found in points.items()} == {
        name: [int(name) * 2 * 20 * 4] for name in ("2", "5", "10")
    }
    with pytest.raises(UserError, match=r"process 'new' has 400 selected events, at least 445 are needed"):
        run("hep_sample_counts", table, tmp_path, "evaluation.counts=[110]")


def test_draws_have_no_event_in_common() -> None:
    stratum = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
    reference = Background(torch.arange(10.0)[:, None], torch.zeros(1), stratum, example_weight=torch.arange(10.0))
    pools = list(_pools(reference, 2, (0, 1)))
    taken = torch.cat([pool.examples.flatten() for pool in pools])
    assert sorted(taken.tolist()) == list(range(10))
    for pool in pools:
        assert pool.stratum is not None
        assert pool.example_weight is not None
        assert pool.stratum.tolist() == [0, 0, 1, 1, 1]
        assert torch.equal(stratum[pool.examples.flatten().long()], pool.stratum)
        assert torch.equal(pool.examples.flatten(), pool.example_weight)


def test_weightings(table: Path, tmp_path: Path) -> None:
    rows = run("hep_weightings", table, tmp_path, "evaluation.top_k=[5,12]")
    effective = rows[rows["metric"] == "effective_baselines"].groupby("method")["value"].first()
    assert effective["background"] == pytest.approx(40)
    weights = np.array([250.0, 2.5]) / 20  # of one event of each background
    assert effective["background_weighted"] == pytest.approx(1 / (20 * (weights / (20 * weights.sum())) ** 2).sum())
    assert effective["background_weighted"] < effective["background_square_root"] < effective["background_percentile"]
    accuracy = rows[rows["metric"] == "accuracy"]
    assert set(accuracy["k"]) == {5, 12}
    assert accuracy["method"].nunique() == 5
    events = pd.read_parquet(table).drop(columns="weight")
    events.to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(UserError, match="hep_weightings needs events with a column weight"):
        run("hep_weightings", tmp_path / "plain.parquet", tmp_path)


def test_combined(table: Path, tmp_path: Path) -> None:
    rows = run("hep_combined", table, tmp_path, "evaluation.top_k=[5,12]")
    for unit in ("network_0", "network_1"):
        places = pd.DataFrame({method: ranks_of(rows, method)[unit] for method in METHODS})
        expected = places.mean(axis=1)
        order = ranks_of(rows, "mean_rank")[unit].sort_values().index
        assert expected[order].is_monotonic_increasing
    assert set(rows.loc[rows["metric"] == "accuracy", "method"]) == {
        *METHODS,
        "mean_rank",
        "borda_count",
        "best_single",
    }


def test_the_best_single_baseline_is_chosen_without_the_test_part() -> None:
    values = {("a", 2): (0.3, 0.9), ("b", 2): (0.2, 0.8), ("a", 5): (0.1, 0.7), ("b", 5): (0.4, 0.95)}
    rows = [
        {"method": method, "variant": None, "k": k, "metric": metric, "unit": "network_0", "value": value}
        for (method, k), pair in values.items()
        for metric, value in zip(("validation_loss", "accuracy"), pair, strict=True)
    ]
    best = best_by_validation(pd.DataFrame(rows))
    accuracy = best[best["metric"] == "accuracy"].set_index("k")["value"]
    assert accuracy.to_dict() == {2: 0.8, 5: 0.7}
    assert set(best["method"]) == {"best_single"}


@pytest.mark.slow
def test_architectures(table: Path, tmp_path: Path) -> None:
    rows = run("hep_architectures", table, tmp_path)
    spearman = rows[(rows["metric"] == "spearman") & (rows["method"] == "background")]
    assert len(spearman) == 2 * 10  # two splits; four architectures with themselves and with one another
    names = ["swish_dnn", "relu_dnn"]
    places = {name: ranks_of(rows, "background", variant=name) for name in names}
    both = [stats.spearmanr(places[names[0]][f"network_{i}"], places[names[1]][f"network_{1 - i}"]) for i in (0, 1)]
    pair = (spearman["variant"] == names[0]) & (spearman["other"] == names[1])
    written = spearman[pair].set_index("unit")["value"]["split_0"]
    assert written == pytest.approx(np.mean([found.statistic for found in both]))
    assert rows.loc[rows["metric"] == "accuracy", "unit"].nunique() == 4


def test_stability(table: Path, tmp_path: Path) -> None:
    rows = run("hep_stability", table, tmp_path)
    assert set(rows["method"]) == {*METHODS, "mean_rank"}
    places = ranks_of(rows, "background")
    assert places.shape[1] == 8
    pairs = {"seed": [(0, 1), (2, 3)], "split": [(0, 2), (1, 3)], "both": [(0, 3), (1, 2)]}  # network = 2 split + seed
    written = rows[(rows["metric"] == "spearman") & (rows["method"] == "background") & (rows["unit"] == "block_0")]
    for variation, compared in pairs.items():
        found = [stats.spearmanr(places[f"network_{a}"], places[f"network_{b}"]).statistic for a, b in compared]
        assert written.loc[written["variant"] == variation, "value"].item() == pytest.approx(np.mean(found))


def test_scores(table: Path, tmp_path: Path) -> None:
    rows = run("hep_scores", table, tmp_path, "evaluation.top_k=[5,12]")
    ranks = {variant: ranks_of(rows, "background", variant=variant) for variant in SCORES}
    check_agreement(rows, ranks, "background", "logit_signed", "logit_magnitude")
    check_agreement(rows, ranks, "background", "logit_magnitude", "probability_signed")
    accuracy = rows[rows["metric"] == "accuracy"]
    assert len(accuracy) == 2 * 2 * len(METHODS) * len(SCORES)
