"""Attribution methods as objects: each takes a task and gives attributions, with what they cost.

Integrated Gradients, expected gradients, the averaged backgrounds of 2412.13864 and (filtered) Weighted Gradients are
one class with other parts. Methods that start from the same baselines share their gradients (`attribute_all`). The
methods of coalitions stand in `igbaselines.attribution.shapley`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from itertools import chain
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.budget import Budget
from igbaselines.attribution.engine.hooks import Integrand, Path, Walk
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule
from igbaselines.attribution.engine.result import Attribution, MinimalDeletion
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.weighting import FitnessWeighting
from igbaselines.common.devices import sent
from igbaselines.tasks import Imputer, Task, draw, for_each

MOST_NODES = 128  # of a path for a budget
SEARCH_SHARE = 0.5  # of a budget, for baselines that are searched for by gradients


@runtime_checkable
class Method(Protocol):
    """An attribution method."""

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function (the output of `targets`, where it has classes) to features and players.

        Args:
            task: what is explained.
            generator: of everything random, on the CPU.

        Raises:
            ValueError: where the method does not fit the task; the message says what would.
        """
        ...


@dataclass(frozen=True)
class AveragedGradients:
    """Integrated Gradients averaged over weighted baselines.

    With one baseline it is Integrated Gradients (Sundararajan et al. 2017); with many it is expected gradients (Erion
    et al. 2021), the averaged baseline of 2412.13864, eq. 2; with weights by fitness it is Weighted Gradients
    (2505.03201, eqs. 6 to 8).

    Args:
        baselines: where the baselines and their weights come from; by name one of the task's imputers.
        rule: the quadrature rule.
        weighting: from how fit each baseline is to its weight; None takes the weights that come with the baselines.
        fitness: how baselines are judged, where there is a weighting.
        path: how to get from baseline to input; None goes straight.
        integrand: what is summed on the way; None sums gradient x move.
    """

    baselines: Imputer | str
    rule: QuadratureRule = field(default_factory=lambda: GaussLegendre(32))
    weighting: FitnessWeighting | None = None
    fitness: Fitness = field(default_factory=Fitness)
    path: Path | Walk | None = None
    integrand: Integrand | None = None

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function to features and players; memory does not grow with inputs and baselines.

        Weights by fitness need the Integrated Gradients of every baseline: they are kept.
        """
        if self.weighting is not None:
            return SharedGradients.draw({"": self}, task, generator).attribute()[""]
        baselines, weights = draw(task.imputer(self.baselines), task.inputs, task.background, generator)
        own = for_each(baselines, task.inputs)
        found = path_attribution(
            task.f,
            task.inputs,
            own,
            weights,
            self.rule,
            task.targets,
            task.max_batch,
            generator=generator,
            path=self.path,
            integrand=self.integrand,
        )
        return replace(_with_search(found, self, task), players=task.player_map.sums(found.attributions))

    def within(self, task: Task, budget: Budget) -> "AveragedGradients":
        """The method for a budget: more draws, where baselines are drawn (their source has a `count`), or more nodes.

        Where baselines are drawn, a path keeps its nodes and there are as many baselines as the budget pays for. Else
        every baseline gets as many nodes as it pays for, at most `MOST_NODES`: paths have converged there. Judging
        a baseline counts as what its search takes at most; looking for one by gradients takes half the budget at most.

        Raises:
            TooSmallBudgetError: where the budget does not pay for one baseline, or a node of each.
        """
        source: Any = task.imputer(self.baselines)
        rule: Any = self.rule
        draws, nodes = is_dataclass(source) and hasattr(source, "count"), getattr(rule, "n_steps", 1)
        one = replace(source, count=1) if draws else source
        if hasattr(source, "search_gradients"):
            one = source.within(replace(budget, evaluations=budget.evaluations * SEARCH_SHARE))
        baselines = getattr(source, "baselines_an_input", None)
        if baselines is None:
            baselines = draw(one, task.inputs, task.background, torch.Generator())[1].numel()
        apart: float = 0 if self.weighting is None else self.fitness.search.most_scored(task.player_map.count)
        apart += getattr(rule, "n_probes", 0)
        if draws:
            paid = budget.pays(nodes, apart)
            if hasattr(one, "most") and paid < baselines:  # not one of each stratum
                return replace(self, baselines=replace(one, most=paid))
            return replace(self, baselines=replace(one, count=budget.pays(baselines * nodes, baselines * apart)))
        method = self if one is source else replace(self, baselines=one)
        apart += getattr(one, "search_gradients", 0) * budget.gradient + getattr(one, "search_forwards", 0)
        paid = budget.pays(baselines, apart=baselines * apart, least=getattr(rule, "fewest", 1))
        if not hasattr(rule, "n_steps"):
            return method
        return replace(method, rule=replace(rule, n_steps=min(MOST_NODES, paid)))


def _with_search(found: Attribution, method: AveragedGradients, task: Task) -> Attribution:
    """Add to what was spent what the search for the baselines took."""
    source = task.imputer(method.baselines)
    gradients, forwards = getattr(source, "search_gradients", 0), getattr(source, "search_forwards", 0)
    if not gradients and not forwards:
        return found
    assert found.gradients is not None, "paths take gradients"
    before = 0 if found.forwards is None else found.forwards
    k, spent = found.gradients.shape[1], torch.zeros_like(found.gradients[:, 0])
    return replace(found, gradients=found.gradients + gradients, forwards=spent + before + k * forwards)


def within(method: Method, task: Task, budget: Budget) -> Method:
    """A method as it is for a budget: what its own `within(task, budget)` says, or as it stands where it has none.

    Raises:
        TooSmallBudgetError: where the budget does not pay for the least it can do.
    """
    own = getattr(method, "within", None)
    return method if own is None else own(task, budget)


Averages: TypeAlias = Mapping[str, AveragedGradients]


def why_not(method: Method, task: Task) -> str | None:
    """Say in words why a method makes no sense for a task, or None where it does.

    A part may declare `pictures_only`, `needs_stratum_weights` or `needs_other_inputs`; a method of its own may have a
    `why_not(task)`.
    """
    own = getattr(method, "why_not", None)
    if own is not None:
        return str(reason) if (reason := own(task)) else None
    for name, part in _parts(method):
        if isinstance(part, Method) and (reason := why_not(part, task)) is not None:  # one around another
            return reason
        if getattr(part, "pictures_only", False) and not task.is_picture:
            return f"its {name} {type(part).__name__} is of pictures"
        if getattr(part, "needs_stratum_weights", False) and task.background.stratum_weight is None:
            return f"its {name} {type(part).__name__} needs the weight of each stratum, such as a cross-section"
        if getattr(part, "needs_other_inputs", False) and len(task.inputs) < 2:
            return f"its {name} {type(part).__name__} needs other inputs of the same task"
        if isinstance(part, str) and name in ("baselines", "imputer", "mask") and part not in task.imputers:
            return f"its {name} {part!r} is no imputer of {task.name}: {', '.join(task.imputers) or 'it has none'}"
    return None


def gives_up(method: Method) -> str | None:
    """Say what a method's attributions sum to, where they are not meant to sum to f(x) - f(x')."""
    parts = [method, *(part for _, part in _parts(method))]
    return next((said for part in parts if (said := getattr(part, "gives_up", None)) is not None), None)


def _parts(whole: object) -> Iterator[tuple[str, object]]:
    """What a method is made of, by field and at any depth; a fitness that no weighting asks for is no part of it."""
    for name, value in getattr(whole, "__dict__", {}).items():
        if name == "fitness" and getattr(whole, "weighting", None) is None:
            continue
        named = value.items() if isinstance(value, Mapping) else [(name, value)]
        for key, part in named:
            yield name if key == name else f"{name} {key}", part
            yield from _parts(part) if is_dataclass(part) else ()


def attribute_all(methods: Mapping[str, Method], task: Task, generator: torch.Generator) -> dict[str, Attribution]:
    """Attribute by every method; each starts from the same state of the generator.

    So methods that draw the same baselines draw the same ones, and their gradients are taken once: they differ in
    weights alone.
    """
    found: dict[str, Attribution] = {}
    for some in shareable(methods):
        found |= SharedGradients.draw(some, task, _copy(generator)).attribute()
    for name, method in methods.items():
        if name not in found:
            found[name] = method.attribute(task, _copy(generator))
    return {name: found[name] for name in methods}


def shareable(methods: Mapping[str, Method]) -> list[dict[str, AveragedGradients]]:
    """The methods that can share gradients: averages over baselines, by quadrature rule, path and integrand."""
    found: list[dict[str, AveragedGradients]] = []
    for name, method in methods.items():
        if isinstance(method, AveragedGradients):
            same = (some for some in found if _alike(next(iter(some.values())), method))
            if (some := next(same, None)) is None:
                found.append(some := {})
            some[name] = method
    return found


def _alike(one: AveragedGradients, other: AveragedGradients) -> bool:
    return (one.rule, one.path, one.integrand) == (other.rule, other.path, other.integrand)


@dataclass(frozen=True)
class _BaselineGroup:
    """Distinct sets of baselines behind one another, shared by all inputs or one an input.

    Args:
        sets: (k, *features), or (n, k, *features).
        of_method: for each method the place of its set, and the weights that came with it.
        shared: whether all inputs share the baselines.
    """

    sets: list[Tensor]
    of_method: dict[str, tuple[int, Float[Tensor, " k"]]]
    shared: bool

    def baselines(self, rows: slice) -> Tensor:
        return torch.cat(self.sets) if self.shared else torch.cat([some[rows] for some in self.sets], dim=1)

    def columns(self, method: str) -> slice:
        """Where a method's baselines stand among all."""
        place, weights = self.of_method[method]
        start = sum(some.shape[0 if self.shared else 1] for some in self.sets[:place])
        return slice(start, start + len(weights))

    def over_all(self, method: str, every: Attribution) -> Float[Tensor, " k"]:
        """The weights of a method over the baselines of all."""
        weights = every.attributions.new_zeros(every.f_baselines.shape[1])
        weights[self.columns(method)] = self.of_method[method][1].to(weights)
        return weights


