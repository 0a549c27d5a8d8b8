"""Functions that draw random numbers are refused: what is drawn depends on which points go through together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

POINTS = 8  # that `again` should evaluate: dropout may leave a single one as it is


@contextmanager
def no_random_numbers(again: Callable[[], Tensor]) -> Iterator[None]:
    """Refuse a function that took numbers from torch's global generators in what runs inside, and used them.

    Networks that draw and use nothing of it in evaluation mode are fine, and so is another thread that draws: where a
    generator has moved on, the function has to give the same values twice. Its own generators, numpy's and Python's
    are not looked at.

    Args:
        again: evaluates the function at some points, always the same.

    Raises:
        ValueError: naming what would do.
    """
    before = _states()
    yield
    if all(map(torch.equal, before, _states())):
        return
    with torch.no_grad():
        once, twice = again(), again()
    if not torch.allclose(once, twice, equal_nan=True):
        raise ValueError(
            "f draws random numbers, so that results depend on which points go through together: pass training=False "
            "to functional.dropout and the like, or draw from a generator that f makes and seeds itself"
        )


def _states() -> list[Tensor]:
    """The states of the global generators, all of which the host knows; CUDA has none before it is used."""
    return [generator.get_state() for generator in (torch.default_generator, *torch.cuda.default_generators)]
