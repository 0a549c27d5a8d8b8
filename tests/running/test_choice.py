"""Methods and metrics that a command line names: what fits a task joins in, what does not is said."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.image_baselines import Blurred
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.common.errors import UserError
from igbaselines.metrics import DeletionAUC, Metric, OverlapAUC, Quantity, undirected
from igbaselines.running.choice import check_metrics, fitting_methods, fitting_metrics
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.tasks import Background, Task
from tests.small_tasks import misdirected

ZERO, BLUR = AveragedGradients(ZeroBaseline()), AveragedGradients(Blurred(1.0))
VECTORS = torch.zeros(2, 3)
IMPUTERS = {"zero": ZeroBaseline()}
TASK = Task("rows", lambda x: x[:, 0], VECTORS, None, "ab", Background(VECTORS, VECTORS[0]), imputers=IMPUTERS)


def run_with(methods: dict[str, Method] | None = None, metrics: dict[str, Metric] | None = None) -> Run:
    here = Path()
    rows, device = Rows("e", "d", "m", 0), torch.device("cpu")
    return Run(rows, here, here, here, device, 0, None, 1, methods=methods or {}, metrics=metrics or {})


def test_what_fits_joins_the_experiments_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert fitting_methods(run_with({"plain": ZERO, "blur": BLUR}), {"own": ZERO}, TASK) == {"own": ZERO, "plain": ZERO}
    assert caplog.messages == ["method blur is left out: its baselines Blurred is of pictures"]


@pytest.mark.parametrize(
    ("methods", "own", "words"),
    [({"plain": ZERO}, {"plain": BLUR}, "methods=plain"), ({"blur": BLUR}, {}, "no method fits rows")],
)
def test_what_cannot_work_is_said(methods: dict[str, Method], own: dict[str, Method], words: str) -> None:
    with pytest.raises(UserError, match=words):
        fitting_methods(run_with(methods), own, TASK)


def test_metrics_by_the_names_of_their_quantities(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    deletion, overlap = DeletionAUC("zero", name="deletion_zero"), OverlapAUC()
    run = run_with(metrics={"a": deletion, "b": overlap})
    for task in (TASK, replace(TASK, name="more rows")):  # what is so of both is said once
        assert fitting_metrics(run, task) == {"a": deletion}
    assert caplog.messages == ["metric b is left out: no object is outlined"]


@pytest.mark.parametrize("own", [(), ("deletion_auc",)])
def test_nothing_is_measured_twice_under_one_name(own: tuple[str, ...]) -> None:
    metrics: dict[str, Metric] = {"a": DeletionAUC("mean", name="deletion_mean"), "b": DeletionAUC("zero")}
    metrics |= {} if own else {"c": DeletionAUC("mean")}
    with pytest.raises(UserError, match="metrics=b" if own else "metrics=c"):
        check_metrics(metrics, undirected(*own))


@dataclass
class Half:
    """A metric as a user may leave it."""

    quantity: object
    score: object = print

    def why_not(self, task: Task) -> None:
        """Any task will do."""


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (object(), "metrics.mine has no why_not"),
        (Half(Quantity("mine", "mine"), score=0.5), "metrics.mine has no score.*Half is none of the metrics"),
        (Half("accuracy"), "must be a Quantity.*not 'accuracy'"),
        (Half(misdirected()), "better one of lower, higher and None"),
    ],
)
def test_a_metric_says_what_it_measures(metric: Metric, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_metrics({"mine": metric}, ())
