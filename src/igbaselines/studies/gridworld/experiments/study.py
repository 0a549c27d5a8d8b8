"""How near every method comes to the exact Shapley values of one network's output (2310.04821, GridWorld)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.refusals import asked_together
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import Method, why_not
from igbaselines.common.clock import timed
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Metric, judged
from igbaselines.metrics.agreement import AGREEMENT
from igbaselines.running.context import Run
from igbaselines.studies.gridworld.experiments.methods import (
    COALITIONAL,
    KERNEL_SHAP,
    SAMPLING,
    SIG,
    KernelSHAP,
    coalition_methods,
)
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.tasks import Task

CURVES = ("cosine", "proportions_l1")  # metrics of the studies
COMPARED = ("ig_zero", "ig_mean", SIG, SAMPLING)  # methods of the studies over networks
TIMED = ("ig_mean", "ig_uniform", *COALITIONAL)
TIMES = 3  # the quickest of so many
STREAM = "gridworld: attribution"


@dataclass
class Studies:
    """All studies of one network; rows and attributions gather here."""

    # Every network meets the same random coalitions, noise and nodes of its seed; its methods join the
    # comparisons of all at a cost of their own, and its metrics judge them too
    run: Run
    task: Task  # what is explained
    # The methods that are made for a budget; None: the run has all that there are
    attribution: GridworldAttribution | None
    references: Sequence[str]  # imputers of the main comparison
    evaluation: GridworldEvaluation  # settings
    rows: list[pd.DataFrame] = field(default_factory=list)  # tables of measured values
    exact: dict[str, Float[Tensor, "n d"]] = field(default_factory=dict)  # the exact values by reference, on the host
    # Of the main comparison from the mean, by method, and the exact values
    attributions: dict[str, Float[Tensor, "n d"]] = field(default_factory=dict)

    def carry_out(self, study: str) -> None:
        """Carry out a study by its name in the rows."""
        of_name = {"agreement": self.agreement, "cost": self.cost, "q": self.coalitions, "time": self.times}
        of_name.get(study, partial(self.compared, study))()

    def agreement(self) -> None:
        """Compare all methods for every reference at the main budget."""
        budget = self.evaluation.evaluations
        for reference in self.references:
            found = self._attribute({**self._methods(reference, budget), **self.run.methods}, budget)
            self._add("agreement", reference, found, tuple(AGREEMENT), self.run.metrics.values())
            if reference == "mean":
                exact = {"exact": self.task.known[reference]}
                self.attributions = exact | {name: result.attributions for name, result in found.items()}

    def cost(self) -> None:
        """Compare all methods at every budget; those with a cost of their own once."""
        for reference in self.evaluation.cost_references:
            for budget in self.evaluation.budgets:
                self._add("cost", reference, self._attribute(self._methods(reference, budget), budget))
            self._add("cost", reference, self._attribute(self.run.methods, self.evaluation.evaluations))

    def coalitions(self) -> None:
        """Compare the methods that sample coalitions at every share of them."""
        assert self.attribution is not None
        everything = 2**self.task.player_map.count
        for share in self.evaluation.q:
            count = None if share == 1 else max(1, round(share * everything))
            methods = coalition_methods("mean", self.attribution.steps, count, count)
            self._add("q", "mean", self._attribute(methods, count or everything), q=share)

    def compared(self, study: str) -> None:
        """Compare a few methods on a network of another kind."""
        found = self._attribute(self._some(COMPARED), self.evaluation.evaluations)
        self._add(study, "mean", found, more=self.run.metrics.values())

    def times(self) -> None:
        """Time methods in turn at the main budget; a row a method, its unit is filled in by the caller."""
        timed = self._some(TIMED)
        turns = [{name: self._timed(one) for name, one in timed.items()} for _ in range(TIMES)]
        results = [result for result, _ in turns[0].values()] if timed else []
        for name, spent in zip(timed, _spent(*results) if results else [], strict=True):
            seconds = min(turn[name][1] for turn in turns)
            table = {"metric": ["seconds", "seconds_per_point"], "value": [seconds, seconds / spent]}
            self.rows.append(pd.DataFrame(table).assign(method=name, evaluations=spent, study="time", reference="mean"))

    def _methods(self, reference: str, budget: int) -> dict[str, Method]:
        """All methods of a budget that fit."""
        found: dict[str, Method] = {}
        if self.attribution is not None:
            found = self.attribution.methods(budget, reference, self.task.player_map.count)
            absent = self.attribution.background if reference == "background" else 1
            if self.evaluation.kernel_shap:
                found[KERNEL_SHAP] = KernelSHAP(reference, budget // absent, self.run.seed)
        return {name: method for name, method in found.items() if why_not(method, self.task) is None}

    def _some(self, names: Sequence[str]) -> Mapping[str, Method]:
        """Some methods at the main budget, from the mean; all of the run's where it has all that there are."""
        if self.attribution is None:
            return self.run.methods
        methods = self._methods("mean", self.evaluation.evaluations)
        return {name: methods[name] for name in names if name in methods}

    def _timed(self, method: Method) -> tuple[Attribution, float]:
        """What a method gives, and its seconds a state."""
        generator = generator_for(self.run.seed, STREAM)
        result, seconds = timed(lambda: method.attribute(self.task, generator), self.task.inputs.device)
        return result, seconds / len(self.task.inputs)

    @asked_together()
    def _attribute(self, methods: Mapping[str, Method], key: int) -> dict[str, Attribution]:
        return {
            name: method.attribute(self.task, generator_for(self.run.seed, STREAM, name, key))
            for name, method in methods.items()
        }

    def _add(
        self,
        study: str,
        reference: str,
        found: Mapping[str, Attribution],
        agreement: Sequence[str] = CURVES,
        more: Iterable[Metric] = (),
        **columns: float,
    ) -> None:
        """Judge attributions by their agreement with the exact values of a reference, and by more metrics."""
        if not found:
            return
        # All methods at once, and on the host, which so waits for a GPU once.
        maps = torch.stack([result.attributions for result in found.values()])
        players = self.task.player_map.sums(maps.double()).flatten(0, 1).cpu()
        exact = self._known(reference).repeat(len(found), 1)
        agrees = {name: AGREEMENT[name](players, exact).view(len(found), -1).numpy() for name in agreement}
        for metric in more:
            draws = partial(generator_for, self.run.seed, "gridworld: metrics", metric.quantity.name)
            scores = judged(metric, self.task, {name: result.attributions for name, result in found.items()}, draws)
            agrees[metric.quantity.name] = torch.stack(list(scores.values())).cpu().numpy()
        spent = _spent(*found.values())
        for place, method in enumerate(found):
            for name, of_methods in agrees.items():
                table = {"unit": self.task.units, "value": of_methods[place]}  # in one piece: thousands of them gather
                fixed = {"study": study, "reference": reference, "method": method, "metric": name}
                self.rows.append(pd.DataFrame(table | fixed | {"evaluations": spent[place]} | columns))

    def _known(self, reference: str) -> Float[Tensor, "n d"]:
        """The exact values of a reference, on the host."""
        if reference not in self.exact:
            self.exact[reference] = self.task.known[reference].double().cpu()
        return self.exact[reference]


def _spent(*results: Attribution) -> list[float]:
    """Evaluations for a state, on average."""
    spent: list[float] = torch.stack([result.evaluations.double().mean() for result in results]).tolist()
    return spent
