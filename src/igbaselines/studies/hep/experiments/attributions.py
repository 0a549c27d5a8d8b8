"""Class-level attributions of a ranking network for every baseline of 2412.13864."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution import Attribution, path_attribution
from igbaselines.common.randomness import generator_for
from igbaselines.common.stopping import stop_asked
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.models.inference import for_gradients
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.networks.dnn import Classifier, Probability
from igbaselines.studies.hep.networks.training import SECONDS_BETWEEN_CHECKPOINTS
from igbaselines.tasks import Background

GAP_QUANTILES = {"median": 0.5, "q95": 0.95, "max": 1.0}
BYTES_PER_CHUNK = 64 * 2**20


@dataclass(frozen=True)
class ClassAttribution:
    """Attributions averaged over the signal events, one row a method.

    Args:
        signed: mean attribution.
        magnitude: mean magnitude of the attribution of an event.
        gap: quantiles (GAP_QUANTILES) of |completeness gap| / |f(x) - f(x')| over events and baselines.
        gradient_points: on the paths from all baselines to all events.
        seconds: that it took, in all attempts together.
    """

    signed: Float[Tensor, "methods d"]
    magnitude: Float[Tensor, "methods d"]
    gap: Float[Tensor, "methods quantiles"]
    gradient_points: Int[Tensor, ""]
    seconds: Float[Tensor, ""]


def class_attribution(
    network: Classifier,
    signal: Float[Tensor, "n d"],
    reference: Background,
    settings: HepAttribution,
    key: tuple[int, ...],
    max_batch: int | None,
    checkpoint: Path,
    progress: Callable[[int], object],
    fast_paths: bool = True,
) -> ClassAttribution:
    """Attribute the output to the features, for every source of baselines at once.

    Sources that draw the same baselines share their Integrated Gradients: they differ in the weights alone.

    Args:
        network: the ranking network; it takes features in physical units.
        signal: the events to explain.
        reference: what baselines are made of.
        settings: output, rule and baselines.
        key: seeds the draws of baselines, the same for every source.
        max_batch: gradient points in one pass, or None.
        checkpoint: where the finished attribution is kept; beside it an unfinished one, from which it goes on after a
            kill.
        progress: called with the number of events done.
        fast_paths: whether the network is made for gradients first.
    """
    if (saved := _load(checkpoint, signal.device)) is not None:
        progress(len(signal))
        return ClassAttribution(**saved)
    baselines, weights = _all_baselines(settings, signal, reference, key)
    explained: nn.Module = Probability(network) if settings.output == "probability" else network
    # A module around it hides the stem and the closed form.
    explained = for_gradients(explained) if fast_paths else nn.Sequential(explained)
    unfinished = checkpoint.with_name(f"unfinished-{checkpoint.name}")
    sums = _Sums(signal, weights, _load(unfinished, signal.device))
    saved_at = time.monotonic()
    chunk = max(1, BYTES_PER_CHUNK // (baselines.numel() * baselines.element_size()))
    for start in range(sums.events, len(signal), chunk):
        result = path_attribution(
            explained,
            signal[start : start + chunk],
            baselines,
            rule=settings.rule,
            max_batch=max_batch,
            keep_per_baseline=True,
            generator=generator_for(*key, 1, start),
        )
        sums.add(result)
        if stop_asked() or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            save_tensors(unfinished, sums.state())
            saved_at = time.monotonic()
        progress(sums.events)
    attribution = sums.finished()
    save_tensors(checkpoint, vars(attribution))
    unfinished.unlink(missing_ok=True)
    return attribution


def _load(checkpoint: Path, device: torch.device) -> dict[str, Tensor] | None:
    """What was saved, but by a version that did not count gradient points: that is made anew."""
    saved = load_tensors(checkpoint, device)
    return saved if saved is not None and "gradient_points" in saved else None


class _Sums:
    """What the signal events explained so far add up to.

    Args:
        signal: all that are to be explained.
        weights: of each method over all baselines.
        state: what `state` returned in an attempt that was killed, or None.
    """

    def __init__(
        self, signal: Float[Tensor, "n d"], weights: Float[Tensor, "methods k"], state: dict[str, Tensor] | None
    ) -> None:
        self.weights = weights
        self.signed = signal.new_zeros(len(weights), signal.shape[1])
        self.magnitude = torch.zeros_like(self.signed)
        self.gaps = signal.new_empty(len(signal), weights.shape[1])
        self.gradient_points = torch.tensor(0, device=signal.device)
        self.events = 0
        self.start = time.monotonic()
        if state is not None:
            self.signed, self.magnitude = state["signed"], state["magnitude"]
            self.gradient_points = state["gradient_points"]
            self.events = len(state["gaps"])
            self.gaps[: self.events] = state["gaps"]
            self.start -= state["seconds"].item()

    def add(self, result: Attribution) -> None:
        """Take in a chunk of events."""
        assert result.per_baseline is not None
        assert result.gradients is not None
        of_methods = torch.einsum("mk,nkd->nmd", self.weights, result.per_baseline)
        self.signed += of_methods.sum(dim=0) / len(self.gaps)
        self.magnitude += of_methods.abs().sum(dim=0) / len(self.gaps)
        change = (result.f_inputs[:, None] - result.f_baselines).abs()
        gaps = result.completeness_gap.abs() / change.clamp_min(torch.finfo(change.dtype).tiny)
        self.gaps[self.events : self.events + len(gaps)] = gaps
        self.gradient_points = self.gradient_points + result.gradients.sum()
        self.events += len(gaps)

    def state(self) -> dict[str, Tensor]:
        """Everything that the rest of the sums depends on."""
        gaps = self.gaps[: self.events]
        return {
            "signed": self.signed,
            "magnitude": self.magnitude,
            "gaps": gaps,
            "gradient_points": self.gradient_points,
            "seconds": self._seconds(),
        }

    def finished(self) -> ClassAttribution:
        """The attribution, once all events have been taken in."""
        gap = _gap_quantiles(self.gaps, self.weights)
        return ClassAttribution(self.signed, self.magnitude, gap, self.gradient_points, self._seconds())

    def _seconds(self) -> Float[Tensor, ""]:
        return torch.tensor(time.monotonic() - self.start)


def _all_baselines(
    settings: HepAttribution, signal: Float[Tensor, "n d"], reference: Background, key: tuple[int, ...]
) -> tuple[Float[Tensor, "k d"], Float[Tensor, "methods k"]]:
    """The distinct sets of baselines behind one another, and the weights of each method over all of them."""
    sets: list[Tensor] = []
    drawn: list[tuple[int, Tensor]] = []
    for source in settings.baselines.values():
        baselines, weights = source.draw(signal, reference, generator_for(*key, 0))
        same = (index for index, known in enumerate(sets) if torch.equal(known, baselines))
        index = next(same, len(sets))
        if index == len(sets):
            sets.append(baselines)
        drawn.append((index, weights))
    starts = [sum(len(earlier) for earlier in sets[:index]) for index in range(len(sets))]
    together = torch.cat(sets)
    weights_of_all = together.new_zeros(len(drawn), len(together))
    for row, (index, weights) in enumerate(drawn):
        weights_of_all[row, starts[index] : starts[index] + len(weights)] = weights.to(together)
    return together, weights_of_all


def _gap_quantiles(gaps: Float[Tensor, "n k"], weights: Float[Tensor, "methods k"]) -> Tensor:
    # By sorting: torch.quantile refuses more than 16 million values.
    rows = []
    for used in weights > 0:
        ordered = gaps[:, used].flatten().sort().values
        rows.append([ordered[round(q * (len(ordered) - 1))].item() for q in GAP_QUANTILES.values()])
    return torch.tensor(rows, dtype=gaps.dtype, device=gaps.device)
