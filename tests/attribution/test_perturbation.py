"""Ranks of players and scores of inputs without some of them, against loops over pixels, patches and columns."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.baselines import Given, UniformNoise, ZeroBaseline
from igbaselines.attribution.perturbation import (
    PICTURES_AT_ONCE,
    ROWS_AT_ONCE,
    Perturbed,
    nearest_count,
    player_ranks,
)
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Pixels, PlayerMap, Players, Score
from tests.small_tasks import task_of

N, HEIGHT, WIDTH = 3, 4, 5
PIXELS = HEIGHT * WIDTH
IMAGE_OF_RANK = [0, 2, 0, 1, 2, 2]


def everything(perturbed: Perturbed) -> tuple[Tensor, Tensor]:
    """Every count of every ranking, in no order."""
    pairs = torch.cartesian_prod(torch.arange(len(perturbed.importance)), torch.arange(perturbed.players.count + 1))
    pairs = pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(3))].to(perturbed.inputs.device)
    return pairs[:, 0], pairs[:, 1]


@dataclass
class Recorder:
    """A score that notes what it was asked for."""

    score: Score
    sizes: list[int] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def __call__(self, pictures: Tensor, source: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        self.sizes.append(len(pictures))
        self.pictures += [picture.numpy().tobytes() for picture in pictures]
        return self.score(pictures, source)


@pytest.fixture
def network(device: torch.device) -> Score:
    """The probability that a small network gives to a class of each image."""
    torch.manual_seed(1)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * PIXELS, 5), nn.Softmax(1)
    )
    layers = layers.double().eval().to(device)
    targets = torch.tensor([4, 0, 2], device=device)

    def score(pictures: Tensor, source: Tensor) -> Tensor:
        probabilities: Tensor = layers(pictures)
        return probabilities[torch.arange(len(pictures), device=device), targets[source]]

    return score


@pytest.fixture
def perturbed(network: Score, generator: torch.Generator, device: torch.device) -> Perturbed:
    """Three images with two, one and three rankings of their pixels."""
    images, fills = torch.rand(2, N, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64).to(device)
    importance = torch.randn(len(IMAGE_OF_RANK), PIXELS, generator=generator).to(device)
    players = PlayerMap(Pixels(), images.shape[1:], device)
    return Perturbed(network, images, fills, players, importance, torch.tensor(IMAGE_OF_RANK, device=device), 1000)


def plain_ranks(importance: Tensor) -> list[int]:
    """Count for each pixel those that go before it."""
    values = importance.flatten().tolist()
    return [
        sum(other > value or (other == value and j < i) for j, other in enumerate(values))
        for i, value in enumerate(values)
    ]


def plain_point(perturbed: Perturbed, ranking: int, count: int, keep: bool) -> Tensor:
    """One feature after another."""
    i = int(perturbed.input_of_rank[ranking])
    whole, fill = perturbed.inputs[i].flatten().tolist(), perturbed.fills[i].flatten().tolist()
    ranks = plain_ranks(perturbed.importance[ranking])
    player_of = perturbed.players.player_of.flatten().tolist()
    values = [
        absent if (ranks[player] < count) != keep else present
        for present, absent, player in zip(whole, fill, player_of, strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64).view(perturbed.inputs.shape[1:])


MAPS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "random": lambda g: torch.randn(3, 35, generator=g),
    "few levels": lambda g: torch.randint(-1, 2, (3, 35), generator=g).float(),
    "constant": lambda g: torch.zeros(2, 35),
    "signed zeros": lambda g: torch.tensor([[0.0, -0.0, 0.0, -0.0, 1.0, -1.0]]),
    "infinite": lambda g: torch.tensor([[0.0, math.inf, -math.inf, math.inf]]),
    "one player": lambda g: torch.randn(4, 1, generator=g),
    "float64": lambda g: 1 + 1e-12 * torch.randn(2, 12, generator=g, dtype=torch.float64),
}


@pytest.mark.parametrize("name", MAPS)
def test_ranks(name: str, generator: torch.Generator, device: torch.device) -> None:
    importance = MAPS[name](generator)
    ranks = player_ranks(importance.to(device))
    assert ranks.dtype == torch.int32
    assert ranks.tolist() == [plain_ranks(each) for each in importance]


def test_ranks_of_many_equal_players_keep_their_order(device: torch.device) -> None:
    assert torch.equal(player_ranks(torch.zeros(224**2, device=device)).cpu(), torch.arange(224**2).int())


def test_ranks_of_any_batch(generator: torch.Generator) -> None:
    importance = torch.randn(2, 3, 4, 5, generator=generator)
    assert torch.equal(player_ranks(importance)[1, 2], player_ranks(importance[1, 2]))


def test_refuses_to_rank_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="but 2 are NaN"):
        player_ranks(torch.tensor([[0.0, math.nan, math.nan]]))


def test_nearest_count() -> None:
    for pixels in (1, 2, 7, 50, 50176):
        part = torch.arange(101)
        expected = [math.floor(Fraction(pixels * k, 100) + Fraction(1, 2)) for k in range(101)]
        assert nearest_count(torch.full_like(part, pixels), part, 100).tolist() == expected


PLAYERS: list[tuple[tuple[int, ...], Players]] = [
    ((3, HEIGHT, WIDTH), Pixels()),
    ((3, HEIGHT, WIDTH), Patches(2, 3)),
    ((3, HEIGHT, WIDTH), EachFeature()),
    ((7,), EachFeature()),
    ((7,), FeatureMask(torch.tensor([2, 0, 1, 1, 2, 0, 3]))),
    ((2, 3), EachFeature()),
]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("shape", "players"), PLAYERS, ids=str)
def test_scores_are_those_of_a_loop(
    shape: tuple[int, ...], players: Players, keep: bool, generator: torch.Generator, device: torch.device
) -> None:
    inputs, fills = torch.rand(2, N, *shape, generator=generator, dtype=torch.float64).to(device)
    slopes = torch.randn(N, *shape, generator=generator, dtype=torch.float64).to(device)

    def score(points: Tensor, source: Tensor) -> Tensor:
        return (points * slopes[source]).flatten(1).sum(1).tanh()

    players_there = PlayerMap(players, torch.Size(shape), device)
    importance = torch.randn(len(IMAGE_OF_RANK), players_there.count, generator=generator).to(device)
    source = torch.tensor(IMAGE_OF_RANK, device=device)
    perturbed = Perturbed(score, inputs, fills, players_there, importance, source, 7)
    ranking, counts = everything(perturbed)
    scores = perturbed.scores(ranking, counts, keep)
    for found, r, count in zip(scores.tolist(), ranking.tolist(), counts.tolist(), strict=True):
        point = plain_point(perturbed, r, count, keep).to(inputs)
        assert found == pytest.approx(float(score(point[None], source[r, None])), abs=1e-12)
    with pytest.raises(ValueError, match=f"counts must lie in 0..{players_there.count}"):
        perturbed.scores(ranking[:1], counts[:1] * 0 + players_there.count + 1)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("max_batch", [1, 2, 13])
def test_scores_do_not_depend_on_the_batch(perturbed: Perturbed, keep: bool, max_batch: int) -> None:
    ranking, counts = everything(perturbed)
    chunked = replace(perturbed, max_batch=max_batch)
    scores = chunked.scores(ranking, counts, keep)
    torch.testing.assert_close(scores, perturbed.scores(ranking, counts, keep))
    assert torch.equal(scores, chunked.scores(ranking, counts, keep))


def test_keeping_the_most_important_is_masking_the_least(perturbed: Perturbed) -> None:
    ranking, counts = everything(perturbed)
    turned = replace(perturbed, importance=-perturbed.importance)
    kept = perturbed.scores(ranking, counts, keep=True)
    torch.testing.assert_close(kept, turned.scores(ranking, PIXELS - counts))
    swapped = replace(perturbed, inputs=perturbed.fills, fills=perturbed.inputs)
    torch.testing.assert_close(kept, swapped.scores(ranking, counts))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
@pytest.mark.parametrize("keep", [False, True])
def test_equal_pictures_are_scored_once(perturbed: Perturbed, network: Score, keep: bool) -> None:
    ranking, counts = everything(perturbed)
    recorder = Recorder(network)
    recorded = replace(perturbed, score=recorder, max_batch=8)
    scores = recorded.scores(ranking.repeat(2), counts.repeat(2), keep)
    # Every count between none and all for each ranking, and both ends for each image.
    assert len(recorder.pictures) == len(set(recorder.pictures)) == len(IMAGE_OF_RANK) * (PIXELS - 1) + 2 * N
    assert max(recorder.sizes) == 8
    assert torch.equal(scores[: len(ranking)], scores[len(ranking) :])


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_images_without_a_wanted_score_are_left_alone(perturbed: Perturbed, network: Score) -> None:
    recorder = Recorder(network)
    wanted = torch.tensor([4, 1, 5])
    scores = replace(perturbed, score=recorder).scores(wanted, torch.zeros_like(wanted))
    assert recorder.sizes == [1]
    torch.testing.assert_close(scores, network(perturbed.inputs[[2]], torch.tensor([2])).expand(3))


def test_the_graph_is_not_kept(perturbed: Perturbed) -> None:
    tracked = replace(perturbed, inputs=perturbed.inputs.clone().requires_grad_())
    assert not tracked.scores(*everything(perturbed)).requires_grad


def test_of_a_task(generator: torch.Generator) -> None:
    """Fills come from the imputer, importance from the players, the batch from the task or what its inputs are."""
    inputs = torch.rand(2, 3, 4, 4, generator=generator)
    maps = torch.randn(3, 3, 4, 4, generator=generator)
    source = torch.tensor([1, 0, 1])
    task = task_of(lambda x: x.flatten(1).sum(1), inputs, players=Patches(2, 2))
    signed, magnitude = (
        Perturbed.of(task, maps, source, Given(torch.full((1, 3, 4, 4), 0.5)), ranking, generator)
        for ranking in ("signed", "magnitude")
    )
    for r in range(3):
        for player, (row, column) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2)]):
            patch = maps[r, :, row : row + 2, column : column + 2]
            assert signed.importance[r, player].item() == pytest.approx(patch.sum().item(), abs=1e-5)
            assert magnitude.importance[r, player].item() == pytest.approx(patch.abs().sum().item(), abs=1e-5)
    assert torch.equal(signed.fills, torch.full_like(inputs, 0.5))
    torch.testing.assert_close(signed.at_all(0), inputs.flatten(1).sum(1)[source])
    assert signed.max_batch == PICTURES_AT_ONCE
    assert Perturbed.of(replace(task, max_batch=3), maps, source, ZeroBaseline(), "signed", generator).max_batch == 3
    rows = task_of(lambda x: x.sum(1), inputs[:, 0, 0])
    assert Perturbed.of(rows, rows.inputs, source[:2], ZeroBaseline(), "signed", generator).max_batch == ROWS_AT_ONCE
    noisy = Perturbed.of(task, maps, source, UniformNoise(4), "signed", torch.Generator().manual_seed(3))
    again = Perturbed.of(task, maps, source, UniformNoise(4), "signed", torch.Generator().manual_seed(3))
    assert torch.equal(noisy.fills, again.fills)
    with pytest.raises(ValueError, match="ranking=squared is unknown: signed or magnitude"):
        Perturbed.of(task, maps, source, ZeroBaseline(), "squared", generator)


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fills": torch.zeros(1, 3, HEIGHT, WIDTH)}, "one fill an input"),
        ({"importance": torch.zeros(6, PIXELS + 1)}, r"importance \(6, 21\) does not fit 20 players: one value each"),
        ({"input_of_rank": torch.zeros(5, dtype=torch.long)}, "one input each"),
        ({"input_of_rank": torch.full((6,), 3)}, r"input_of_rank must lie in 0\.\.2, got 3\.\.3"),
        ({"max_batch": 0}, "max_batch must be at least 1"),
        ({"score": lambda pictures, source: pictures[:, 0, 0]}, "one value each"),
        ({"importance": torch.full((6, PIXELS), math.nan)}, "120 are NaN"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_what_does_not_fit(perturbed: Perturbed, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(perturbed, **changes).scores(torch.tensor([0, 1]), torch.tensor([2, 3]))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
@pytest.mark.parametrize(
    ("ranking", "counts", "message"),
    [
        ([0], [2, 3], "same length"),
        ([], [], "same length"),
        ([0, 6], [2, 3], r"ranking must lie in 0\.\.5, got 0\.\.6"),
        ([0, 1], [-1, 21], r"counts must lie in 0\.\.20, got -1\.\.21"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_points_that_are_none(
    perturbed: Perturbed, ranking: list[int], counts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        perturbed.scores(torch.tensor(ranking), torch.tensor(counts))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_refuses_scores_that_are_not_finite(perturbed: Perturbed) -> None:
    def score(pictures: Tensor, source: Tensor) -> Tensor:
        return torch.where(source == 1, torch.nan, 1.0)

    with pytest.raises(ValueError, match="1 scores are not finite; the first with 4 players of ranking 3 absent"):
        replace(perturbed, score=score).scores(torch.tensor([0, 3]), torch.tensor([4, 4]))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_a_smaller_chunk_where_memory_runs_out(perturbed: Perturbed, network: Score) -> None:
    seen: list[int] = []

    def hungry(pictures: Tensor, source: Tensor) -> Tensor:
        seen.append(len(pictures))
        if len(pictures) > 2:
            torch.empty(2**60, dtype=torch.uint8)  # more than there is anywhere
        return network(pictures, source)

    wanted = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1]), torch.tensor([2, 3, 4, 5, 6, 7, 8, 9])
    expected = replace(perturbed, max_batch=1).scores(*wanted)
    torch.testing.assert_close(replace(perturbed, score=hungry, max_batch=8).scores(*wanted), expected)
    assert seen == [8, 4, 2, 2, 2, 2]
