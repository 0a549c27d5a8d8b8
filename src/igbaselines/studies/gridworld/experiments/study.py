"""How near every method comes to the exact Shapley values of one network's output (2310.04821, GridWorld)."""

import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.shapley.estimators import PlayerAttribution
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.common.randomness import generator_for
from igbaselines.metrics.agreement import AGREEMENT
from igbaselines.studies.gridworld.experiments.methods import (
    COALITIONAL,
    KERNEL_SHAP,
    SAMPLING,
    SIG,
    Budgeted,
    Sources,
    coalition_methods,
    game_values,
    kernel_shap,
    path_methods,
)
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.tasks import Background

ATTRIBUTION = 3_000_001  # what the streams of random numbers here are for, as the second part of their key
CURVES = ("cosine", "proportions_l1")  # metrics of the studies
COMPARED = ("ig_zero", "ig_mean", SIG, SAMPLING)  # methods of the studies over networks
TIMED = ("ig_mean", "ig_uniform", *COALITIONAL)
TIMES = 3  # the quickest of so many


@dataclass(frozen=True)
class ExplainedStates:
    """What is attributed to the features.

    Args:
        model: features -> outputs.
        inputs: the states.
        targets: the output that is explained of each.
        units: name of each state.
        reference: the training states.
        background: some of them.
    """

    model: nn.Module
    inputs: Float[Tensor, "n d"]
    targets: Int[Tensor, " n"]
    units: list[str]
    reference: Background
    background: Float[Tensor, "b d"]

    def sources(self, reference: str) -> Sources:
        """The players, and what stands for absent ones: zero, mean or background."""
        centre = self.reference.centre[None]
        absent = {"zero": torch.zeros_like(centre), "mean": centre, "background": self.background}[reference]
        return Sources(self.reference, absent, self.background, self.inputs.shape[1])

    def exact(self, reference: str) -> Float[Tensor, "n d"]:
        """Exact Shapley values."""
        return exact_shapley_values(self.model, self.inputs, self.sources(reference).absent, target=self.targets).values


