"""docs/captum.md: its examples run, and every row of its table gives the same numbers both ways."""

import re
from typing import Any

import pytest
import torch

from tests.commands import ROOT

PAGE = (ROOT / "docs" / "captum.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROWS: list[tuple[str, str, str]] = re.findall(r"^\| (.+?) \| `(.+?)` \| `(.+?)` \|$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page defines, block by block."""
    found: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/captum.md", "exec"), found)
    return found


def test_the_page_has_its_rows() -> None:
    assert len(ROWS) == PAGE.count("\n| ") - 1  # but the heading
    assert len(ROWS) >= 18


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients")
@pytest.mark.parametrize(("what", "theirs", "ours"), ROWS, ids=[what for what, *_ in ROWS])
def test_both_calls_give_the_same(names: dict[str, Any], what: str, theirs: str, ours: str) -> None:
    names["x"].requires_grad_(False)
    expected, found = eval(theirs, names), eval(ours, names)
    torch.testing.assert_close(found, expected.detach().to(found), rtol=0, atol=2e-6)
