"""The recipe of networks of grid values: its file, and bounds that end in one clear line each."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe

RECIPE = GridValueRecipe(
    hidden=[16, 8], interactions=True, learning_rate=1e-2, weight_decay=1e-2, batch_size=32, epochs=3
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": []}, r"model.hidden needs one positive width a layer, got \[\]"),
        ({"hidden": [8, 0]}, r"model.hidden needs one positive width a layer, got \[8, 0\]"),
        ({"batch_size": 0}, "model.batch_size must be at least 1, got 0"),
        ({"epochs": 0}, "model.epochs must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "model.learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "model.learning_rate must be positive"),
        ({"weight_decay": -1e-4}, "model.weight_decay not negative"),
        ({"heads": 3}, r"model.hidden=\[16, 8\] with model.heads=3: give a width of tokens that the heads divide"),
        ({"heads": 2, "hidden": [8]}, r"model.hidden=\[8\] with model.heads=2: .*, such as \[16, 32\]"),
        ({"heads": 2, "interactions": False}, "model.heads=2: attention is interaction, and model.interactions=false"),
    ],
    ids=str,
)
def test_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(RECIPE, **change)


def test_without_interactions_a_quarter_of_the_width_is_left() -> None:
    found = replace(RECIPE, heads=2).additive()
    assert (found.interactions, found.heads, found.hidden) == (False, 0, [4, 2])


def test_accepts_its_bounds() -> None:
    replace(RECIPE, hidden=[1], batch_size=1, epochs=1, weight_decay=0.0)


def test_its_file_builds_it() -> None:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf" / "model"), version_base="1.3"):
        recipe = instantiate(compose("grid_value_mlp"))
    assert isinstance(recipe, GridValueRecipe)
    assert recipe.interactions
    assert recipe.checksum() is None  # type: ignore[func-returns-value]


def test_needs_no_torch() -> None:
    code = "import sys, igbaselines.studies.gridworld.networks.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
