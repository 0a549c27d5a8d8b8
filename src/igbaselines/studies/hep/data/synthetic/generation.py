"""Chunks of synthetic events, in order, from one process or several workers.

A chunk is a fixed number of raw collisions with a random stream of its own, so that events do not depend on
how many workers there are or on how many events were asked for.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.generated import PROCESSES
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection
from igbaselines.studies.hep.data.synthetic.detector import Observed, least_parton_ht, observe
from igbaselines.studies.hep.data.synthetic.features import features
from igbaselines.studies.hep.data.synthetic.jets import largest_tag_probability
from igbaselines.studies.hep.data.synthetic.processes import CHAINS, generate

T = TypeVar("T")
_EVENTS, _CALIBRATION = 0, 1  # what a random stream is for
_FRUITLESS_CHUNKS = 40  # millions of collisions: if they give no event, more of them are no use


@dataclass(frozen=True)
class Recipe:
    """What a chunk of a process is made of."""

    name: str  # the process, a key of `CHAINS`
    pt_hat_min: float  # least transverse momentum of the collision's two bodies [GeV]
    detector: Detector
    selection: EventSelection
    reference: EventSelection  # a looser selection, whose cross-section is known
    seed: int  # seed of all processes

    def stream(self, purpose: int, chunk: int) -> np.random.Generator:
        """The random stream of a chunk."""
        key = self.seed, PROCESSES.index(self.name), purpose, chunk
        return np.random.default_rng(np.random.SeedSequence(key))

    def observed(self, rng: np.random.Generator, selection: EventSelection) -> Observed:
        """The collisions of a chunk that pass a selection."""
        chain = CHAINS[self.name]
        state = generate(rng, chain, self.pt_hat_min, least_parton_ht(selection))
        most_tag = largest_tag_probability(chain.flavours, self.detector.tag_probability())
        return observe(rng, state, self.detector, selection, most_tag)


@dataclass(frozen=True)
class Cutflow:
    """Cross-section of a process after the selection, from a count of raw collisions."""

    collisions: int  # raw collisions
    reference: int  # of these, events that pass the reference selection
    selected: int  # of these, events that pass the selection
    cross_section: float  # after the selection [fb]


def event_chunk(recipe: Recipe, chunk: int) -> Float32[np.ndarray, "n 87"]:
    """Features of the selected events of a chunk."""
    rng = recipe.stream(_EVENTS, chunk)
    return features(rng, recipe.observed(rng, recipe.selection)).astype(np.float32)


def calibration_chunk(recipe: Recipe, chunk: int) -> tuple[int, int]:
    """Events of a chunk that pass the reference selection, and the selection."""
    observed = recipe.observed(recipe.stream(_CALIBRATION, chunk), recipe.reference)
    return len(observed.met), int(observed.passes(recipe.selection).sum())


def calibrate(recipe: Recipe, cross_section: float, largest_error: float, chunks: Iterator[tuple[int, int]]) -> Cutflow:
    """Count raw collisions until the cross-section after the selection is known to within `largest_error`, relative.

    The cross-section [fb] that is given is that after the reference selection.

    Raises:
        UserError: if hardly any event passes the selection.
    """
    reference = selected = 0
    for number, (more_reference, more_selected) in enumerate(chunks, 1):
        reference, selected = reference + more_reference, selected + more_selected
        if selected and 1 / selected - 1 / reference <= largest_error**2:  # of a ratio of nested counts
            collisions = number * CHAINS[recipe.name].batch
            return Cutflow(collisions, reference, selected, cross_section * selected / reference)
        _check_fruitful(recipe, number, selected)
    raise AssertionError("chunks never end")


def collect(
    recipe: Recipe, events: int, chunks: Iterator[Float32[np.ndarray, "n 87"]]
) -> Iterator[Float32[np.ndarray, "n 87"]]:
    """Chunks of events until there are exactly so many; a UserError if hardly any event passes the selection."""
    missing = events
    for number, chunk in enumerate(chunks, 1):
        if len(chunk):
            yield chunk[:missing]
        missing -= len(chunk)
        if missing <= 0:
            return
        _check_fruitful(recipe, number, events - missing)


def _check_fruitful(recipe: Recipe, chunks: int, selected: int) -> None:
    if chunks >= _FRUITLESS_CHUNKS and selected == 0:
        collisions = chunks * CHAINS[recipe.name].batch
        raise UserError(f"process {recipe.name!r}: none of {collisions:,} collisions passes, loosen dataset.selection")


def in_order(make: Callable[[Recipe, int], T], recipe: Recipe, pool: Executor | None, workers: int) -> Iterator[T]:
    """Chunk 0, 1, 2, ... without an end; a pool works ahead."""
    chunk = given = 0
    ahead: deque[Future[T]] = deque()
    try:
        while True:
            if pool is None:
                yield make(recipe, chunk)
                chunk += 1
                continue
            while len(ahead) < min(workers + given, 2 * workers):
                ahead.append(pool.submit(make, recipe, chunk))
                chunk += 1
            yield ahead.popleft().result()
            given += 1
    finally:
        for future in ahead:
            future.cancel()
