"""Tensors by name of which nobody computes one that nobody asks for, such as exact Shapley values by imputer."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from torch import Tensor


class Lazy(Mapping[str, Tensor]):
    """Tensors by name, each made when it is first asked for, and kept.

    Args:
        names: all there are.
        make: makes the one of a name.
    """

    def __init__(self, names: Iterable[str], make: Callable[[str], Tensor]) -> None:
        self._names, self._make = tuple(names), make
        self._made: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
