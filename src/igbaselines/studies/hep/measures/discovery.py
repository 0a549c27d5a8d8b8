"""Discovery significance of a cut on the output, with its Monte Carlo error (2412.13864, Figure 2b).

The background behind the cut is estimated from events that the network was not trained on. Each network's
test part stands for the whole sample; the estimates of several networks are averaged, and an event that
several of them scored counts once in the errors. Errors of the cross-sections, where they are known, come on top.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

EVENTS_IN_A_CHUNK = 20_000

Values = float | Float[np.ndarray, "..."]


def asimov_significance(signal: Values, background: Values) -> Float[np.ndarray, "..."]:
    """Median discovery significance sqrt(2 ((S + B) ln(1 + S/B) - S)) (Cowan et al. 2011, eq. 97).

    NaN where the expected background is not positive.
    """
    s, b = np.broadcast_arrays(np.asarray(signal, dtype=float), np.asarray(background, dtype=float))
    b = np.where(b > 0, b, np.nan)
    return np.asarray(np.sqrt(2 * np.maximum((s + b) * np.log1p(s / b) - s, 0)))


def asimov_significance_with_error(
    signal: Values, background: Values, background_error: Values
) -> Float[np.ndarray, "..."]:
    """Median discovery significance where the background is known up to an error (Cowan 2012, eq. 20).

    As if it came from an auxiliary count whose relative error is the same (Cowan et al. 2011, sec. 4.1.2):
    `asimov_significance` without an error, about S / sqrt(B + error^2) for little signal. NaN where the expected
    background is not positive.
    """
    s, b, error = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (signal, background, background_error)))
    b = np.where(b > 0, b, np.nan)
    variance = np.where(error > 0, error, np.nan) ** 2
    certain = (s + b) * np.log((s + b) * (b + variance) / (b**2 + (s + b) * variance))
    auxiliary = b**2 / variance * np.log1p(variance * s / (b * (b + variance)))
    return np.where(error > 0, np.sqrt(2 * np.maximum(certain - auxiliary, 0)), asimov_significance(s, b))


def asimov_error(
    signal: Values, background: Values, background_error: Values, signal_error: Values = 0.0
) -> Float[np.ndarray, "..."]:
    """Error of the significance that independent errors of signal and background cause, to first order."""
    s, b = np.asarray(signal, dtype=float), np.asarray(background, dtype=float)
    b = np.where(b > 0, b, np.nan)
    z = asimov_significance(s, b)
    z = np.where(z > 0, z, np.nan)
    of_background = np.abs(np.log1p(s / b) - s / b) / z * np.asarray(background_error, dtype=float)
    of_signal = np.log1p(s / b) / z * np.asarray(signal_error, dtype=float)
    return np.asarray(np.hypot(of_background, of_signal))


def effective_events(weight: Float[np.ndarray, " n"]) -> float:
    """Effective number of weighted events, (sum w)^2 / sum w^2: as many equal weights would fluctuate as much."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


@dataclass(frozen=True)
class CrossSections:
    """The selected cross-sections and how well they are known; errors of different processes are independent."""

    signal: float  # of the signal [fb]
    signal_error: float  # its relative error
    process: Int[np.ndarray, " n"]  # for each event of the table the index of its process
    process_error: Float[np.ndarray, " processes"]  # relative error of each process

    def factors(self, replicates: int, seed: int) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "r processes"]]:
        """Draw for each replicate what the signal's and each process's cross-section is multiplied by."""
        rng = np.random.default_rng((seed, 2))  # its own stream: without errors nothing else changes
        normal = rng.standard_normal((replicates, 1 + len(self.process_error)))
        factors = np.maximum(1 + normal * np.append(self.signal_error, self.process_error), 0)
        return factors[:, 0], factors[:, 1:]


@dataclass(frozen=True)
class Selected:
    """What one network's test part lets through, for every cut that is studied."""

    event: Int[np.ndarray, " b"]  # indices of the background events of the test part
    # cross-section [fb] that each stands for, scaled so that the test part stands for the whole sample
    weight: Float[np.ndarray, " b"]
    passes: Bool[np.ndarray, "b cuts"]  # whether each event lies behind each cut
    signal_efficiency: Float[np.ndarray, " cuts"]  # share of the test part's signal behind each cut