@dataclass
class Studies:
    """All studies of one network; rows and attributions gather here.

    Args:
        states: what is explained.
        attribution, evaluation: settings.
        seed: of the run: every network meets the same random coalitions, noise and nodes.
        rows: tables of measured values.
        attributions: of the main comparison from the mean, by method, and the exact values.
    """

    states: ExplainedStates
    attribution: GridworldAttribution
    evaluation: GridworldEvaluation
    seed: int
    rows: list[pd.DataFrame] = field(default_factory=list)
    attributions: dict[str, Float[Tensor, "n d"]] = field(default_factory=dict)

    def carry_out(self, study: str) -> None:
        """Carry out a study by its name in the rows."""
        of_name = {"agreement": self.agreement, "cost": self.cost, "q": self.coalitions, "time": self.times}
        if study in of_name:
            of_name[study]()
        else:
            self.compared(study)

    def agreement(self) -> None:
        """Compare all methods for every reference at the main budget."""
        for reference in self.attribution.references:
            exact = self.states.exact(reference)
            found = self._all(reference, self.evaluation.evaluations)
            self._add("agreement", reference, exact, found, AGREEMENT)
            if reference == "mean":
                self.attributions = {"exact": exact} | {name: values for name, (values, _) in found.items()}

    def cost(self) -> None:
        """Compare all methods at every budget."""
        for reference in self.evaluation.cost_references:
            exact = self.states.exact(reference)
            for budget in self.evaluation.budgets:
                self._add("cost", reference, exact, self._all(reference, budget), CURVES)

    def coalitions(self) -> None:
        """Compare the methods that sample coalitions at every share of them."""
        exact, sources = self.states.exact("mean"), self.states.sources("mean")
        everything = 2**sources.players
        for share in self.evaluation.q:
            count = None if share == 1 else max(1, round(share * everything))
            methods = coalition_methods(sources, self.attribution, coalitions=count)
            self._add("q", "mean", exact, self._attribute(methods, (count or everything,)), CURVES, q=share)

    def compared(self, study: str) -> None:
        """Compare a few methods on a network of another kind."""
        sources, budget = self.states.sources("mean"), self.evaluation.evaluations
        methods = self._methods(sources, budget)
        chosen = {name: methods[name] for name in COMPARED if name in methods}
        self._add(study, "mean", self.states.exact("mean"), self._attribute(chosen, (budget,)), CURVES)

    def times(self) -> None:
        """Time methods in turn at the main budget; a row a method, its unit is filled in by the caller."""
        sources, budget = self.states.sources("mean"), self.evaluation.evaluations
        methods = self._methods(sources, budget)
        timed = {name: methods[name] for name in TIMED if name in methods}
        turns = [{name: self._seconds(one) for name, one in timed.items()} for _ in range(TIMES)]
        seconds = {name: min(turn[name] for turn in turns) for name in timed}
        rows = [
            {"method": name, "metric": metric, "value": value, "evaluations": timed[name].evaluations}
            for name, taken in seconds.items()
            for metric, value in (("seconds", taken), ("seconds_per_point", taken / timed[name].evaluations))
        ]
        self.rows.append(pd.DataFrame(rows).assign(study="time", reference="mean"))

    def _methods(self, sources: Sources, budget: int) -> dict[str, Budgeted]:
        """All methods at a budget but KernelSHAP, which is none of ours."""
        of_coalitions = coalition_methods(sources, self.attribution, budget)
        return path_methods(sources, self.attribution, budget) | of_coalitions

    def _seconds(self, budgeted: Budgeted) -> float:
        """Seconds a state."""
        states = self.states
        start = time.perf_counter()
        budgeted.method.attribute(states.model, states.inputs, states.targets, generator_for(self.seed, ATTRIBUTION))
        return (time.perf_counter() - start) / len(states.inputs)

    def _all(self, reference: str, budget: int) -> dict[str, tuple[Float[Tensor, "n d"], float]]:
        """Attributions of every method at a budget, and what they cost."""
        sources = self.states.sources(reference)
        methods = self._methods(sources, budget)
        found = self._attribute(methods, (budget,))
        coalitions = min(budget // len(sources.absent), 2**sources.players)
        if self.evaluation.kernel_shap and coalitions >= sources.players + 2:  # fewer do not fix the regression
            found[KERNEL_SHAP] = self._kernel_shap(sources, coalitions), float(coalitions * len(sources.absent))
        return found

    def _attribute(
        self, methods: Mapping[str, Budgeted], key: tuple[int, ...]
    ) -> dict[str, tuple[Float[Tensor, "n d"], float]]:
        states, found = self.states, {}
        for name, budgeted in methods.items():
            generator = generator_for(self.seed, ATTRIBUTION, zlib.crc32(name.encode()), *key)
            result = budgeted.method.attribute(states.model, states.inputs, states.targets, generator)
            spent = budgeted.evaluations
            if isinstance(result, PlayerAttribution):
                spent = float(result.evaluations.double().mean())
            found[name] = result.attributions, spent
        return found

    def _kernel_shap(self, sources: Sources, coalitions: int) -> Float[Tensor, "n d"]:
        states = self.states
        found = []
        for place, (state, target) in enumerate(zip(states.inputs, states.targets.tolist(), strict=True)):
            values = game_values(states.model, target, state, sources.absent)
            found.append(torch.from_numpy(kernel_shap(values, sources.players, coalitions, self.seed + place)))
        return torch.stack(found).to(states.inputs)

    def _add(
        self,
        study: str,
        reference: str,
        exact: Float[Tensor, "n d"],
        found: Mapping[str, tuple[Float[Tensor, "n d"], float]],
        metrics: Iterable[str],
        **columns: float,
    ) -> None:
        for method, (values, evaluations) in found.items():
            for metric in metrics:
                measured = AGREEMENT[metric](values.double(), exact).cpu().numpy()
                table = {"unit": self.states.units, "value": measured}  # in one piece: thousands of them gather
                fixed = {"study": study, "reference": reference, "method": method, "metric": metric}
                self.rows.append(pd.DataFrame(table | fixed | {"evaluations": evaluations} | columns))
