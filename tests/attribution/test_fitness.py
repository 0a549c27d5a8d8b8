"""D_alpha: the searches against bisection, plain loops and every count there is."""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import fitness
from igbaselines.attribution.baselines import MeanExample, ZeroBaseline
from igbaselines.attribution.engine.result import MinimalDeletion
from igbaselines.attribution.fitness import (
    BinarySearch,
    DeletionSearch,
    FirstCrossing,
    Fitness,
    ReleasedSearch,
)
from igbaselines.attribution.perturbation import Perturbed
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Pixels, PlayerMap, Players, Score
from tests.small_tasks import task_of


@dataclass
class Table:
    """Scores that are looked up: values[i, k] for image i without k pixels, where images are white and fills black."""

    values: Tensor
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, pictures: Tensor, source: Tensor) -> Tensor:
        masked = (pictures[:, 0] == 0).sum(dim=(1, 2))
        self.asked += zip(source.tolist(), masked.tolist(), strict=True)
        return self.values[source, masked]


def search_table(search: DeletionSearch, table: Table, max_batch: int = 50) -> MinimalDeletion:
    """One ranking for each row of the table, on images of one row of pixels."""
    n, pixels = len(table.values), table.values.shape[1] - 1
    importance = torch.rand(n, pixels, generator=torch.Generator().manual_seed(5))
    return search.minimal_deletion(white_pictures(table, importance, max_batch))


def white_pictures(score: Score, importance: Tensor, max_batch: int) -> Perturbed:
    """White images of one row of pixels on black, with one ranking each."""
    n, pixels = importance.shape
    white = torch.ones(n, 3, 1, pixels)
    players = PlayerMap(Pixels(), white.shape[1:], white.device)
    return Perturbed(score, white, torch.zeros_like(white), players, importance, torch.arange(n), max_batch)


def exhaustive_minimal_deletion(perturbed: Perturbed, alpha: float = 0.5) -> MinimalDeletion:
    """D_alpha by its definition: the least count of all, at least 1, with a score at or under alpha f(x)."""
    f_inputs = perturbed.at_all(0)
    curves = torch.stack([perturbed.at_all(count) for count in range(1, perturbed.players.count + 1)], dim=1)
    under = (curves <= alpha * f_inputs[:, None]) & (f_inputs > 0)[:, None]
    reached = under.any(dim=1)
    least = under.int().argmax(dim=1) + 1
    d_alpha = torch.where(reached, least, torch.where(f_inputs > 0, perturbed.players.count, 1))
    scored = torch.full_like(d_alpha, perturbed.players.count + 1)
    return MinimalDeletion(d_alpha, curves.gather(1, d_alpha[:, None] - 1)[:, 0], reached, scored)


def released_loop(scores: list[float], alpha: float, tolerance: float, max_iterations: int) -> tuple[int, float]:
    """The released code's search, for scores[k] without k pixels; none of them is all of them."""
    low, high, iterations = 0, len(scores) - 1, 0
    middle, score = -1, math.nan
    while high > low and iterations < max_iterations:
        iterations += 1
        middle = int((low + high) / 2)
        score = scores[middle] if middle else scores[-1]
        if abs(score - alpha * scores[0]) < tolerance:
            break
        if score > alpha * scores[0]:
            low = middle
        else:
            high = middle
    return middle, score


def falling(generator: torch.Generator, rows: int = 200, pixels: int = 37) -> Tensor:
    """Scores that fall from count to count, each in its own way."""
    steps = torch.rand(rows, pixels + 1, generator=generator, dtype=torch.float64) ** 4
    left = steps.flip(1).cumsum(1).flip(1)
    return left / left[:, :1]