@dataclass(frozen=True)
class Significance:
    """The significance of each cut."""

    signal: Float[np.ndarray, " cuts"]  # expected signal events
    background: Float[np.ndarray, " cuts"]  # expected background events
    # effective number of simulated background events behind the cut, (sum w)^2 / sum w^2
    n_eff: Float[np.ndarray, " cuts"]
    value: Float[np.ndarray, " cuts"]  # Asimov significance
    # its error from the background's Monte Carlo statistics and the cross-sections
    mc_error: Float[np.ndarray, " cuts"]
    # Asimov significance where the background is uncertain: by Monte Carlo, cross-sections, and a share of itself
    with_error: Float[np.ndarray, " cuts"]
    # its bootstrap replicates over background events, networks and cross-sections
    replicates: Float[np.ndarray, "replicates cuts"]


def pooled_significance(
    parts: list[Selected],
    cross_sections: CrossSections,
    luminosity: float,
    replicates: int,
    seed: int,
    background_error: float = 0.0,
) -> Significance:
    """Pool the test parts of several networks, at an integrated luminosity [1/fb].

    `background_error` is what else is not known of the background, as a share of it.

    Each bootstrap replicate resamples networks with replacement, background events by Poisson weights and
    cross-sections by normal factors not below 0, the same for every cut, so that differences between cuts are paired.
    """
    events, sums = _sums_over_networks(parts)
    process = cross_sections.process[events]
    background = luminosity * sums.sum(axis=0)
    squares = luminosity**2 * (sums**2).sum(axis=0)
    n_eff = np.divide(background**2, squares, out=np.zeros_like(background), where=squares > 0)
    efficiency = np.stack([part.signal_efficiency for part in parts])
    signal = luminosity * cross_sections.signal * efficiency.mean(axis=0)
    by_process = luminosity * np.stack(
        [sums[process == p].sum(axis=0) for p in range(len(cross_sections.process_error))]
    )
    variance = squares + (cross_sections.process_error**2) @ by_process**2

    rng = np.random.default_rng((seed, 1))  # not the stream of the splits
    draws = rng.multinomial(len(parts), np.full(len(parts), 1 / len(parts)), size=replicates) / len(parts)
    signal_factor, process_factor = cross_sections.factors(replicates, seed)
    resampled = _resampled_backgrounds(parts, events, process, draws, process_factor, rng)
    resampled_signal = luminosity * cross_sections.signal * draws @ efficiency * signal_factor[:, None]
    return Significance(
        signal=signal,
        background=background,
        n_eff=n_eff,
        value=asimov_significance(signal, background),
        mc_error=asimov_error(signal, background, np.sqrt(variance), cross_sections.signal_error * signal),
        with_error=asimov_significance_with_error(
            signal, background, np.sqrt(variance + (background_error * background) ** 2)
        ),
        replicates=asimov_significance(resampled_signal, luminosity * resampled),
    )


def _sums_over_networks(parts: list[Selected]) -> tuple[np.ndarray, np.ndarray]:
    """Events that pass anywhere, and what each adds to the background of each cut [fb] on average."""
    passing = [part.event[part.passes.any(axis=1)] for part in parts]
    events = np.unique(np.concatenate(passing))
    sums = np.zeros((len(events), parts[0].passes.shape[1]))
    for part in parts:
        rows, at = _locate(part, events)
        sums[at] += part.passes[rows] * part.weight[rows, None] / len(parts)
    return events, sums


def _resampled_backgrounds(
    parts: list[Selected],
    events: Int[np.ndarray, " e"],
    process: Int[np.ndarray, " e"],
    draws: Float[np.ndarray, "replicates networks"],
    factors: Float[np.ndarray, "replicates processes"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "replicates cuts"]:
    """Background of each cut [fb] in each replicate."""
    total = np.zeros((len(draws), parts[0].passes.shape[1]))
    located = [_locate(part, events) for part in parts]
    for start in range(0, len(events), EVENTS_IN_A_CHUNK):
        stop = min(start + EVENTS_IN_A_CHUNK, len(events))
        counts = rng.poisson(1.0, size=(len(draws), stop - start)) * factors[:, process[start:stop]]
        for network, (part, (rows, at)) in enumerate(zip(parts, located, strict=True)):
            here = (at >= start) & (at < stop)
            passing = part.passes[rows[here]] * part.weight[rows[here], None]
            total += draws[:, network, None] * (counts[:, at[here] - start] @ passing)
    return total


def _locate(part: Selected, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a part whose events are among the (sorted) events, and where they stand there."""
    rows = np.flatnonzero(np.isin(part.event, events))
    return rows, np.searchsorted(events, part.event[rows])
