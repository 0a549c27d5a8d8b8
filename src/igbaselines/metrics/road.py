"""ROAD, remove and debias (Rong et al. 2022, arXiv:2202.00449): deletion whose fills do not betray what is missing.

A fill that looks unlike the rest tells the network which pixels are missing, and the shape of the hole moves the score
by itself. Here every missing pixel is a weighted mean of its eight neighbours, missing ones too, plus a little noise: a
sparse system of linear equations. So a fill depends on which pixels are absent, as no imputer's does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.perturbation import Perturbed, nearest_count, player_ranks, points_at_once
from igbaselines.metrics.base import MOVES, Maps, Quantity, Scores
from igbaselines.tasks import Task
from igbaselines.tasks.players import check_ranking

if TYPE_CHECKING:
    from scipy import sparse  # slow to import, and of pictures alone

# Of a pixel's neighbours: they sum to one.
SIDES, CORNERS = ((-1, 0), (1, 0), (0, -1), (0, 1)), ((-1, -1), (-1, 1), (1, -1), (1, 1))
WEIGHTS = {**dict.fromkeys(SIDES, 1 / 6), **dict.fromkeys(CORNERS, 1 / 12)}
PERCENT = 100


def noisy_linear_fill(
    picture: Float[Tensor, "c h w"], missing: Bool[Tensor, "h w"], noise: float, generator: torch.Generator
) -> Float[Tensor, "c h w"]:
    """Return the picture with its missing pixels filled in.

    Args:
        picture: of any range.
        missing: the pixels to fill in, not all of them.
        noise: standard deviation of what is added to each channel of them.
        generator: of the noise, on the CPU.

    Raises:
        ValueError: where every pixel is missing.
    """
    from scipy.sparse.linalg import splu

    hole = missing.cpu().numpy()
    if hole.all():
        raise ValueError(f"all {hole.size} pixels are missing: none is left to fill them in from")
    if not hole.any():
        return picture
    known = picture.cpu().double().numpy() * ~hole
    system, from_known = _equations(hole, known)
    # Symmetric and positive definite: no pivots are needed.
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solved = torch.from_numpy(solver.solve(from_known).T)
    fill = solved + noise * torch.randn(solved.shape, generator=generator, dtype=solved.dtype)
    filled = picture.clone()
    filled[:, missing] = fill.to(picture)
    return filled


def _equations(
    hole: Bool[np.ndarray, "h w"], known: Float[np.ndarray, "c h w"]
) -> "tuple[sparse.csc_matrix, Float[np.ndarray, 'm c']]":
    """The system whose solution are the missing pixels, and its right side from those that are there.

    Pixels at the border have fewer neighbours, whose weights count for more.
    """
    from scipy import sparse

    m = int(hole.sum())
    place = np.full(hole.shape, -1)
    place[hole] = np.arange(m)
    around, known_around = np.pad(place, 1, constant_values=-1), np.pad(known, ((0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones(hole.shape), 1)
    total, right = np.zeros(m), np.zeros((m, len(known)))
    rows, columns, values = [], [], []
    h, w = hole.shape
    for (down, across), weight in WEIGHTS.items():
        shifted = (..., slice(1 + down, 1 + down + h), slice(1 + across, 1 + across + w))
        neighbour = around[shifted][hole]
        total += weight * inside[shifted][hole]
        right += weight * known_around[shifted][:, hole].T
        (unknown,) = np.nonzero(neighbour >= 0)
        rows.append(unknown)
        columns.append(neighbour[unknown])
        values.append(np.full(len(unknown), -weight))
    every = np.arange(m)
    entries = np.concatenate([*values, total]), (np.concatenate([*rows, every]), np.concatenate([*columns, every]))
    return sparse.csc_matrix(entries, shape=(m, m)), right


@dataclass(frozen=True)
class ROAD:
    """Mean score of pictures without their most important players, filled in by noisy linear imputation.

    The paper's order most relevant first, and its imputation, which pytorch-grad-cam and quantus have too. The paper
    and quantus follow whether predictions stay; here, as in pytorch-grad-cam, it is the score, whose mean is taken over
    the percentages (there less that of the picture itself). Pixels go one by one where they are the players, patches as
    a whole.

    It can be fooled where a smooth fill is something the network knows: a hole in the sky is sky. Large holes are blurs
    that betray themselves.

    Args:
        percentages: of the players, that are missing at each point; never all of them.
        noise: standard deviation of the noise, in units of the pixels.
        ranking: how players are ordered, `signed` or `magnitude`.
    """

    percentages: Sequence[int] = (10, 20, 30, 40, 50, 60, 70, 80, 90)
    noise: float = 0.01
    ranking: str = "signed"

    def __post_init__(self) -> None:
        check_ranking(self.ranking)
        object.__setattr__(self, "percentages", tuple(self.percentages))
        if not self.percentages or min(self.percentages) <= 0 or max(self.percentages) >= PERCENT:
            raise ValueError(f"percentages must lie between 0 and {PERCENT}, got {list(self.percentages)}")
        if self.noise < 0:
            raise ValueError(f"noise must not be negative, got {self.noise}")

    @property
    def quantity(self) -> Quantity:
        """Lower is better."""
        return Quantity("road", "ROAD, most relevant first", "score", "lower", MOVES)

    def why_not(self, task: Task) -> str | None:
        """Only pictures can be judged whose players, two or more, are made of whole pixels."""
        if not task.is_picture:
            return "pixels are filled in from their neighbours, and these are no pictures"
        player_of = task.player_map.player_of
        if task.player_map.count < 2:
            return "there is one player"
        return None if (player_of == player_of[:1]).all() else "a player has some channels of a pixel, and not all"

    def curves(
        self, task: Task, attributions: Float[Tensor, "n c h w"], generator: torch.Generator
    ) -> Float[Tensor, "n points"]:
        """The score of each picture at each percentage."""
        players = task.player_map
        ranks = player_ranks(players.importance(attributions, self.ranking))
        part = torch.tensor(self.percentages, device=ranks.device)
        # Of very few players the last one stays: there would be nothing to fill in from.
        counts = nearest_count(torch.full_like(part, players.count), part, PERCENT).clamp(max=players.count - 1)
        every, found = torch.arange(len(part)), []
        for place, ranks_of_one in enumerate(ranks):
            of_pixel = ranks_of_one[players.player_of[0]]
            filled = [
                noisy_linear_fill(task.inputs[place], of_pixel < count, self.noise, generator) for count in counts
            ]
            points = replace(task.take([place] * len(filled)), inputs=torch.stack(filled))
            # Scored as they are, with no player absent: chunks, evaluation mode and checks are those of deletion.
            alike = torch.zeros(len(filled), players.count, device=ranks.device)
            at_once = points_at_once(points)
            found.append(
                Perturbed(points.followed, points.inputs, points.inputs, players, alike, every, at_once).at_all(0)
            )
        return torch.stack(found)

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the mean over the percentages."""
        return self.curves(task, attributions, generator).double().mean(1)