@pytest.mark.parametrize("sections", [2, 3, 6, 40])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_binary_search_is_bisection(generator: torch.Generator, alpha: float, sections: int) -> None:
    values = falling(generator)
    found = search_table(BinarySearch(alpha, tolerance=0.0, sections=sections), Table(values))
    for row, d_alpha, score in zip(values.tolist(), found.d_alpha.tolist(), found.score.tolist(), strict=True):
        first = bisect.bisect_left(row, -alpha * row[0], lo=1, key=lambda value: -value)
        assert d_alpha == min(first, len(row) - 1)
        assert score == row[d_alpha]
    assert torch.equal(found.reached, values[:, -1] <= alpha)


@pytest.mark.parametrize("sections", [2, 5])
@pytest.mark.parametrize("tolerance", [0.001, 0.005, 0.05, 0.3])
def test_binary_search_ends_within_the_tolerance(generator: torch.Generator, tolerance: float, sections: int) -> None:
    values = falling(generator)
    found = search_table(BinarySearch(tolerance=tolerance, sections=sections), Table(values))
    exact = search_table(BinarySearch(tolerance=0.0), Table(values))
    near = (found.score - 0.5).abs() < tolerance
    assert torch.all(near | (found.d_alpha == exact.d_alpha))
    assert near.any()
    assert torch.all(found.reached)


@pytest.mark.parametrize("sections", [2, 4])
def test_binary_search_of_scores_that_rise_and_fall(generator: torch.Generator, sections: int) -> None:
    values = torch.rand(300, 24, generator=generator, dtype=torch.float64)
    found = search_table(BinarySearch(tolerance=0.0, sections=sections), Table(values))
    target = values[:, 0] / 2
    assert torch.equal(found.reached, values[:, -1] <= target)
    d_alpha = found.d_alpha[found.reached]
    assert torch.all(found.score[found.reached] <= target[found.reached])
    # Not the least count of all, but a crossing: one pixel fewer leaves the score over the target.
    assert torch.all((d_alpha == 1) | (values[found.reached, d_alpha - 1] > target[found.reached]))
    assert torch.all(found.d_alpha[~found.reached] == 23)


