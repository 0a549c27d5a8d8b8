"""Refusals that hang on values: at once, or, of a GPU, together where a block ends."""

import pytest
import torch

from igbaselines.attribution import path_attribution
from igbaselines.attribution.engine import refusals
from igbaselines.attribution.engine.refusals import asked_together, refuse_where
from igbaselines.attribution.shapley.exact import exact_shapley_values


def refuse(count: int, first: int) -> None:
    raise ValueError(f"{count} bad, the first at {first}")


def bad(*places: int, device: torch.device) -> torch.Tensor:
    found = torch.zeros(2, 5, dtype=torch.bool, device=device)
    found.view(-1)[list(places)] = True
    return found


def test_alone_they_come_at_once(device: torch.device) -> None:
    refuse_where(bad(device=device), refuse)
    with pytest.raises(ValueError, match="2 bad, the first at 3"):
        refuse_where(bad(7, 3, device=device), refuse)


def test_in_a_block_they_come_in_their_order_and_those_of_a_gpu_at_its_end(device: torch.device) -> None:
    reached = []

    def nested() -> None:
        with asked_together():
            refuse_where(bad(device=device), refuse)
            with asked_together():
                refuse_where(bad(3, device=device), refuse)
            reached.append("the end of the inner block")
            refuse_where(bad(1, device=device), refuse)

    with pytest.raises(ValueError, match="1 bad, the first at 3"):
        nested()
    assert bool(reached) == (device.type == "cuda")
    with asked_together():  # nothing is left over
        pass


@pytest.mark.parametrize(("places", "said"), [([1], "1 bad"), ([], "a consequence")], ids=str)
def test_what_has_to_be_refused_comes_before_the_errors_it_causes(
    places: list[int], said: str, device: torch.device
) -> None:
    @asked_together()
    def broken() -> None:
        refuse_where(bad(*places, device=device), refuse)
        raise ValueError("a consequence")

    with pytest.raises(ValueError, match=said):
        broken()


def test_few_are_kept_at_a_time(device: torch.device) -> None:
    done = []

    @asked_together()
    def many() -> None:
        for turn in range(3 * refusals.AT_ONCE):
            done.append(turn)
            refuse_where(bad(*[0] if turn == 1 else [], device=device), refuse)

    with pytest.raises(ValueError, match="1 bad, the first at 0"):
        many()
    assert len(done) == (refusals.AT_ONCE if device.type == "cuda" else 2)


def test_attributions_and_values_are_refused_as_on_the_host(device: torch.device) -> None:
    x, starts = torch.ones(2, 3, device=device), torch.tensor([[[0.5] * 3, [-1.0] * 3]] * 2, device=device)
    bad_x = torch.tensor([[1.0, 1, 1], [1, torch.nan, 1]], device=device)
    with pytest.raises(ValueError, match=r"inputs must be finite, but 1 values are not; the first at index \(1, 1\)"):
        path_attribution(lambda p: p.sum(1), bad_x, 0.0)
    with pytest.raises(ValueError, match=r"from baseline 1 to input 0 \(2 paths in all\)"):
        path_attribution(lambda p: p.sum(1).log(), x, starts)
    with pytest.raises(ValueError, match="f mixes the points"):
        path_attribution(lambda p: (p - p.mean(0)).pow(2).sum(1), x, starts)
    with pytest.raises(ValueError, match="f is not finite at input 0 where 0 of its 3 players keep their value"):
        exact_shapley_values(lambda p: p.sum(1).log(), x, 0.0)
    with pytest.raises(ValueError, match="weight of the one absent value must be one, got 2"):
        exact_shapley_values(
            lambda p: p.sum(1), x, torch.zeros(1, 3, device=device), torch.tensor([2.0], device=device)
        )
