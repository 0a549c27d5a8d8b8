"""What a launcher is given never becomes a line of the job script."""

from typing import Any

import pytest

from igbaselines.common.errors import UserError
from igbaselines.launching.slurm import submit


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize(
    "given",
    [
        lambda text: {"partition": text},
        lambda text: {"account": text},
        lambda text: {"additional_parameters": {"comment": text}},
        lambda text: {"additional_parameters": {text: "x"}},
        lambda text: {"srun_args": [text]},
    ],
)
def test_no_value_has_a_second_line(given: Any, end: str) -> None:
    with pytest.raises(UserError, match=r"hydra\.launcher\..* must be one line") as error:
        submit([], given(f"gpu{end}touch it"))
    assert len(str(error.value).splitlines()) == 1