def test_a_section_for_each_pixel_finds_the_least_count_of_all(generator: torch.Generator) -> None:
    values = torch.rand(300, 24, generator=generator, dtype=torch.float64)
    values[:, -1] = 0  # masking everything does
    found = search_table(BinarySearch(tolerance=0.0, sections=23), Table(values))
    least = [next(k for k in range(1, 24) if row[k] <= row[0] / 2) for row in values.tolist()]
    assert found.d_alpha.tolist() == least
    # Fewer sections see fewer crossings, and so can only be later.
    fewer = search_table(BinarySearch(tolerance=0.0, sections=2), Table(values)).d_alpha
    assert torch.all(fewer >= found.d_alpha)
    assert torch.any(fewer > found.d_alpha)


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_first_crossing_is_the_least_count_of_all(
    generator: torch.Generator, alpha: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of scores that rise and fall, and of inputs whose score is not positive."""
    monkeypatch.setattr(fitness, "BLOCK", block)
    values = torch.rand(300, 24, generator=generator, dtype=torch.float64)
    values[:40, 1:] += values[:40, :1]  # never reached
    values[40:60, 0] *= -1
    values[60] = 0
    found = search_table(FirstCrossing(alpha, tolerance=0.0), Table(values))
    for row, d_alpha, score, reached in zip(
        values.tolist(), found.d_alpha.tolist(), found.score.tolist(), found.reached.tolist(), strict=True
    ):
        under = [count for count in range(1, 24) if row[count] <= alpha * row[0] and row[0] > 0]
        assert d_alpha == (under[0] if under else 23 if row[0] > 0 else 1)
        assert score == row[d_alpha]
        assert reached == bool(under)
    ends = torch.where(found.d_alpha < 23, -(-found.d_alpha // block) * block, 22).clamp(max=22)
    ends[values[:, 0] <= 0] = 0
    assert torch.equal(found.scored, 2 + ends)  # with the block that crosses it is done
    assert not found.reached[:61].any()
    assert found.reached[61:].float().mean() > 0.5
    binary = search_table(BinarySearch(alpha, tolerance=0.0), Table(values))
    assert torch.all(binary.d_alpha >= found.d_alpha)
    assert torch.any(binary.d_alpha > found.d_alpha)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_first_crossing_of_falling_scores_is_that_of_the_binary_search(
    generator: torch.Generator, alpha: float
) -> None:
    values = falling(generator)
    first, binary = (search_table(kind(alpha, tolerance=0.0), Table(values)) for kind in (FirstCrossing, BinarySearch))
    for part in ("d_alpha", "score", "reached"):
        assert torch.equal(getattr(first, part), getattr(binary, part))


def test_the_first_count_within_the_tolerance_is_a_crossing() -> None:
    values = torch.tensor([[1.0, 0.9, 0.504, 0.9, 0.1], [1.0, 0.9, 0.506, 0.9, 0.1]], dtype=torch.float64)
    assert search_table(FirstCrossing(tolerance=0.005), Table(values)).d_alpha.tolist() == [2, 4]


@pytest.mark.parametrize("step", [2, 5, 30])
@pytest.mark.parametrize("block", [7, 64])
def test_a_larger_step_misses_what_lies_within_it_and_nothing_else(
    generator: torch.Generator, step: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a loop over every step-th count, and then over those before the first that crosses."""
    monkeypatch.setattr(fitness, "BLOCK", block)
    values = torch.rand(100, 24, generator=generator, dtype=torch.float64)
    values[:, 0] = 0.4  # crossings are rare, at or under 0.2
    found = search_table(FirstCrossing(tolerance=0.0, step=step), Table(values))
    looked = [*range(step, 22, step), 22, 23]
    for row, d_alpha, reached in zip(values.tolist(), found.d_alpha.tolist(), found.reached.tolist(), strict=True):
        coarse = next((count for count in looked if row[count] <= 0.2), None)
        last = max((count for count in looked if coarse is not None and count < coarse), default=0)
        assert reached == (coarse is not None)
        assert d_alpha == (23 if coarse is None else next(c for c in range(last + 1, 24) if row[c] <= 0.2))
    exact = search_table(FirstCrossing(tolerance=0.0), Table(values))
    assert torch.all(found.d_alpha >= exact.d_alpha)
    assert torch.any(found.d_alpha > exact.d_alpha)
    smooth = falling(generator, rows=20)
    for part in ("d_alpha", "score", "reached"):
        of_steps, of_all = (search_table(FirstCrossing(tolerance=0.0, step=each), Table(smooth)) for each in (step, 1))
        assert torch.equal(getattr(of_steps, part), getattr(of_all, part))


def test_a_step_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="step must be at least 1, got 0"):
        FirstCrossing(step=0)


SEARCHES = [BinarySearch(tolerance=0.0), BinarySearch(tolerance=0.0, sections=5), ReleasedSearch(tolerance=0.0)]
SEARCHES += [
    BinarySearch(tolerance=0.0, max_iterations=2),
    ReleasedSearch(max_iterations=3),
    FirstCrossing(),
    FirstCrossing(step=5),
]


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize("pixels", [1, 2, 37, 64])
def test_a_search_scores_no_more_than_it_says(search: DeletionSearch, pixels: int, generator: torch.Generator) -> None:
    rising = torch.rand(50, pixels + 1, generator=generator, dtype=torch.float64)
    values = torch.cat([rising, falling(generator, rows=50, pixels=pixels)])
    values[:, -1] = 0
    found = search_table(search, Table(values), max_batch=5000)
    assert int(found.scored.max()) <= search.most_scored(pixels)
    assert int(found.scored.max()) >= search.most_scored(pixels) - 1  # and hardly less


def test_with_a_tolerance_the_first_count_within_it_ends_the_search() -> None:
    values = torch.tensor([[1.0, 0.9, 0.9, 0.502, 0.9, 0.502, 0.1, 0.1, 0.0]], dtype=torch.float64)
    found = search_table(BinarySearch(tolerance=0.005, sections=8), Table(values))
    assert (int(found.d_alpha), float(found.score), bool(found.reached)) == (3, 0.502, True)


