"""Names and bounds of the processes; what Pythia makes of them is tested with the collisions."""

import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.generated import PROCESSES
from igbaselines.studies.hep.data.pythia.processes import PYTHIA_PROCESSES, Beam
from igbaselines.studies.hep.data.synthetic.processes import CHAINS
from tests.studies.hep.data.pythia.pythia_settings import SETTINGS


def test_processes_are_those_of_the_other_generator() -> None:
    assert tuple(PYTHIA_PROCESSES) == tuple(CHAINS) == PROCESSES


def test_every_process_is_in_the_dataset() -> None:
    assert set(SETTINGS["processes"]) == set(PYTHIA_PROCESSES)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, False, 0.2), "beam.energy must be positive, got 0"),
        ((float("nan"), False, 0.2), "beam.energy must be positive, got nan"),
        ((14e3, False, 0.0), r"beam.prescale must lie in \(0, 1\], got 0"),
        ((14e3, False, 1.1), r"beam.prescale must lie in \(0, 1\], got 1.1"),
    ],
)
def test_impossible_beams(values: tuple[float, bool, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Beam(*values)
