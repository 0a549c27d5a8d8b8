"""How the grid of (input, baseline, step) points is cut: into blocks of pairs, and a block into chunks of points."""

from collections.abc import Iterator


def split(block: tuple[slice, slice], steps: int, max_batch: int) -> Iterator[tuple[slice, slice]]:
    """Cut a block of pairs into blocks of at most `max_batch` points (or a single pair), inputs first."""
    rows, columns = block
    most_pairs = max(1, max_batch // steps)
    for some_rows in cut(rows, max(1, most_pairs // size(columns))):
        for some_columns in cut(columns, most_pairs):
            yield some_rows, some_columns


def cut(range_: slice, most: int) -> Iterator[slice]:
    """Cut a range into the fewest parts of nearly equal length, none longer than `most`."""
    places = size(range_)
    parts = -(-places // most)
    for part in range(parts):
        yield slice(range_.start + places * part // parts, range_.start + places * (part + 1) // parts)


def size(range_: slice) -> int:
    """The number of places in a range."""
    return int(range_.stop - range_.start)


def chunks(pairs: int, steps: slice, max_batch: int) -> Iterator[tuple[slice, slice]]:
    """Cut the points (pair, step) of a block into chunks of at most `max_batch`, each of some pairs and some steps."""
    for some_steps in cut(steps, max_batch):
        for some_pairs in cut(slice(0, pairs), max(1, max_batch // size(some_steps))):
            yield some_pairs, some_steps
