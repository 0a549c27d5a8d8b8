"""Refusals that hang on values: who asks a GPU for one waits, so it is asked once for all of a call, or of several."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

AT_ONCE = 32  # refusals that are asked for together at most: each keeps what it would say it of

# Raises for how many values are bad, and the first of them, as an index into all of them.
Refuse = Callable[[int, int], object]

_asked_later: ContextVar[list[tuple[Int[Tensor, " 2"], Refuse]] | None] = ContextVar("asked later", default=None)


def refuse_where(bad: Bool[Tensor, "*shape"], refuse: Refuse) -> None:
    """Call `refuse` where any of these values is bad: at once, or, of a GPU, where `asked_together` ends."""
    later = _asked_later.get()
    if later is not None and bad.is_cuda:
        later.append((_count_and_first(bad), refuse))
        if len(later) == AT_ONCE:
            _ask(later)
    elif bad.any():
        refuse(*_count_and_first(bad).tolist())


@contextmanager
def asked_together() -> Iterator[None]:
    """Ask a GPU at the end of the block for all that may have to be refused in it; inside of another such block, there.

    Where the block ends in an error, what has to be refused comes first: it may be the cause.
    """
    if _asked_later.get() is not None:
        yield
        return
    later: list[tuple[Int[Tensor, " 2"], Refuse]] = []
    token = _asked_later.set(later)
    try:
        try:
            yield
        finally:
            _asked_later.reset(token)
    except ValueError as error:
        try:
            _ask(later)
        except ValueError as refusal:
            raise refusal from error
        raise
    _ask(later)


def _count_and_first(bad: Bool[Tensor, "*shape"]) -> Int[Tensor, " 2"]:
    flat = bad.flatten()
    return torch.stack([flat.sum(), flat.to(torch.uint8).argmax()])


def _ask(later: list[tuple[Int[Tensor, " 2"], Refuse]]) -> None:
    """Refuse what is to be refused, the first of all; nothing is left to be asked for."""
    asked, later[:] = list(later), []
    found = torch.stack([found for found, _ in asked]).tolist() if asked else []
    for (count, first), (_, refuse) in zip(found, asked, strict=True):
        if count:
            refuse(count, first)
