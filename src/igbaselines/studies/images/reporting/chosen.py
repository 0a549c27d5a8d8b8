"""What a baseline is worth to an image that was chosen by all others: the images have the choice in common."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE, require_finite
from igbaselines.reporting.statistics.resampling import BLOCK, SEED
from igbaselines.reporting.statistics.verdicts import Estimate

REPLICATES = 1000  # for a standard error these are many


def chosen_by_others(
    values: Float[np.ndarray, "images baselines"], counts: Float[np.ndarray, "b images"] | None = None
) -> Int[np.ndarray, "b images"]:
    """For each image the baseline that is best on average over all others; more is better.

    `counts` says how often an image stands in each of several samples: copies of an image are none of its others.
    """
    counts = np.ones((1, len(values))) if counts is None else counts
    others = (counts @ values)[:, None, :] - counts[:, :, None] * values
    return np.asarray(others.argmax(axis=2))


def over_choices(
    values: Float[np.ndarray, "images baselines"],
    worth: Callable[[Int[np.ndarray, "b images"]], Float[np.ndarray, "b images"]],
    threshold: float | None,
) -> Estimate:
    """Estimate the mean over images of what the baseline is worth that all others choose.

    Images are no independent units here, since nearly the same ones choose for all of them: Student's t over images
    covers 80 to 90 %. The standard error is that of a bootstrap that chooses anew in every sample, which covers 97 to
    99 % of normal values: too much rather than too little.

    Args:
        values: of each image by each baseline, more is better.
        worth: what the chosen baselines, one an image, are worth to the images.
        threshold: the null hypothesis of the two-sided test; None: no test.

    Raises:
        NotTestable: for missing values, or fewer than two images.
        Undecided: for fewer than six.
    """
    require_finite(values)
    n = len(values)
    paired.require_several(n)
    value = float(worth(chosen_by_others(values)).mean())
    generator, block = np.random.default_rng(SEED), max(1, BLOCK // values.size)
    sizes = [min(block, REPLICATES - start) for start in range(0, REPLICATES, block)]
    means = []
    for size in sizes:
        counts = generator.multinomial(n, np.full(n, 1 / n), size=size).astype(float)
        means.append((counts * worth(chosen_by_others(values, counts))).sum(axis=1) / n)
    error = float(np.concatenate(means).std(ddof=1))
    reach = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    p_value = None
    if threshold is not None:
        p_value = float(2 * stats.t.sf(abs(value - threshold) / error, n - 1)) if error else float(value == threshold)
    test = f"t-interval, standard error of a bootstrap over {n} images that chooses anew"
    return Estimate(value, value - reach, value + reach, n, p_value, test, all_agree=error == 0)
