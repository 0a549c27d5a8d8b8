"""The methods that `shapley_gridworld` compares, each made for a number of evaluations that it may spend on a state.

An evaluation is a gradient point (a forward and a backward pass) or, in methods without gradients, a forward pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, equal_weights
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.shapley.exact import Game
from igbaselines.common.devices import sent
from igbaselines.tasks import Background, Imputer, Task, draw, for_each

SIG, SIG_PAIRED, SIG_UNIFORM = "shapley_ig", "shapley_ig_paired", "shapley_ig_uniform"
SAMPLING, SAMPLING_PAIRED = "shapley_sampling", "shapley_sampling_paired"
COALITIONAL = (SIG, SIG_PAIRED, SAMPLING, SAMPLING_PAIRED)
EG, KERNEL_SHAP = "expected_gradients", "kernel_shap"


@dataclass(frozen=True)
class FirstExamples:
    """The first examples of the background, in turn: a fixed sample where, as here, examples stand in random order."""

    examples: int  # in the sample
    count: int | None = None  # baselines an input; None takes each example once

    def draw(self, inputs: Float[Tensor, "n d"], background: Background, generator: torch.Generator) -> Drawn:
        """Return them."""
        sample = background.examples[: self.examples]
        count = self.count or len(sample)
        turns = sample.repeat(-(-count // len(sample)), 1)[:count]
        return turns, equal_weights(turns, count)


def path_methods(
    baselines: Mapping[str, Any], examples: int, budget: int, nodes: int, most_nodes: int
) -> dict[str, Method]:
    """Plain Integrated Gradients from every baseline, and expected gradients from some examples, for a budget.

    A source that draws anew (it has a `count`) is averaged over as many draws as the budget has paths of `nodes`. One
    path is cut into at most `most_nodes` nodes: it has converged there, and would only repeat itself.
    """
    found: dict[str, Method] = {}
    for name, source in baselines.items():
        if hasattr(source, "count"):
            found[f"ig_{name}"] = AveragedGradients(replace(source, count=budget // nodes), GaussLegendre(nodes))
        else:
            found[f"ig_{name}"] = AveragedGradients(source, GaussLegendre(min(most_nodes, budget)))
    return found | {EG: AveragedGradients(FirstExamples(examples, budget // nodes), GaussLegendre(nodes))}


def coalition_methods(absent: str, steps: int, of_sig: int | None, of_sampling: int | None) -> dict[str, Method]:
    """Shapley IG, on paths of `steps` nodes, and the classical sampler, plain and with antithetic pairs of coalitions.

    Coalitions, of each input, are `of_sig` and `of_sampling`; None takes all of them with their exact weights, and 0
    leaves the sampler out. Players outside become what the imputer `absent` gives.
    """
    pairs, rule = (False, True), GaussLegendre(steps)
    sig = [ShapleyIG(absent, of_sig, paired, rule) for paired in pairs]
    sampling = [ShapleySampling(absent, of_sampling, paired) for paired in pairs] if of_sampling != 0 else []
    return dict(zip(COALITIONAL, [*sig, *sampling], strict=False))


class _AskedError(Exception):
    """Ends what asks for the worth of coalitions, once it is known which."""

    def __init__(self, members: Bool[np.ndarray, "m p"]) -> None:
        super().__init__()
        self.members = members


@dataclass(frozen=True)
class KernelSHAP:
    """Shapley values by KernelSHAP (Lundberg and Lee 2017), as the package shapiq computes them."""

    # What players outside a coalition become; a coalition is worth the mean over all that it gives
    imputer: Imputer | str
    coalitions: int  # that may be evaluated for an input
    seed: int = 0  # of the coalitions of the first input; each further one adds 1

    def why_not(self, task: Task) -> str | None:
        """Fewer coalitions than players and two more do not fix the regression."""
        least = task.player_map.count + 2
        return f"{self.coalitions} coalitions, but {least} are needed" if self.coalitions < least else None

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function to players, and in equal shares to their features."""
        absent, weights = draw(task.imputer(self.imputer), task.inputs, task.background, generator)
        absent = for_each(absent, task.inputs)
        game = Game(task.f, task.inputs, absent, weights, task.players, task.targets, task.max_batch)
        values = self._of_all(game)
        players = sent(torch.from_numpy(values).to(task.inputs.dtype), task.inputs.device)
        f_inputs, f_absent = (end.to(players) for end in game.at_ends())
        gap = players.sum(dim=1, keepdim=True) - (f_inputs[:, None] - f_absent)
        spent = torch.full((len(players),), self._affordable(game) * len(game.shares), device=players.device)
        maps = game.map.spread(players)
        return Attribution(maps, None, f_inputs, f_absent, gap, None, None, players=players, forwards=spent)

    def _affordable(self, game: Game) -> int:
        return min(self.coalitions, 1 << game.players)

    def _of_all(self, game: Game) -> Float[np.ndarray, "n p"]:
        """The values of each input: what shapiq asks for all of them is evaluated together, and then answered."""
        device, asked = game.inputs.device, [self._asked(game, row) for row in range(len(game.inputs))]
        members = sent(torch.from_numpy(np.concatenate(asked)), device)
        counts = [len(one) for one in asked]
        rows = sent(torch.arange(len(asked)).repeat_interleave(torch.tensor(counts)), device)
        worth = game.averaged(len(rows), lambda index: (rows[index], members[index])).cpu().numpy()
        answers = np.split(worth, np.cumsum(counts)[:-1])
        found = []
        for row, (of_row, answer) in enumerate(zip(asked, answers, strict=True)):

            def answered(
                again: Bool[np.ndarray, "m p"], of_row: np.ndarray = of_row, answer: np.ndarray = answer
            ) -> Float[np.ndarray, " m"]:
                if not np.array_equal(again, of_row):
                    raise AssertionError("shapiq asks for other coalitions the second time")
                return answer

            found.append(self._approximated(game, row, answered))
        return np.stack(found)

    def _asked(self, game: Game, row: int) -> Bool[np.ndarray, "m p"]:
        """The coalitions that shapiq asks for."""

        def ask(members: Bool[np.ndarray, "m p"]) -> Float[np.ndarray, " m"]:
            raise _AskedError(members.copy())

        try:
            self._approximated(game, row, ask)
        except _AskedError as asked:
            return asked.members
        raise AssertionError("shapiq asks for no coalition")

    def _approximated(self, game: Game, row: int, worth: Callable[[np.ndarray], np.ndarray]) -> Float[np.ndarray, " p"]:
        import shapiq

        approximation = shapiq.KernelSHAP(n=game.players, random_state=self.seed + row)
        found = approximation.approximate(self._affordable(game), worth)
        return np.asarray(found.get_n_order_values(1), dtype=float)
