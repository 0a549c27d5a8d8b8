"""Ranks of pixels and scores of masked images, against loops over pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.perturbation import Score, nearest_count, perturbed_scores, pixel_ranks

N, HEIGHT, WIDTH = 3, 4, 5
PIXELS = HEIGHT * WIDTH
IMAGE_OF_RANK = [0, 2, 0, 1, 2, 2]


@dataclass(frozen=True)
class Setting:
    """Three images with two, one and three rankings."""

    images: Tensor
    fills: Tensor
    ranks: Tensor
    image_of_rank: Tensor

    def scores(
        self, score: Score, ranking: Tensor, counts: Tensor, keep: bool = False, max_batch: int = 1000
    ) -> Tensor:
        return perturbed_scores(
            score,
            self.images,
            self.fills,
            self.ranks,
            self.image_of_rank,
            ranking,
            counts,
            keep=keep,
            max_batch=max_batch,
        )

    def everything(self) -> tuple[Tensor, Tensor]:
        """Every count of every ranking, in no order."""
        pairs = torch.cartesian_prod(torch.arange(len(self.ranks)), torch.arange(PIXELS + 1))
        pairs = pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(3))]
        return pairs[:, 0].to(self.ranks.device), pairs[:, 1].to(self.ranks.device)


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
def setting(generator: torch.Generator, device: torch.device) -> Setting:
    images, fills = torch.rand(2, N, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    importance = torch.randn(len(IMAGE_OF_RANK), HEIGHT, WIDTH, generator=generator)
    tensors = (images, fills, pixel_ranks(importance), torch.tensor(IMAGE_OF_RANK))
    return Setting(*(tensor.to(device) for tensor in tensors))


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


def plain_ranks(importance: Tensor) -> list[int]:
    """Count for each pixel those that go before it."""
    values = importance.flatten().tolist()
    return [
        sum(other > value or (other == value and j < i) for j, other in enumerate(values))
        for i, value in enumerate(values)
    ]


def plain_picture(setting: Setting, ranking: int, count: int, keep: bool) -> np.ndarray:
    i = IMAGE_OF_RANK[ranking]
    image, fill = setting.images[i].cpu().numpy(), setting.fills[i].cpu().numpy()
    picture = (fill if keep else image).copy()
    ranks = setting.ranks[ranking].cpu()
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if ranks[row, column] < count:
                picture[:, row, column] = (image if keep else fill)[:, row, column]
    return picture


MAPS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "random": lambda g: torch.randn(3, 5, 7, generator=g),
    "few levels": lambda g: torch.randint(-1, 2, (3, 5, 7), generator=g).float(),
    "constant": lambda g: torch.zeros(2, 5, 7),
    "signed zeros": lambda g: torch.tensor([[[0.0, -0.0, 0.0], [-0.0, 1.0, -1.0]]]),
    "infinite": lambda g: torch.tensor([[[0.0, math.inf, -math.inf, math.inf]]]),
    "one pixel": lambda g: torch.randn(4, 1, 1, generator=g),
    "float64": lambda g: 1 + 1e-12 * torch.randn(2, 3, 4, generator=g, dtype=torch.float64),
}


@pytest.mark.parametrize("name", MAPS)
def test_ranks(name: str, generator: torch.Generator, device: torch.device) -> None:
    importance = MAPS[name](generator)
    ranks = pixel_ranks(importance.to(device))
    assert ranks.dtype == torch.int32
    assert ranks.flatten(1).tolist() == [plain_ranks(each) for each in importance]


def test_ranks_of_many_equal_pixels_keep_their_order(device: torch.device) -> None:
    assert torch.equal(pixel_ranks(torch.zeros(224, 224, device=device)).flatten().cpu(), torch.arange(224**2).int())


def test_ranks_of_any_batch(generator: torch.Generator) -> None:
    importance = torch.randn(2, 3, 4, 5, generator=generator)
    assert torch.equal(pixel_ranks(importance)[1, 2], pixel_ranks(importance[1, 2]))


def test_refuses_to_rank_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="but 2 are NaN"):
        pixel_ranks(torch.tensor([[[0.0, math.nan, math.nan]]]))


def test_nearest_count() -> None:
    for pixels in (1, 2, 7, 50, 50176):
        part = torch.arange(101)
        expected = [math.floor(Fraction(pixels * k, 100) + Fraction(1, 2)) for k in range(101)]
        assert nearest_count(torch.full_like(part, pixels), part, 100).tolist() == expected


@pytest.mark.parametrize("keep", [False, True])
def test_scores_are_those_of_a_loop(setting: Setting, network: Score, keep: bool) -> None:
    ranking, counts = setting.everything()
    scores = setting.scores(network, ranking, counts, keep, max_batch=7)
    for score, r, count in zip(scores.tolist(), ranking.tolist(), counts.tolist(), strict=True):
        picture = torch.from_numpy(plain_picture(setting, r, count, keep)).to(setting.images)
        expected = network(picture[None], setting.image_of_rank[r, None]).detach()
        assert score == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("max_batch", [1, 2, 13])
def test_scores_do_not_depend_on_the_batch(setting: Setting, network: Score, keep: bool, max_batch: int) -> None:
    ranking, counts = setting.everything()
    scores = setting.scores(network, ranking, counts, keep, max_batch)
    torch.testing.assert_close(scores, setting.scores(network, ranking, counts, keep))
    assert torch.equal(scores, setting.scores(network, ranking, counts, keep, max_batch))


def test_keeping_the_most_important_is_masking_the_least(setting: Setting, network: Score) -> None:
    ranking, counts = setting.everything()
    turned = Setting(setting.images, setting.fills, PIXELS - 1 - setting.ranks, setting.image_of_rank)
    kept = setting.scores(network, ranking, counts, keep=True)
    torch.testing.assert_close(kept, turned.scores(network, ranking, PIXELS - counts))
    swapped = Setting(setting.fills, setting.images, setting.ranks, setting.image_of_rank)
    torch.testing.assert_close(kept, swapped.scores(network, ranking, counts))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
@pytest.mark.parametrize("keep", [False, True])
def test_equal_pictures_are_scored_once(setting: Setting, network: Score, keep: bool) -> None:
    ranking, counts = setting.everything()
    recorder = Recorder(network)
    scores = setting.scores(recorder, ranking.repeat(2), counts.repeat(2), keep, max_batch=8)
    # Every count between none and all for each ranking, and both ends for each image.
    assert len(recorder.pictures) == len(set(recorder.pictures)) == len(IMAGE_OF_RANK) * (PIXELS - 1) + 2 * N
    assert max(recorder.sizes) == 8
    assert torch.equal(scores[: len(ranking)], scores[len(ranking) :])


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_images_without_a_wanted_score_are_left_alone(setting: Setting, network: Score) -> None:
    recorder = Recorder(network)
    wanted = torch.tensor([4, 1, 5])
    scores = setting.scores(recorder, wanted, torch.zeros_like(wanted))
    assert recorder.sizes == [1]
    torch.testing.assert_close(scores, network(setting.images[[2]], torch.tensor([2])).expand(3))


def test_the_graph_is_not_kept(setting: Setting, network: Score) -> None:
    images = setting.images.clone().requires_grad_()
    tracked = Setting(images, setting.fills, setting.ranks, setting.image_of_rank)
    assert not tracked.scores(network, *setting.everything()).requires_grad


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fills": torch.zeros(1, 3, HEIGHT, WIDTH)}, "one fill an image"),
        ({"ranks": torch.zeros(6, WIDTH, HEIGHT, dtype=torch.int32)}, "one rank a pixel"),
        ({"image_of_rank": torch.zeros(5, dtype=torch.long)}, "one image each"),
        ({"image_of_rank": torch.full((6,), 3)}, r"image_of_rank must lie in 0\.\.2, got 3\.\.3"),
        ({"ranking": torch.tensor([0])}, "same length"),
        ({"ranking": torch.tensor([0, 6])}, r"ranking must lie in 0\.\.5, got 0\.\.6"),
        ({"counts": torch.tensor([-1, 21])}, r"counts must lie in 0\.\.20, got -1\.\.21"),
        ({"max_batch": 0}, "max_batch must be at least 1"),
        ({"score": lambda pictures, source: pictures[:, 0, 0]}, "one value each"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_what_does_not_fit(setting: Setting, network: Score, changes: dict[str, Tensor], message: str) -> None:
    arguments = {
        "score": network,
        "ranking": torch.tensor([0, 1]),
        "counts": torch.tensor([2, 3]),
        "max_batch": 4,
        **vars(setting),
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        perturbed_scores(**arguments)


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_refuses_scores_that_are_not_finite(setting: Setting) -> None:
    def score(pictures: Tensor, source: Tensor) -> Tensor:
        return torch.where(source == 1, torch.nan, 1.0)

    with pytest.raises(ValueError, match="1 scores are not finite; the first with 4 pixels of ranking 3"):
        setting.scores(score, torch.tensor([0, 3]), torch.tensor([4, 4]))


@pytest.mark.parametrize("device", ["cpu"], indirect=True)
def test_a_smaller_chunk_where_memory_runs_out(setting: Setting, network: Score) -> None:
    seen: list[int] = []

    def hungry(pictures: Tensor, source: Tensor) -> Tensor:
        seen.append(len(pictures))
        if len(pictures) > 2:
            torch.empty(2**60, dtype=torch.uint8)  # more than there is anywhere
        return network(pictures, source)

    ranking, counts = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1]), torch.tensor([2, 3, 4, 5, 6, 7, 8, 9])
    given = {"ranking": ranking, "counts": counts, **vars(setting)}
    expected = perturbed_scores(network, max_batch=1, **given)
    torch.testing.assert_close(perturbed_scores(hungry, max_batch=8, **given), expected)
    assert seen == [8, 4, 2, 2, 2, 2]
