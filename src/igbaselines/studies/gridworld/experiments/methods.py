"""The methods that `shapley_gridworld` compares, each made for a number of evaluations that it may spend on a state.

An evaluation is a gradient point (a forward and a backward pass) or, in methods without gradients, a forward pass.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.baselines import Given
from igbaselines.attribution.engine.path import Function
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.common.errors import UserError
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution
from igbaselines.tasks import Background, Imputer

SIG, SIG_PAIRED = "shapley_ig", "shapley_ig_paired"
SAMPLING, SAMPLING_PAIRED = "shapley_sampling", "shapley_sampling_paired"
COALITIONAL = (SIG, SIG_PAIRED, SAMPLING, SAMPLING_PAIRED)
EG, KERNEL_SHAP = "expected_gradients", "kernel_shap"


@dataclass(frozen=True)
class Budgeted:
    """A method and what it really spends on a state."""

    method: Method
    evaluations: float


@dataclass(frozen=True)
class Sources:
    """What the methods may know beside the states.

    Args:
        reference: the training states, with their mean and their ranges.
        absent: what absent players become; a source of it makes each coalition's baseline.
        background: states that expected gradients start from.
        players: number of features.
    """

    reference: Background
    absent: Float[Tensor, "r d"]
    background: Float[Tensor, "b d"]
    players: int


def path_methods(sources: Sources, settings: GridworldAttribution, budget: int) -> dict[str, Budgeted]:
    """Plain Integrated Gradients from every baseline, and expected gradients.

    A source that draws anew (it has a `count`) is averaged over as many draws as the budget has paths. One path is
    cut into at most `most_nodes` nodes: it has converged there, and would only repeat itself.
    """
    found = {}
    for name, source in settings.baselines.items():
        drawn = hasattr(source, "count")
        nodes = min(budget, settings.steps if drawn else settings.most_nodes)
        paths = budget // nodes if drawn else 1
        baseline: Imputer = replace(source, count=paths) if drawn else source
        method = AveragedGradients(baseline, sources.reference, GaussLegendre(nodes))
        found[f"ig_{name}"] = Budgeted(method, nodes * paths)
    # The background's states in turn, on as many paths of as many nodes as every other method with many paths.
    nodes = min(settings.steps, budget)
    paths = budget // nodes
    turns = sources.background.repeat(-(-paths // len(sources.background)), 1)[:paths]
    found[EG] = Budgeted(AveragedGradients(Given(turns), sources.reference, GaussLegendre(nodes)), paths * nodes)
    return found


def coalition_methods(
    sources: Sources, settings: GridworldAttribution, budget: int | None = None, coalitions: int | None = None
) -> dict[str, Budgeted]:
    """Shapley IG and the classical sampler, plain and with antithetic pairs of coalitions.

    Args:
        sources: the players and what they are replaced by.
        settings: of the run.
        budget: evaluations that may be spent; None where the number of coalitions is given.
        coalitions: their number; None with no budget takes all of them with their exact weights.
    """
    absent = Given(sources.absent)
    nodes = settings.steps if budget is None else min(settings.steps, budget)
    # A coalition of the sampler costs itself and every player that it lacks: n / H_n of n on average.
    of_sampler = 1 + sources.players / sum(1 / k for k in range(1, sources.players + 1))
    of_sig, of_sampling = (coalitions, coalitions) if budget is None else (budget // nodes, int(budget / of_sampler))
    everything = 2**sources.players * len(sources.absent)
    found = {}
    for name, paired in ((SIG, False), (SIG_PAIRED, True)):
        method = ShapleyIG(absent, sources.reference, coalitions=of_sig, paired=paired, rule=GaussLegendre(nodes))
        found[name] = Budgeted(method, nodes * (everything if of_sig is None else of_sig))
    if of_sampling == 0:  # not even one coalition can be afforded
        return found
    for name, paired in ((SAMPLING, False), (SAMPLING_PAIRED, True)):
        sampler = ShapleySampling(absent, sources.reference, coalitions=of_sampling, paired=paired)
        found[name] = Budgeted(sampler, everything if of_sampling is None else of_sampler * of_sampling)
    return found


def kernel_shap(
    values: Callable[[Bool[np.ndarray, "m d"]], Float[np.ndarray, " m"]], players: int, budget: int, seed: int
) -> Float[np.ndarray, " d"]:
    """Shapley values by KernelSHAP (Lundberg and Lee 2017), as the package shapiq computes them.

    Args:
        values: the game: what each coalition is worth.
        players: their number.
        budget: coalitions that may be evaluated.
        seed: of the sampled coalitions.

    Raises:
        UserError: if shapiq is not installed.
    """
    try:
        import shapiq
    except ImportError as error:
        wanted = 'shapiq is not installed: pip install "igbaselines[gridworld]", or evaluation.kernel_shap=false'
        raise UserError(wanted) from error
    approximation = shapiq.KernelSHAP(n=players, random_state=seed).approximate(budget, values)
    return np.asarray(approximation.get_n_order_values(1), dtype=float)


def game_values(
    model: Function, target: int, state: Float[Tensor, " d"], absent: Float[Tensor, "r d"]
) -> Callable[[Bool[np.ndarray, "m d"]], Float[np.ndarray, " m"]]:
    """What coalitions of a state's features are worth: the mean output over all that the others are replaced by."""

    @torch.no_grad()
    def values(coalitions: Bool[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
        present = torch.from_numpy(np.asarray(coalitions, dtype=bool)).to(state.device)
        inputs = torch.where(present[:, None], state, absent)
        outputs = model(inputs.flatten(0, 1))[:, target].view(len(present), len(absent))
        return outputs.double().mean(dim=1).cpu().numpy()

    return values
