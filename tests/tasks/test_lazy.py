"""Values that are made when somebody asks for them, and once."""

import pytest
import torch

from igbaselines.tasks import Background, Lazy, Task


@pytest.mark.usefixtures("unchecked_shapes")  # beartype looks into every mapping
def test_nothing_is_made_that_nobody_asks_for() -> None:
    made: list[str] = []

    def make(name: str) -> torch.Tensor:
        made.append(name)
        return torch.arange(3)[:, None] * 1.0

    known = Lazy(("zero", "mean"), make)
    inputs = torch.zeros(3, 1)
    task = Task("t", lambda x: x[:, 0], inputs, None, "abc", Background(inputs, inputs[0]), known=known)
    some = task.take([2, 0])
    assert list(some.known) == ["zero", "mean"]
    assert "mean" in some.known
    assert len(some.known) == 2
    assert made == []
    assert some.known["mean"].tolist() == [[2], [0]]
    assert some.known["mean"] is some.known["mean"]
    assert made == ["mean"]


def test_a_name_that_there_is_not() -> None:
    known = Lazy(["zero"], lambda _: torch.zeros(1, 1))
    assert "median" not in known
    with pytest.raises(KeyError):
        known["median"]