@dataclass(frozen=True)
class SharedGradients:
    """Methods that average over baselines, with what they have drawn: the same baselines mean the same paths.

    Args:
        task: what is explained.
        methods: all of one quadrature rule, path and integrand.
        groups: the baselines drawn.
        generator: of random nodes and masks.
    """

    task: Task
    methods: Averages
    groups: Sequence[_BaselineGroup]
    generator: torch.Generator

    @classmethod
    def draw(
        cls, methods: Mapping[str, AveragedGradients], task: Task, generator: torch.Generator
    ) -> "SharedGradients":
        """Draw the baselines of every method from the same state of the generator, which goes on behind the last draws.

        Raises:
            ValueError: where the background has not what a source needs.
        """
        groups = [_BaselineGroup([], {}, shared) for shared in (True, False)]
        state = behind = generator.get_state()
        drawn: dict[int, tuple[Tensor, Tensor]] = {}  # by their source, which lives as long as its method
        for name, method in methods.items():
            if (key := id(method.baselines)) not in drawn:  # the same source draws the same from the same state
                source = task.imputer(method.baselines)
                drawn[key] = draw(source, task.inputs, task.background, generator.set_state(state))
                # A source that draws nothing leaves it where it was; nodes must not be drawn from what baselines were.
                behind = after if not torch.equal(after := generator.get_state(), state) else behind
            baselines, weights = drawn[key]
            group = groups[baselines.dim() > task.inputs.dim()]
            alike = (place for place, known in enumerate(group.sets) if known is baselines)
            same = chain(alike, (place for place, known in enumerate(group.sets) if torch.equal(known, baselines)))
            place = next(same, len(group.sets))
            if place == len(group.sets):
                group.sets.append(baselines)
            group.of_method[name] = place, weights
        return cls(task, methods, [group for group in groups if group.sets], generator.set_state(behind))

    @property
    def baselines_an_input(self) -> int:
        """Distinct baselines of each input: those that several methods share count once."""
        return sum(some.shape[0 if group.shared else 1] for group in self.groups for some in group.sets)

    @property
    def one_a_set(self) -> list[str]:
        """One method of each distinct set of baselines: what these spend is what all of them spend together."""
        methods = [{place: name for name, (place, _) in group.of_method.items()} for group in self.groups]
        return [name for of_group in methods for name in of_group.values()]

    def attribute(self, rows: slice = slice(None), generator: torch.Generator | None = None) -> dict[str, Attribution]:
        """Attribute some of the inputs, by every method.

        Args:
            rows: of the task's inputs.
            generator: of random nodes and masks; None takes the one that baselines were drawn from.
        """
        task = self.task if rows == slice(None) else self.task.take(rows)
        generator = generator or self.generator
        alike = next(iter(self.methods.values()))
        found: dict[str, Attribution] = {}
        for group in self.groups:
            every = path_attribution(
                task.f,
                task.inputs,
                for_each(group.baselines(rows), task.inputs),
                rule=alike.rule,
                target=task.targets,
                max_batch=task.max_batch,
                keep_per_baseline=True,
                generator=generator,
                path=alike.path,
                integrand=alike.integrand,
            )
            found |= dict(self._averaged(group, every, task, generator))
        return {name: found[name] for name in self.methods}

    def _averaged(
        self, group: _BaselineGroup, every: Attribution, task: Task, generator: torch.Generator
    ) -> Iterator[tuple[str, Attribution]]:
        """Each method's average of its own paths."""
        judged: list[tuple[int, Fitness, MinimalDeletion]] = []
        given = [name for name in group.of_method if self.methods[name].weighting is None]
        averages = dict(zip(given, _averages(every, [group.over_all(name, every) for name in given]), strict=True))
        for name, (place, drawn) in group.of_method.items():
            method = self.methods[name]
            own = _with_search(every.of_baselines(group.columns(name)), method, task)
            if method.weighting is None:
                players = task.player_map.sums(averages[name])
                weights = drawn.expand(len(task.inputs), -1)
                yield name, replace(own, attributions=averages[name], weights=weights, players=players)
                continue
            assert own.per_baseline is not None
            same = (known for at, fitness, known in judged if at == place and fitness == method.fitness)
            if (found := next(same, None)) is None:
                found = method.fitness.d_alpha(task, own.per_baseline, generator)
                judged.append((place, method.fitness, found))
            device, pairs = own.f_baselines.device, own.f_baselines.shape
            weights = sent(method.weighting.of_fitness(found.d_alpha.view(pairs)), device)
            averaged = own.reweighted(weights, task.player_map)
            forwards = sent(found.scored.view(pairs).sum(dim=1), device)
            forwards = forwards if own.forwards is None else forwards + own.forwards.to(device)
            yield name, replace(averaged, fitness=found, forwards=forwards)


def _averages(every: Attribution, weights: Sequence[Float[Tensor, " k"]]) -> Sequence[Float[Tensor, "n *features"]]:
    """Average all paths once for each row of weights."""
    if not weights:
        return ()
    assert every.per_baseline is not None
    return torch.einsum("mk,nk...->mn...", torch.stack(list(weights)), every.per_baseline).unbind(0)


def _copy(generator: torch.Generator) -> torch.Generator:
    return torch.Generator(device=generator.device).set_state(generator.get_state())
