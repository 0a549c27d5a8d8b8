"""One task under every method and every metric, at every budget."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from igbaselines.attribution.budget import Budget, TooSmallBudgetError, gradient_cost
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import (
    AveragedGradients,
    Method,
    SharedGradients,
    attribute_all,
    shareable,
    within,
)
from igbaselines.common.clock import timed
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import KnownAgreement, Metric, PairedMetric, Quantity, judged
from igbaselines.metrics.completeness import COMPLETENESS_GAP, relative_gap
from igbaselines.running.choice import fitting_methods, fitting_metrics, fitting_pairs
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.comparison.known import Known
from igbaselines.studies.comparison.settings import COST, HALF_SAMPLE, REACHED, SECONDS, ComparisonEvaluation
from igbaselines.tasks import Task

log = logging.getLogger(__name__)

MEASURED = (
    Quantity(COST, "cost", "evaluations", "lower"),
    Quantity(SECONDS, "time", "s", "lower"),
    COMPLETENESS_GAP,
    Quantity(REACHED, "baselines whose $D_\\alpha$ is reached", "share"),
)

ATTRIBUTION, JUDGED = "comparison: attribution", "comparison: metrics"  # streams of random numbers

# Values by method and metric.
Values = dict[tuple[str, str], Tensor]


@dataclass(frozen=True)
class Compared:
    """A task, and all that is compared on it."""

    seed: int  # of the run
    known: Known  # the task, with player values that are known
    methods: Mapping[str, Method]  # as they are configured
    metrics: Mapping[str, Metric]
    pairs: Mapping[str, PairedMetric]
    gradient: float  # what a gradient costs on this network, in evaluations
    budgets: tuple[int | None, ...]  # None leaves methods as they are configured
    variants: dict[str, Task] = field(default_factory=dict)  # of the pairs, made once

    @classmethod
    def of(
        cls,
        run: Run,
        attribution: AttributionSettings | None,
        evaluation: ComparisonEvaluation,
        budgets: Sequence[int],
        task: Task,
    ) -> "Compared":
        """All methods and metrics of a run that fit a task."""
        known = Known.of(task, evaluation.orders, run.seed)
        return cls(
            run.seed,
            known,
            fitting_methods(run, {} if attribution is None else attribution.methods(), known.task),
            fitting_metrics(replace(run, pairs={}), known.task),
            fitting_pairs(run, known.task),
            gradient_cost(task),
            tuple(budgets or evaluation.budgets) or (None,),
        )

    def rows(self) -> pd.DataFrame:
        """Attribute and judge: a row for each budget, method, metric and input."""
        task = self.known.task
        tables = [self._table(budget, values) for budget in self.budgets if (values := self._at(budget))]
        if not tables:
            most = max(budget or 0 for budget in self.budgets)
            raise UserError(f"{task.name}: no method can do with {most} evaluations an input, give larger budgets")
        return pd.concat(tables, ignore_index=True)

    def _table(self, budget: int | None, values: Values) -> pd.DataFrame:
        """All values of a budget in one table: one of each pair of method and metric takes seconds."""
        task, (methods, metrics) = self.known.task, zip(*values, strict=True)
        inputs = len(task.units)
        columns = {
            "unit": [*task.units] * len(values),
            "data": task.data,
            "network": task.network,
            "budget": budget,
            "method": np.repeat(methods, inputs),
            "metric": np.repeat(metrics, inputs),
            "value": torch.cat([each.cpu().double() for each in values.values()]).numpy(),
        }
        return pd.DataFrame(columns)

    def _at(self, budget: int | None) -> Values:
        """All values of a budget."""
        methods = self.methods if budget is None else dict(self._within(budget))
        found, drawing = self._attributed(methods)
        values: Values = {}
        for method, (result, seconds) in found.items():
            values[method, COST] = cost = self._cost(result)
            values[method, SECONDS] = torch.full_like(cost, seconds)
            if result.fitness is not None:
                reached = result.fitness.reached.view(len(cost), -1).double().mean(dim=1)
                values[method, REACHED] = reached
            values[method, COMPLETENESS_GAP.name] = relative_gap(result.attributions, result.change)
        maps = {method: result.attributions for method, (result, _) in found.items()}
        for metric in self.metrics.values():
            values |= self._judged(metric, maps)
        for pair in self.pairs.values():
            values |= self._paired(pair, methods, maps, drawing)
        return values

    def _within(self, budget: int) -> Iterator[tuple[str, Method]]:
        """The methods that can do with a budget."""
        for name, method in self.methods.items():
            try:
                yield name, within(method, self.known.task, Budget(budget, self.gradient))
            except TooSmallBudgetError as error:
                log.info("%s is left out at a budget of %d: %s", name, budget, error)

    def _attributed(self, methods: Mapping[str, Method]) -> tuple[dict[str, tuple[Attribution, float]], list[str]]:
        """What each method gives, and its seconds an input; and the methods that draw, or share gradients with one.

        Methods that share gradients are timed together, and share the time by what each would spend on its own.
        """
        task = self.known.task
        groups: list[Mapping[str, Method]] = list(shareable(methods))
        groups += [{name: one} for name, one in methods.items() if not isinstance(one, AveragedGradients)]
        found, drawing = {}, list[str]()
        for group in groups:
            generator = self._generator(ATTRIBUTION)
            before = generator.get_state()
            results, seconds = timed(partial(_of_group, group, task, generator), task.inputs.device)
            if not torch.equal(generator.get_state(), before):
                drawing += group
            seconds /= len(task.inputs)
            spent = {name: float(self._cost(result).mean()) for name, result in results.items()}
            total = sum(spent.values())
            for name, result in results.items():
                found[name] = result, seconds * (spent[name] / total if total else 1.0)
        return {name: found[name] for name in methods}, drawing

    def _cost(self, result: Attribution) -> Tensor:
        """Evaluations of each input; a gradient counts as what it costs."""
        cost = self.gradient * result.gradient_points.double()
        return cost if result.forwards is None else cost + result.forwards

    def _judged(self, metric: Metric, maps: Mapping[str, Tensor]) -> Values:
        name = metric.quantity.name
        scores = judged(metric, self.known.task, maps, lambda: self._generator(JUDGED, name))
        values = {(method, name): score for method, score in scores.items()}
        if isinstance(metric, KnownAgreement) and (ceiling := self.known.ceiling(metric)) is not None:
            values[HALF_SAMPLE, name] = ceiling
        return values

    def _paired(
        self, pair: PairedMetric, methods: Mapping[str, Method], maps: Mapping[str, Tensor], drawing: Collection[str]
    ) -> Values:
        name = pair.quantity.name
        if name not in self.variants:
            self.variants[name] = pair.variant(self.known.task, self._generator(JUDGED, name))
        of_draws = [name] if pair.redraws else []
        if self.variants[name] is self.known.task:  # where what draws nothing has the same map again
            methods = {name: method for name, method in methods.items() if name in drawing}
        found = attribute_all(methods, self.variants[name], self._generator(ATTRIBUTION, *of_draws))
        others = {**maps, **{method: one.attributions for method, one in found.items()}}
        return {(method, name): pair.compare(self.known.task, each, others[method]) for method, each in maps.items()}

    def _generator(self, stream: str, *key: str) -> torch.Generator:
        return generator_for(self.seed, stream, self.known.task.name, *key)


def _of_group(group: Mapping[str, Method], task: Task, generator: torch.Generator) -> dict[str, Attribution]:
    """What methods give that share their gradients, or one of its own; the generator moves on if any of them draws."""
    averages = {name: method for name, method in group.items() if isinstance(method, AveragedGradients)}
    if averages:
        return SharedGradients.draw(averages, task, generator).attribute()
    return {name: method.attribute(task, generator) for name, method in group.items()}
