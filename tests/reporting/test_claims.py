"""The claims file: what is refused, how it expands, and that every claim of it can be judged."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from igbaselines.common.errors import UserError
from igbaselines.reporting.claims import Printed, judge, judge_paper, printed_for
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import Region, Verdict
from tests.hep_rows import CLAIMS_ROOT, make_rows

FIELDS = {"id", "paper", "source", "statement", "paper_value", "value", "ci_low", "ci_high", "n", "p_value"}
FIELDS |= {"test", "verdict", "note"}


def claim(**changes: Any) -> dict[str, Any]:
    return {
        "id": "high/{method}",
        "each": {"method": ["background", "zero_physical"]},
        "source": "Figure 1",
        "statement": "H_T is high with {method}.",
        "paper_value": 1,
        "test": "feature_rank",
        "claimed": {"at_most": 5},
        "parameters": {"features": ["HT"], "method": "{method}"},
    } | changes


def write(folder: Path, *claims: dict[str, Any], **changes: Any) -> Path:
    content = {"paper": "0000.00000", "title": "T", "url": "https://example.org", "figures": {}}
    content |= {"names": {"background": "B_bg"}, "claims": {"hep_baselines": list(claims)}}
    (folder / "paper.yaml").write_text(yaml.safe_dump(content | changes))
    return folder


def test_a_claim_is_written_out_for_each_choice(tmp_path: Path) -> None:
    (paper,) = load_papers(write(tmp_path, claim()))
    first, second = paper.claims["hep_baselines"]
    assert first.id == "0000.00000/high/background"
    assert first.statement == "H_T is high with B_bg."
    assert first.parameters == {"features": ["HT"], "method": "background"}
    assert first.claimed == Region(at_most=5.0)
    assert second.statement == "H_T is high with zero_physical."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": "magic"}, "claim 'high/background': unknown test 'magic'; there are .*first_feature"),
        ({"claimed": {}}, "claim 'high/background': a claim needs"),
        ({"claimed": {"above": 1}}, "claim 'high/background': .*'above'"),
        (
            {"parameters": {"features": ["HT"]}},
            "claim 'high/background': missing a required argument: 'method'",
        ),
        (
            {"parameters": {"features": ["HT"], "method": "m", "metod": "m"}},
            "unexpected keyword argument 'metod'",
        ),
        ({"remark": "x"}, "claim 'high/background': unknown remark"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_papers(write(tmp_path, claim(**changes)))
    assert "conf/claims/paper.yaml" in str(caught.value)


def test_a_claim_may_have_a_value_for_each_model(tmp_path: Path) -> None:
    (paper,) = load_papers(write(tmp_path, claim(paper_values={"small": "3 of {method}"}), tables={"t": {"a": 1}}))
    first, _ = paper.claims["hep_baselines"]
    assert (first.value_for("small"), first.value_for("large"), first.value_for(None)) == ("3 of background", 1, 1)
    assert paper.printed.tables == {"t": {"a": 1}}
    rows = make_rows(networks=2)
    assert judge(first, rows.assign(model="small"))["paper_value"] == "3 of background"
    assert judge(first, rows)["paper_value"] == 1
    with pytest.raises(UserError, match="paper_values must map models to values"):
        load_papers(write(tmp_path, claim(paper_values=[1])))


def test_a_claim_may_be_about_a_part_of_the_rows(tmp_path: Path) -> None:
    part: dict[str, Any] = {
        "where": {"dataset": "{dataset}", "k": "{k}"},
        "each": {"dataset": ["hep_synthetic", "other"], "k": [1, 3]},
    }
    part |= {"id": "high/{dataset}/{k}", "statement": "H_T is high at k = {k}."}
    part |= {"parameters": {"features": ["HT"], "method": "background"}}
    (paper,) = load_papers(write(tmp_path, claim(**part)))
    first, second, other, _ = paper.claims["hep_baselines"]
    assert (first.id, second.statement) == ("0000.00000/high/hep_synthetic/1", "H_T is high at k = 3.")
    assert second.where == {"dataset": "hep_synthetic", "k": 3}  # a number stays one
    rows = make_rows(networks=3)
    ranks = rows[rows["metric"] == "rank"]
    marked = pd.concat([ranks.assign(k=1), ranks.assign(k=3, value=30.0), ranks.assign(k=5)], ignore_index=True)
    assert judge(first, marked)["value"] == pytest.approx(ranks.query("feature == 'HT'")["value"].min())
    assert judge(second, marked)["value"] == 30
    judged = judge(other, marked)
    assert (judged["verdict"], judged["value"]) == (Verdict.NOT_TESTED, None)
    assert judged["note"] == "the run has no rows with dataset=other, k=1"
    assert "no rows with" in judge(first, rows.drop(columns="k"))["note"]


@pytest.mark.parametrize("where", [["dataset"], {"dataset": None}, {"k": [1, 2]}])
def test_a_part_of_the_rows_is_chosen_by_single_values(tmp_path: Path, where: Any) -> None:
    with pytest.raises(UserError, match="claim 'high/background': where must map columns to a text"):
        load_papers(write(tmp_path, claim(where=where)))


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    lacking = claim()
    del lacking["source"]
    with pytest.raises(UserError, match="missing source"):
        load_papers(write(tmp_path, lacking))


def test_a_file_that_is_no_paper_is_named(tmp_path: Path) -> None:
    (tmp_path / "paper.yaml").write_text("- a\n")
    with pytest.raises(UserError, match=r"paper\.yaml: expected a mapping"):
        load_papers(tmp_path)
    with pytest.raises(UserError, match="unknown pages"):
        load_papers(write(tmp_path, claim(), pages=3))


def test_an_id_stands_for_one_claim(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'0000\.00000/high/background' stands there twice"):
        load_papers(write(tmp_path, claim(), claim()))


def hep_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [judge(claim, rows) for paper in load_papers(CLAIMS_ROOT) for claim in paper.claims.get("hep_baselines", ())]


def test_every_claim_of_the_paper_is_judged(rows: pd.DataFrame) -> None:
    records = hep_records(rows)
    assert len(records) > 30
    for record in records:
        assert set(record) == FIELDS
        assert record["verdict"] in set(Verdict)
        assert record["verdict"] != Verdict.NOT_TESTED
        if record["value"] is None:
            assert record["verdict"] == Verdict.INCONCLUSIVE
            few = "5 units are too few for an interval" if "zero_outside" in record["id"] else "fewer than 10 effective"
            assert few in record["note"]
        else:
            assert record["ci_low"] <= record["value"] <= record["ci_high"]
        assert record["note"]
    json.dumps(records, allow_nan=False)


def test_one_network_settles_nothing() -> None:
    over_networks = [record for record in hep_records(make_rows(networks=1)) if "significance" not in record["id"]]
    assert {record["verdict"] for record in over_networks} == {Verdict.NOT_TESTED}
    assert all("gives no interval" in record["note"] for record in over_networks)


def test_without_cross_sections_nothing_is_said_of_significance(rows: pd.DataFrame) -> None:
    pooled = rows["metric"].isin(["significance", "background_n_eff"])
    records = {record["id"]: record for record in hep_records(rows[~pooled])}
    judged = records["2412.13864/plateau/significance/background"]
    assert (judged["verdict"], judged["value"]) == (Verdict.NOT_TESTED, None)
    assert judged["note"] == "the run has no 'significance' of method 'background'"
    assert records["2412.13864/plateau/accuracy/background"]["verdict"] != Verdict.NOT_TESTED


def test_a_value_that_is_not_a_number_never_becomes_a_verdict(rows: pd.DataFrame) -> None:
    broken = rows.copy()
    broken.loc[broken["unit"].isin(["network_1", "bootstrap_003"]), "value"] = float("nan")
    verdicts = {(record["value"], record["verdict"]) for record in hep_records(broken)}
    assert verdicts == {(None, Verdict.NOT_TESTED), (None, Verdict.INCONCLUSIVE)}  # the latter: too little background


def test_what_a_paper_prints_belongs_to_its_experiments() -> None:
    papers = load_papers(CLAIMS_ROOT)
    assert set(printed_for(papers, "weighted_gradients").figures) == {"figure_2"}
    assert "figure_2a" in printed_for(papers, "hep_baselines").figures
    assert printed_for(papers, "explain") == Printed()


def test_values_of_2505_03201_agree_with_its_tables() -> None:
    """The claims repeat the tables' numbers in words: they may not drift apart."""
    (paper,) = (paper for paper in load_papers(CLAIMS_ROOT) if paper.id == "2505.03201")
    claims = {claim.id.partition("/")[2]: claim for claim in paper.claims["weighted_gradients"]}
    for metric, networks in paper.printed.tables["table_1"].items():
        for model, printed in networks.items():
            better, spread, improvement = (
                str(claims[f"{kind}/{metric}"].value_for(model)) for kind in ("better", "spread", "improvement")
            )
            assert better.startswith(f"{printed['eg']:.3f} to {printed['wg']:.3f} (p = {printed['p']:.3f}")
            assert spread.startswith(f"{printed['eg_sd']:.3f} to {printed['wg_sd']:.3f}")
            assert improvement.startswith(f"{printed['improvement']:.2f} %")
    for model, printed in paper.printed.tables["table_2"].items():
        for claim in ("filtering/not_worse", "filtering/better"):
            value = str(claims[claim].value_for(model))
            assert value.startswith(f"{printed['wg']:.3f} to {printed['filtered']:.3f} %")
    average = sum(network["improvement"] for network in paper.printed.tables["table_1"]["deletion_auc"].values()) / 6
    assert f"{average:.1f} % in Table 1" in str(claims["improvement/deletion_auc"].paper_value)


