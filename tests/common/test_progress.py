"""What parts that are worked on side by side have done adds up."""

from igbaselines.common.progress import shares


def test_what_parts_have_done_adds_up() -> None:
    seen: list[int] = []
    first, second = shares(seen.append, 2)
    first(0)
    second(3)
    first(2)
    second(4)
    assert seen == [0, 3, 5, 6]
