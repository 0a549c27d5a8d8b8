"""Trained networks are taken up by the next attempt, if what is left of them is what was written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.experiments.networks import split_events, train_on_subsets
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.networks import training
from igbaselines.studies.hep.networks.recipe import DNNRecipe
from igbaselines.studies.hep.networks.training import Trained
from tests.damage import DAMAGES, damage, say_damaged

MASKS = np.array([[True, True, False], [True, False, True], [False, True, True], [True, True, True]])
RECIPE = DNNRecipe(
    dropout=0.2,
    learning_rate=1e-2,
    weight_decay=1e-2,
    batch_size=32,
    max_epochs=3,
    patience=3,
    epoch_events=1000,
    networks_at_once=2,  # two groups, each with a checkpoint of its own
    hidden=[6],
)

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(checkpoints: Path, progress: Callable[[int], object] = lambda done: None) -> Trained:
    rng = np.random.default_rng(0)
    signal = np.arange(200) % 2 == 0
    features = rng.normal(signal[:, None], 1, (200, 3)).astype(np.float32)
    events = EventTable(features, ("a", "b", "c"), (~signal).astype(int), ("new", "old"), signal, None, "")
    split = split_events(events, HepSplits(1, 0.5, 0.25), 0, seed=0, device=torch.device("cpu"))
    return train_on_subsets(split, MASKS, RECIPE, (0, 1), checkpoints, progress)


def assert_same(found: Trained, expected: Trained) -> None:
    """To the last bit."""
    assert torch.equal(found.loss, expected.loss)
    assert torch.equal(found.epochs, expected.epochs)
    for name, tensor in expected.networks.state.items():
        assert torch.equal(found.networks.state[name], tensor), name


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_networks_are_trained_again(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = trained(tmp_path)
    damaged, other = sorted(tmp_path.iterdir())
    untouched = other.stat().st_mtime_ns
    damage(damaged, kind, other)
    assert_same(trained(tmp_path), first)
    assert caplog.messages == [say_damaged(damaged)]
    assert_same(trained(tmp_path), first)
    assert len(caplog.messages) == 1
    assert other.stat().st_mtime_ns == untouched


@pytest.mark.parametrize("kind", [None, *DAMAGES])
def test_an_unfinished_training_goes_on_or_starts_anew(
    kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    expected = trained(tmp_path / "undisturbed")
    other = min((tmp_path / "undisturbed").iterdir())
    calls: list[int] = []

    def kill(done: int) -> None:
        calls.append(done)
        if len(calls) >= 2:  # the second group may have begun by then
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", kill)
    unfinished = min((tmp_path / "killed").glob("unfinished-*"))
    if kind is not None:
        damage(unfinished, kind, other)
    assert_same(trained(tmp_path / "killed"), expected)
    assert caplog.messages == ([] if kind is None else [say_damaged(unfinished)])
