"""What flips with the seed is not printed as decided; what holds with every seed, or differs in more than it, stays."""

from igbaselines.reporting.page.by_seed import steady
from igbaselines.reporting.statistics.verdicts import Verdict
from tests.reporting.page.test_by_dataset import made

ONE = ("reproduced", "reproduced", "partly reproduced", "not reproduced")
OTHER = ("reproduced", "not reproduced", "not reproduced", "inconclusive")


def test_what_flips_with_the_seed_is_not_decided() -> None:
    runs = [made("hep", ONE), made("hep", OTHER, day=2, seed=1), made("hep", ONE, day=3, seed=2)]
    found = steady(runs)
    verdicts = [[record["verdict"] for record in run.claims] for run in found]
    open_ones = [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
    assert verdicts[0] == ["reproduced", *open_ones, "not reproduced"]
    assert verdicts[1] == ["reproduced", *open_ones, "inconclusive"]
    assert verdicts[2] == verdicts[0]
    assert found[1].claims[1]["note"] == (
        "noted; not decided, since it flips: reproduced with seed 0, not reproduced with seed 1, reproduced with seed 2"
    )
    assert runs[0].claims[1]["verdict"] == "reproduced"


def test_only_the_seed_may_differ() -> None:
    for other in (
        made("other", OTHER, day=2, seed=1),
        made("hep", OTHER, day=2, seed=1, evaluation={"networks": 6}),
    ):
        runs = [made("hep", ONE), other]
        assert steady(runs) == runs
    (alone,) = steady([made("hep", ONE, device="cuda")])
    assert [record["verdict"] for record in alone.claims] == list(ONE)