def test_claims_about_other_data_are_one_line(tmp_path: Path) -> None:
    """Features that merely have the paper's names are not the paper's; what is said of methods is asked of any data."""
    one = {"each": {"method": ["background"]}, "figures": {"figure_1": {"statement": "H_T.", "top": 5}}}
    of_data, general = claim(id="ht", of_data=True, each=one["each"]), claim(id="general", each=one["each"])
    (paper,) = load_papers(write(tmp_path, of_data, general, data=["hep_synthetic"], figures=one["figures"]))
    assert printed_for([paper], "hep_baselines", "hep_synthetic").figures == one["figures"]
    assert printed_for([paper], "hep_baselines", "mine").figures == {"figure_1": {"top": 5}}
    rows = make_rows(networks=3)
    asked_of_own = [record["id"] for record in judge_paper(paper, "hep_baselines", rows)]
    assert asked_of_own == ["0000.00000/ht", "0000.00000/general"]
    asked, folded = judge_paper(paper, "hep_baselines", rows.assign(dataset="mine"))
    assert asked["id"] == "0000.00000/general"
    assert asked["verdict"] != Verdict.NOT_TESTED
    assert (folded["id"], folded["verdict"]) == ("0000.00000/other_data/hep_baselines", Verdict.NOT_TESTED)
    assert folded["note"] == "they are about the paper's own data (hep_synthetic), not about mine"


def test_a_claim_at_all_features_could_not_fail(tmp_path: Path) -> None:
    part = claim(where={"k": 30}, each={"method": ["background"]})
    (paper,) = load_papers(write(tmp_path, part))
    rows = make_rows(networks=3)
    (found,) = (judge(one, rows.assign(k=30)) for one in paper.claims["hep_baselines"])
    assert found["verdict"] == Verdict.NOT_TESTED
    assert "k = 30 of 30 features" in found["note"]
