"""Bounds of the recipe: each ends in one clear line."""

from dataclasses import replace
from typing import Any

import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.networks import dnn
from igbaselines.studies.hep.networks import recipe as recipe_module
from igbaselines.studies.hep.networks.recipe import DNNRecipe, ObjectAttentionRecipe


def test_knows_the_activations_that_there_are() -> None:
    assert tuple(dnn.ACTIVATIONS) == recipe_module.ACTIVATIONS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 1}, "model.batch_size must be at least 2, got 1"),
        ({"max_epochs": 0}, "model.max_epochs must be at least 1, got 0"),
        ({"patience": 0}, "model.patience must be at least 1, got 0"),
        ({"networks_at_once": 0}, "model.networks_at_once must be at least 1, got 0"),
        ({"hidden": []}, r"model.hidden needs one positive width a layer, got \[\]"),
        ({"hidden": [8, 0]}, r"model.hidden needs one positive width a layer, got \[8, 0\]"),
        ({"activation": "tanh"}, "model.activation must be swish or relu, got tanh"),
        ({"dropout": 1.0}, r"model.dropout must lie in \[0, 1\), got 1.0"),
        ({"dropout": -0.1}, r"model.dropout must lie in \[0, 1\), got -0.1"),
        ({"learning_rate": 0.0}, "model.learning_rate must be positive"),
        ({"weight_decay": -1e-4}, "model.weight_decay not negative"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_refuses(recipe: DNNRecipe, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(recipe, **change)


def test_accepts_its_bounds(recipe: DNNRecipe) -> None:
    replace(recipe, batch_size=2, max_epochs=1, patience=1, networks_at_once=1, hidden=[1], dropout=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "model.width must be at least 1, got 0"),
        ({"heads": 0}, "model.heads must be at least 1, got 0"),
        ({"blocks": 0}, "model.blocks must be at least 1, got 0"),
        ({"heads": 3}, "model.width must be a multiple of model.heads=3, got 8"),
        ({"batch_size": 1}, "model.batch_size must be at least 2, got 1"),
    ],
    ids=str,
)
def test_refuses_for_attention(attention: ObjectAttentionRecipe, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(attention, **change)
