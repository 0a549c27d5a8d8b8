"""A network of the grid worlds is taken up by the next attempt, if what is left of it is what was written."""

import logging
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.experiments.networks import Shared, Variant, measured
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from tests.damage import DAMAGES, damage, say_damaged

VARIANTS = [Variant(number, ("goal_row", "goal_column", "has_key"), True, ("agreement",)) for number in (0, 1)]
NAMES = ["3-features-0", "3-features-1"]

# Unchecked: numbers of evaluations are whole, and no floats to the checks of types.
pytestmark = pytest.mark.usefixtures("one_thread", "unchecked_shapes")


@pytest.fixture(scope="module")
def shared() -> Shared:
    """What two small networks share."""
    worlds = GridWorld(size=5, n_worlds=10, held_out=3, traps=1, walls=1)
    states = worlds.load()
    recipe = GridValueRecipe([8], True, 0.01, 0.0, 256, epochs=1)
    attribution = GridworldAttribution(
        references=["mean"], background=4, steps=2, most_nodes=4, baselines={"zero": ZeroBaseline()}
    )
    evaluation = GridworldEvaluation(2, 2, 8, [8], ["mean"], [1.0], [], False, 1, False, 0)
    return Shared(worlds, states, states.explained(2, seed=0), recipe, attribution, evaluation)


class Attempt:
    """An attempt at both networks, in a folder of the run's."""

    def __init__(self, shared: Shared, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            device = torch.device("cpu")
            self.run = Run(Rows("e", "d", "m", 0), folder / "checkpoints", folder, folder, device, 0, None, 1)
            self.attributions = [measured(self.run, shared, variant) for variant in VARIANTS]
        self.trained = [message.split(":")[0] for message in caplog.messages if "trained in" in message]
        self.warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]

    def assert_same_as(self, other: "Attempt") -> None:
        pd.testing.assert_frame_equal(self.run.rows.frame(), other.run.rows.frame(), check_exact=True)
        assert self.run.checksums == other.run.checksums  # of the networks

        def flat(attempt: Attempt) -> list[tuple[str, list[float]]]:
            def values(tensor: Tensor) -> list[float]:
                return list(tensor.flatten().tolist())

            return [(name, values(found[name])) for found in attempt.attributions for name in sorted(found)]

        assert flat(self) == flat(other)


@pytest.mark.parametrize("suffix", [".json", ".parquet", ".safetensors"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_made_again(
    kind: str, suffix: str, shared: Shared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Attempt(shared, tmp_path, caplog)
    assert first.trained == NAMES
    damaged, other = (tmp_path / "checkpoints" / f"{name}{suffix}" for name in NAMES)
    damage(damaged, kind, other)
    second = Attempt(shared, tmp_path, caplog)
    assert second.trained == NAMES[:1]
    assert second.warnings == [say_damaged(damaged)]
    second.assert_same_as(first)
    third = Attempt(shared, tmp_path, caplog)
    assert (third.trained, third.warnings) == ([], [])
    third.assert_same_as(first)


def test_changed_rows_are_measured_again(shared: Shared, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Attempt(shared, tmp_path, caplog)
    table = tmp_path / "checkpoints" / f"{NAMES[0]}.parquet"
    rows = pd.read_parquet(table)
    rows.assign(value=rows["value"] + 1).to_parquet(table, index=False)
    second = Attempt(shared, tmp_path, caplog)
    assert second.trained == NAMES[:1]
    second.assert_same_as(first)


@pytest.mark.parametrize("killed_before", [".parquet", ".json"])
def test_a_kill_between_files_costs_the_network_and_nothing_is_said(
    killed_before: str, shared: Shared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Attempt(shared, tmp_path, caplog)
    for suffix in {".json", killed_before}:
        (tmp_path / "checkpoints" / f"{NAMES[0]}{suffix}").unlink()
    second = Attempt(shared, tmp_path, caplog)
    assert (second.trained, second.warnings) == (NAMES[:1], [])
    second.assert_same_as(first)