@pytest.mark.parametrize(("sections", "most"), [(2, 10), (4, 5), (10, 3), (1000, 1)])
def test_more_sections_take_fewer_rounds(generator: torch.Generator, sections: int, most: int) -> None:
    table = Table(falling(generator, rows=5, pixels=1000))
    passes = 0

    def score(pictures: Tensor, source: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        return table(pictures, source)

    search = BinarySearch(tolerance=0.0, sections=sections)
    found = search.minimal_deletion(white_pictures(score, torch.rand(5, 1000, generator=generator), 10_000))
    assert passes <= 2 + most  # the images, and everything masked
    assert len(table.asked) == len(set(table.asked))
    assert found.scored.tolist() == [sum(i == image for i, _ in table.asked) for image in range(5)]


def test_binary_search_scores_few_counts(generator: torch.Generator) -> None:
    table = Table(falling(generator, rows=5, pixels=1000))
    search_table(BinarySearch(tolerance=0.0), table)
    assert len(table.asked) == len(set(table.asked))
    for image in range(5):
        assert sum(i == image for i, _ in table.asked) <= 2 + math.ceil(math.log2(1000))


@pytest.mark.parametrize(
    "search",
    [
        BinarySearch(),
        BinarySearch(sections=7),
        ReleasedSearch(),
        ReleasedSearch(0.9),
        FirstCrossing(),
        FirstCrossing(step=4),
    ],
)
def test_scored_points_are_counted(search: DeletionSearch, generator: torch.Generator) -> None:
    table = Table(torch.cat([falling(generator, rows=20), torch.rand(20, 38, generator=generator).double()]))
    found = search_table(search, table)
    assert found.scored.tolist() == [sum(i == image for i, _ in table.asked) for image in range(40)]


@pytest.mark.parametrize(
    "search",
    [BinarySearch(tolerance=0.0), BinarySearch(), BinarySearch(sections=5), ReleasedSearch(), FirstCrossing(step=3)],
)
def test_searches_do_not_depend_on_the_batch(search: DeletionSearch, generator: torch.Generator) -> None:
    table = Table(falling(generator, rows=20))
    one, many = search_table(search, table, max_batch=1), search_table(search, table, max_batch=1000)
    assert torch.equal(one.d_alpha, many.d_alpha)
    assert torch.equal(one.score, many.score)


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_binary_search_out_of_iterations_keeps_what_is_known_to_do(iterations: int) -> None:
    table = Table(torch.tensor([[1.0, *[0.0] * 16], [*[1.0] * 16, 0.0]]))
    found = search_table(BinarySearch(max_iterations=iterations), table)
    assert found.d_alpha.tolist() == [16 // 2**iterations, 16]
    assert found.score.tolist() == [0, 0]
    assert found.reached.tolist() == [True, True]


EDGES = {
    # scores without 0, 1, 2, ... pixels: D_alpha, the score there, reached
    "masking everything does not do": ([0.8, 0.7, 0.6, 0.5], (3, 0.5, False)),
    "nor does it where some pixels would": ([0.8, 0.7, 0.1, 0.5], (3, 0.5, False)),
    "zero": ([0.0, 0.0, 0.0, 0.0], (1, 0.0, False)),
    "negative": ([-1.0, -2.0, -3.0, -4.0], (1, -2.0, False)),
    "negative, and then not": ([-1.0, 0.5, 0.4, -2.0], (1, 0.5, False)),
    "the first pixel does": ([0.8, 0.1, 0.0, 0.0], (1, 0.1, True)),
    "only all do": ([0.8, 0.8, 0.8, 0.2], (3, 0.2, True)),
    "exactly alpha": ([0.8, 0.6, 0.4, 0.2], (2, 0.4, True)),
    "one pixel does": ([0.8, 0.3], (1, 0.3, True)),
    "one pixel does not": ([0.8, 0.5], (1, 0.5, False)),
    "one pixel of nothing": ([0.0, 0.3], (1, 0.3, False)),
}


@pytest.mark.parametrize("sections", [2, 7])
@pytest.mark.parametrize("case", EDGES)
def test_binary_search_at_the_edges(case: str, sections: int) -> None:
    scores, expected = EDGES[case]
    values = torch.tensor([scores], dtype=torch.float64)
    found = search_table(BinarySearch(tolerance=0.0, sections=sections), Table(values))
    assert (int(found.d_alpha), float(found.score), bool(found.reached)) == expected


@pytest.mark.parametrize("case", sorted(set(EDGES) - {"nor does it where some pixels would"}))
def test_exhaustive_search_at_the_edges(case: str) -> None:
    scores, expected = EDGES[case]
    assert exhaustive(torch.tensor([scores], dtype=torch.float64)) == [expected]


def test_exhaustive_search_finds_the_least_count(generator: torch.Generator) -> None:
    values = torch.rand(100, 9, generator=generator, dtype=torch.float64)
    for row, found in zip(values.tolist(), exhaustive(values), strict=True):
        least = next((k for k in range(1, 9) if row[k] <= row[0] / 2), None)
        assert found == (least or 8, row[least or 8], least is not None)


def exhaustive(values: Tensor) -> list[tuple[int, float, bool]]:
    n, pixels = len(values), values.shape[1] - 1
    found = exhaustive_minimal_deletion(white_pictures(Table(values), torch.zeros(n, pixels), 50))
    assert found.scored.tolist() == [pixels + 1] * n
    return list(zip(found.d_alpha.tolist(), found.score.tolist(), found.reached.tolist(), strict=True))


def test_an_absolute_tolerance_ends_the_search_of_a_small_score_at_once() -> None:
    found = search_table(BinarySearch(), Table(torch.full((1, 41), 0.004)))
    assert (int(found.d_alpha), bool(found.reached)) == (20, True)


@pytest.mark.parametrize("tolerance", [0.0, 0.005, 0.1])
@pytest.mark.parametrize("max_iterations", [1, 2, 4, 5, 6, 7, 100])
@pytest.mark.parametrize("pixels", [1, 2, 3, 7, 16, 33])
def test_released_search_is_the_plain_loop(
    generator: torch.Generator, tolerance: float, max_iterations: int, pixels: int
) -> None:
    values = torch.cat([falling(generator, 60, pixels), torch.rand(60, pixels + 1, generator=generator).double()])
    found = search_table(ReleasedSearch(0.5, tolerance, max_iterations), Table(values))
    expected = [released_loop(row, 0.5, tolerance, max_iterations) for row in values.tolist()]
    assert list(zip(found.d_alpha.tolist(), found.score.tolist(), strict=True)) == expected
    near = (found.score - values[:, 0] / 2).abs() < tolerance
    assert torch.equal(found.reached, near | (found.score <= values[:, 0] / 2))


QUIRKS = {
    # scores without 0, 1, 2, ... pixels: D_alpha, the score there, reached; on 2 x 2 and 3 x 3 images
    # middle 2 is under, middle 1 is over: it stays at 1 for the other 98 steps, and 2 is never told.
    "never closes from below": ([1.0, 0.9, 0.3, 0.2, 0.1], (1, 0.9, False)),
    # middles 2 and 1 are under, and 0 is everything: under as well, and the bracket closes there.
    "none is everything, and under": ([1.0, 0.3, 0.2, 0.1, 0.0], (0, 0.0, True)),
    # the same, but everything is over: it stays at 0.
    "none is everything, and over": ([1.0, 0.3, 0.2, 0.1, 0.9], (0, 0.9, False)),
    # middles 2 and 3 are over: it stays at 3 and never looks at 4.
    "never looks at everything": ([1.0, 0.9, 0.8, 0.7, 0.1], (3, 0.7, False)),
    "within the tolerance from above": ([1.0, 0.9, 0.504, 0.2, 0.1], (2, 0.504, True)),
    # middles 4, 2, 3 are under, over, under; then 2 again.
    "goes back to the lower end": ([1.0, 0.9, 0.8, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.0], (2, 0.8, False)),
    "one pixel is everything": ([1.0, 0.1], (0, 0.1, True)),
    # Nothing to bring down, though the score is at its target all the time.
    "zero": ([0.0, 0.0, 0.0, 0.0, 0.0], (2, 0.0, False)),
}


@pytest.mark.parametrize("case", QUIRKS)
def test_quirks_of_the_released_search(case: str) -> None:
    scores, expected = QUIRKS[case]
    table = Table(torch.tensor([scores], dtype=torch.float64))
    found = search_table(ReleasedSearch(), table)
    assert (int(found.d_alpha), float(found.score), bool(found.reached)) == expected
    # It turns on the spot without scoring.
    assert len(table.asked) <= 5


def softplus_sum(height: int, width: int, device: torch.device) -> Score:
    """A score that falls with every pixel that goes black: weights and pixels are not negative."""
    weights = torch.rand(4, 3, height, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(
        device
    )

    def score(pictures: Tensor, source: Tensor) -> Tensor:
        bent = nn.functional.softplus((pictures * weights[source]).sum(dim=1) - 1)
        return bent.sum(dim=(1, 2)) - height * width * math.log1p(math.exp(-1))

    return score


@pytest.mark.parametrize("max_batch", [1, 100])
def test_searches_agree_on_a_network_that_falls(
    generator: torch.Generator, device: torch.device, max_batch: int
) -> None:
    images = torch.rand(4, 3, 5, 7, generator=generator, dtype=torch.float64).to(device)
    # One map follows the pixels' values and so needs few; others do not.
    importance = torch.cat([images.sum(dim=1), torch.randn(8, 5, 7, generator=generator).to(images)])
    perturbed = Perturbed(
        softplus_sum(5, 7, device),
        images,
        torch.zeros_like(images),
        PlayerMap(Pixels(), images.shape[1:], device),
        importance.flatten(1),
        torch.arange(12, device=device) % 4,
        max_batch,
    )
    exact = exhaustive_minimal_deletion(perturbed)
    found = BinarySearch(tolerance=0.0).minimal_deletion(perturbed)
    assert torch.equal(found.d_alpha, exact.d_alpha)
    sections = BinarySearch(tolerance=0.0, sections=5).minimal_deletion(perturbed)
    assert torch.equal(sections.d_alpha, exact.d_alpha)
    torch.testing.assert_close(found.score, exact.score)
    assert found.d_alpha[:4].double().mean() < found.d_alpha[4:].double().mean()
    assert torch.all(exact.reached & found.reached)
    # A score within the tolerance, or the bracket's lower end next to it.
    released = ReleasedSearch().minimal_deletion(perturbed)
    assert torch.all((released.d_alpha - exact.d_alpha).abs() <= 1)
    assert {tensor.device.type for tensor in vars(found).values()} == {"cpu"}  # the host decides


def test_a_networks_probability(make_cnn: Callable[..., nn.Module], generator: torch.Generator) -> None:
    model = make_cnn(3, classes=3)
    images = torch.rand(3, 2, 8, 8, generator=generator, dtype=torch.float64)

    def score(pictures: Tensor, source: Tensor) -> Tensor:
        probabilities: Tensor = model(3 * pictures).softmax(dim=1)
        return probabilities.gather(1, source[:, None])[:, 0]

    importance, source = torch.randn(6, 64, generator=generator), torch.tensor([0, 0, 1, 1, 2, 2])
    players = PlayerMap(Pixels(), images.shape[1:], images.device)
    perturbed = Perturbed(score, images, torch.zeros_like(images), players, importance, source, 16)
    found = BinarySearch(alpha=0.9, tolerance=0.0).minimal_deletion(perturbed)
    exact = exhaustive_minimal_deletion(perturbed, alpha=0.9)
    assert torch.all(exact.reached | ~found.reached)
    assert torch.all((found.d_alpha >= exact.d_alpha)[found.reached])
    assert found.reached.any()


@pytest.mark.parametrize("search", [BinarySearch, ReleasedSearch])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"alpha": 0.0}, "alpha is the share"),
        ({"alpha": 1.0}, "alpha is the share"),
        ({"alpha": math.nan}, "alpha is the share"),
        ({"tolerance": -0.1}, "tolerance is a distance"),
        ({"tolerance": math.nan}, "tolerance is a distance"),
        ({"max_iterations": 0}, "max_iterations must be at least 1"),
    ],
)
def test_refuses_settings_out_of_bounds(search: type, setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**setting)


