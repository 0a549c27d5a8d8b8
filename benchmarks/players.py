"""Exact Shapley values of 12 players: every coalition of 50 inputs, against shapiq and the bare network."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.turns import Candidate, Job, Work, fastest
from igbaselines.attribution.shapley.estimators import exact_shapley_values

INPUTS, HIDDEN, CHUNKS = 50, 64, (1024, 4096, 16384)
OURS, LIMIT = "igbaselines", "limit: the network alone"


def job(quick: bool) -> Job:
    """A network of 12 features with two hidden layers of 64, in float32; the units are inputs."""
    players = 6 if quick else 12
    candidates = [
        Candidate(OURS, partial(ours, players)),
        Candidate("shapiq, one input after another", partial(by_shapiq, players), tolerance=1e-4),
        Candidate(LIMIT, partial(bare_values, players)),
    ]
    title = f"Exact Shapley values: {INPUTS} inputs, {players} players, all 2^{players} coalitions"
    return Job("exact-shapley", title, "inputs", INPUTS, candidates, limit=LIMIT)


def _network_and_inputs(players: int) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layers = [nn.Linear(players, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1)]
    return nn.Sequential(*layers, nn.Flatten(0)).requires_grad_(False), torch.randn(INPUTS, players)


def ours(players: int) -> Work:
    """Coalitions in chunks, each evaluated once, and one product with the weights of the Shapley value."""
    network, inputs = _network_and_inputs(players)
    return lambda n: exact_shapley_values(network, inputs[:n], torch.zeros(1, players)).values.float()


def by_shapiq(players: int) -> Work:
    """All coalitions of an input at once, in shapiq's own form."""
    import shapiq

    network, inputs = _network_and_inputs(players)

    def values(x: Tensor) -> Tensor:
        def worth(coalitions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            values: np.ndarray[Any, Any] = network(x * torch.from_numpy(coalitions)).numpy()
            return values

        return torch.from_numpy(shapiq.ExactComputer(worth, players)("SV").get_n_order_values(1)).float()

    return lambda n: torch.stack([values(x) for x in inputs[:n]])


def bare_values(players: int) -> Work:
    """The network at as many points, and nothing else."""
    network, inputs = _network_and_inputs(players)

    def passes(chunk: int, n: int) -> None:
        batch = inputs[:1].expand(chunk, -1).clone()
        for _ in range(-(-n * 2**players // chunk)):
            network(batch)

    return partial(passes, fastest(lambda chunk: partial(passes, chunk, 4), CHUNKS))
