"""Scores of images whose most important pixels are masked: under deletion, insertion and D_alpha (2505.03201, 4.1).

A pixel is masked or kept with all its channels. One rule orders the pixels wherever they are ranked: the most important
first, and of equals the one that comes first in row-major order.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.engine.chunking import halved, unless_memory_runs_out

# Score of each picture's class; the second argument says which image (0..n-1) each picture is made from.
Score = Callable[[Float[Tensor, "m c h w"], Int[Tensor, " m"]], Float[Tensor, " m"]]


def pixel_ranks(importance: Float[Tensor, "*batch h w"]) -> Int[Tensor, "*batch h w"]:
    """Rank the pixels of each map: 0 is the most important one, h * w - 1 the least.

    Args:
        importance: one value a pixel, higher is more important.

    Returns:
        Ranks, int32. Of equal pixels the one that comes first in row-major order ranks first.

    Raises:
        ValueError: where an importance is NaN and so has no place in any order.
    """
    if torch.isnan(importance).any():
        raise ValueError(f"importance must be a number at every pixel, but {int(importance.isnan().sum())} are NaN")
    # Adding zero turns -0.0 into 0.0, which a radix sort (CUDA) may tell apart.
    flat = importance.flatten(-2) + 0.0
    order = flat.argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(flat.shape[-1], dtype=torch.int32, device=flat.device).expand_as(order)
    return torch.empty_like(order, dtype=torch.int32).scatter_(-1, order, places).reshape(importance.shape)


def nearest_count(pixels: Int[Tensor, "*shape"], part: Int[Tensor, "*shape"], whole: int) -> Int[Tensor, "*shape"]:
    """Return pixels * part / whole rounded to the nearest integer, halves up, in integer arithmetic."""
    return (2 * pixels * part + whole) // (2 * whole)


def perturbed_scores(
    score: Score,
    images: Float[Tensor, "n c h w"],
    fills: Float[Tensor, "n c h w"],
    ranks: Int[Tensor, "r h w"],
    image_of_rank: Int[Tensor, " r"],
    ranking: Int[Tensor, " m"],
    counts: Int[Tensor, " m"],
    *,
    keep: bool = False,
    max_batch: int,
) -> Float[Tensor, " m"]:
    """Score images in which the most important pixels are masked, or in which only those are kept.

    Pictures are made and scored max_batch at a time without a graph: memory does not grow with m, and the values do
    not depend on max_batch beyond the network's own rounding. Equal pictures are scored once: the same pixels of the
    same ranking, and whatever the ranking an image of which none or all is masked.

    Args:
        score: the scored output.
        images: pixels in [0, 1].
        fills: what masked pixels become in each image (`masking`).
        ranks: rankings of pixels (`pixel_ranks`).
        image_of_rank: the image that each ranking belongs to.
        ranking: for each wanted score its ranking.
        counts: for each wanted score the number of most important pixels that are masked, 0..h * w.
        keep: keep these pixels and mask the others (insertion).
        max_batch: the largest number of pictures at once.

    Returns:
        The scores, in the dtype of `score`.

    Raises:
        ValueError: where shapes, indices or counts do not fit, or where a score is not finite.
    """
    _check(images, fills, ranks, image_of_rank, ranking, counts, max_batch)
    ranking, counts, inverse = _distinct(ranking, counts, image_of_rank, len(images), ranks[0].numel())
    scores: list[Tensor] = []
    done = 0
    while done < len(counts):
        chunk = slice(done, done + max_batch)
        pictures = (images, fills, ranks, image_of_rank, ranking[chunk], counts[chunk])
        some = unless_memory_runs_out(_score_chunk, score, *pictures, keep)
        if some is None:  # memory ran out: halve the chunk and take it again
            max_batch = halved(len(counts[chunk]), "picture")
            continue
        scores.append(some)
        done += len(some)
    distinct_scores = torch.cat(scores)
    _check_finite(torch.isfinite(distinct_scores), ranking, counts)
    return distinct_scores[inverse]


def _score_chunk(
    score: Score,
    images: Tensor,
    fills: Tensor,
    ranks: Tensor,
    image_of_rank: Tensor,
    ranking: Int[Tensor, " m"],
    counts: Int[Tensor, " m"],
    keep: bool,
) -> Float[Tensor, " m"]:
    """Make and score some pictures."""
    with torch.no_grad():
        source = image_of_rank[ranking].long()
        top = ranks[ranking] < counts[:, None, None]
        pictures = torch.where((~top if keep else top)[:, None], fills[source], images[source])
        values = score(pictures, source)
    if values.shape != source.shape:
        raise ValueError(f"score returned {tuple(values.shape)} for {len(source)} pictures: one value each")
    return values


def _distinct(
    ranking: Int[Tensor, " m"], counts: Int[Tensor, " m"], image_of_rank: Int[Tensor, " r"], n: int, pixels: int
) -> tuple[Int[Tensor, " d"], Int[Tensor, " d"], Int[Tensor, " m"]]:
    """The distinct pictures as rankings and counts, and for each wanted score the index of its picture."""
    rankings, source = torch.arange(len(image_of_rank), device=ranking.device), image_of_rank.long()
    # The unmasked and the fully masked image stand under the first ranking of their image, whoever asks for them.
    first = torch.full((n,), len(rankings), device=ranking.device).scatter_reduce(0, source, rankings, "amin")
    is_end = (counts == 0) | (counts == pixels)
    shared = torch.where(is_end, first[source[ranking]], ranking)
    key, inverse = torch.unique(shared * (pixels + 1) + counts, return_inverse=True)
    return key // (pixels + 1), key % (pixels + 1), inverse


def _check(
    images: Tensor, fills: Tensor, ranks: Tensor, image_of_rank: Tensor, ranking: Tensor, counts: Tensor, max_batch: int
) -> None:
    if fills.shape != images.shape:
        raise ValueError(f"fills {tuple(fills.shape)} do not fit images {tuple(images.shape)}: one fill an image")
    if ranks.shape[1:] != images.shape[2:]:
        raise ValueError(f"ranks {tuple(ranks.shape)} do not fit images {tuple(images.shape)}: one rank a pixel")
    if image_of_rank.shape != ranks.shape[:1]:
        raise ValueError(
            f"image_of_rank {tuple(image_of_rank.shape)} does not fit {len(ranks)} rankings: one image each"
        )
    if ranking.shape != counts.shape or len(counts) == 0:
        raise ValueError(
            f"ranking {tuple(ranking.shape)} and counts {tuple(counts.shape)} name the pictures: same length"
        )
    if max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}")
    for name, values, most in (
        ("image_of_rank", image_of_rank, len(images) - 1),
        ("ranking", ranking, len(ranks) - 1),
        ("counts", counts, ranks[0].numel()),
    ):
        if int(values.min()) < 0 or int(values.max()) > most:
            raise ValueError(f"{name} must lie in 0..{most}, got {int(values.min())}..{int(values.max())}")


def _check_finite(finite: Bool[Tensor, " d"], ranking: Int[Tensor, " d"], counts: Int[Tensor, " d"]) -> None:
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        raise ValueError(
            f"{int((~finite).sum())} scores are not finite; the first with {int(counts[bad])} pixels "
            f"of ranking {int(ranking[bad])}"
        )