def test_refuses_to_leave_a_bracket_in_one_piece() -> None:
    with pytest.raises(ValueError, match="sections must be at least 2, got 1"):
        BinarySearch(sections=1)


SHAPES: list[tuple[tuple[int, ...], Players]] = [
    ((9,), EachFeature()),
    ((9,), FeatureMask(torch.tensor([0, 1, 1, 2, 0, 3, 4, 4, 2]))),
    ((2, 5, 4), Patches(2, 2)),
    ((2, 3, 4), Pixels()),
]


@pytest.mark.parametrize("ranking", ["signed", "magnitude"])
@pytest.mark.parametrize(("shape", "players"), SHAPES, ids=str)
def test_d_alpha_counts_players_one_after_another(
    shape: tuple[int, ...], players: Players, ranking: str, generator: torch.Generator
) -> None:
    """Of a table as of pictures: every count of every pair is tried, in a plain loop over players."""
    inputs = 1 + torch.rand(4, *shape, generator=generator, dtype=torch.float64)
    slopes = torch.rand(shape, generator=generator, dtype=torch.float64)
    maps = torch.randn(4, 3, *shape, generator=generator, dtype=torch.float64)

    def f(points: Tensor) -> Tensor:
        return (points * slopes).flatten(1).sum(1) ** 2

    task = task_of(f, inputs, players=players, imputers={"mean": MeanExample(), "zero": ZeroBaseline()})
    fitness = Fitness(BinarySearch(alpha=0.4, tolerance=0.0), "zero", ranking)
    found = fitness.d_alpha(task, maps, generator)
    of_players = players.of(shape)
    for pair, (d_alpha, score) in enumerate(zip(found.d_alpha.tolist(), found.score.tolist(), strict=True)):
        x, values = inputs[pair // 3], maps[pair // 3, pair % 3]
        values = values if ranking == "signed" else values.abs()
        count = int(of_players.max()) + 1
        order = sorted(range(count), key=lambda player: -float(values[of_players == player].sum()))
        without, scores = x.clone(), []
        for player in order:
            without[of_players == player] = 0
            scores.append(float(f(without[None])))
        least = next(place for place, left in enumerate(scores, 1) if left <= 0.4 * float(f(x[None])))
        assert d_alpha == least
        assert score == pytest.approx(scores[least - 1])
    assert found.d_alpha.unique().numel() > 1


def test_fitness_follows_the_tasks_score(generator: torch.Generator) -> None:
    """A score of its own is followed, not the explained output; and each point says which input it is made from."""
    inputs = torch.rand(3, 6, generator=generator, dtype=torch.float64)
    asked: set[int] = set()

    def score(points: Tensor, source: Tensor) -> Tensor:
        asked.update(source.tolist())
        return 1 - (points == 0).double().mean(1)

    task = task_of(lambda points: points.sum(1), inputs, score=score)
    found = Fitness(BinarySearch(0.4, tolerance=0.0), ZeroBaseline()).d_alpha(task, inputs[:, None], generator)
    assert found.d_alpha.tolist() == [4, 4, 4]  # 2 of 6 left are the first under 0.4
    assert asked == {0, 1, 2}
