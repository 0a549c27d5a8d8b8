"""Class attributions: against their definition, and the same however often they are broken off or damaged."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.attribution.baselines import PerStratum, Reference, ZeroPhysical, ZeroStandardised
from igbaselines.common.progress import bar
from igbaselines.common.stopping import StoppedError, stoppable
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.experiments import attributions as hep_attributions
from igbaselines.studies.hep.experiments.attributions import ClassAttribution, class_attribution
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.networks.dnn import DNN
from tests.damage import DAMAGES, damage, say_damaged

EVENTS, FEATURES, STEPS = 11, 4, 1
SOURCES = {"zero": ZeroPhysical(), "centre": ZeroStandardised(), "background": PerStratum(3)}
BASELINES = 1 + 1 + 2 * 3
CHUNK = 3  # events at once

pytestmark = pytest.mark.usefixtures("one_thread")


class Counted(DNN):
    """A network with random weights that counts the gradient points, in all its copies together."""

    points = 0

    def __init__(self) -> None:
        super().__init__(Standardise(torch.ones(FEATURES), torch.full((FEATURES,), 2.0)), [8, 8], dropout=0.0)
        generator = torch.Generator().manual_seed(1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def after_stem(self, z: Tensor) -> Tensor:
        if z.requires_grad:
            Counted.points += len(z)
        return super().after_stem(z)

    def gradient_after_stem(self, z: Tensor) -> Tensor:
        Counted.points += len(z)
        return super().gradient_after_stem(z)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep_attributions, "BYTES_PER_CHUNK", CHUNK * BASELINES * FEATURES * 4)


@pytest.fixture
def always_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep_attributions, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "attribution.safetensors"


@pytest.fixture
def unfinished(checkpoint: Path) -> Path:
    return checkpoint.with_name("unfinished-attribution.safetensors")


@pytest.fixture
def undisturbed(tmp_path: Path) -> ClassAttribution:
    attribution = attribute(tmp_path / "undisturbed.safetensors")
    assert Counted.points == points_of(EVENTS)
    return attribution


def signal_events() -> Tensor:
    return torch.randn(EVENTS, FEATURES, generator=torch.Generator().manual_seed(0))


def attribute(checkpoint: Path, progress: Callable[[int], object] = lambda done: None) -> ClassAttribution:
    """Attribute the network's output to the features; gradient points are counted from zero."""
    Counted.points = 0
    examples = torch.randn(20, FEATURES, generator=torch.Generator().manual_seed(2))
    reference = Reference(examples, torch.ones(FEATURES), stratum=torch.arange(20) % 2)
    settings = HepAttribution("logit", "signed", EVENTS, GaussLegendre(STEPS), SOURCES)
    network = Counted().eval()
    return class_attribution(network, signal_events(), reference, settings, (0, 1), 64, checkpoint, progress)


def points_of(events: int) -> int:
    return events * BASELINES * STEPS


def killed_after(events: int) -> Callable[[int], None]:
    """Ends the work once so many events are done."""

    def kill(done: int) -> None:
        if done >= events:
            raise KeyboardInterrupt

    return kill


def assert_same(found: ClassAttribution, expected: ClassAttribution) -> None:
    """To the last bit."""
    for name in ("signed", "magnitude", "gap"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_chunks_add_up_to_the_mean_over_all_events(undisturbed: ClassAttribution) -> None:
    for row, baseline in enumerate((torch.zeros(1, FEATURES), torch.ones(1, FEATURES))):
        at_once = path_attribution(Counted().eval(), signal_events(), baseline, rule=GaussLegendre(STEPS))
        torch.testing.assert_close(undisturbed.signed[row], at_once.attributions.mean(dim=0))
        torch.testing.assert_close(undisturbed.magnitude[row], at_once.attributions.abs().mean(dim=0))
        gap = at_once.completeness_gap.abs() / (at_once.f_inputs[:, None] - at_once.f_baselines).abs()
        torch.testing.assert_close(undisturbed.gap[row, -1], gap.max(), rtol=1e-2, atol=1e-5)


@pytest.mark.usefixtures("always_saved")
def test_it_goes_on_after_every_kill(undisturbed: ClassAttribution, checkpoint: Path, unfinished: Path) -> None:
    for done in (CHUNK, 2 * CHUNK, EVENTS):  # the last one just before the end
        with pytest.raises(KeyboardInterrupt):
            attribute(checkpoint, killed_after(done))
        assert Counted.points == points_of(CHUNK if done < EVENTS else EVENTS - 2 * CHUNK)
        assert not checkpoint.exists()
    assert_same(attribute(checkpoint), undisturbed)
    assert Counted.points == 0
    assert not unfinished.exists()
    assert_same(attribute(checkpoint), undisturbed)  # from the finished one
    assert Counted.points == 0


def test_a_signal_saves_what_is_done(undisturbed: ClassAttribution, checkpoint: Path, unfinished: Path) -> None:
    with stoppable(), bar("attributions", EVENTS) as show:

        def progress(done: int) -> None:
            show(done)
            os.kill(os.getpid(), signal.SIGTERM)  # a chunk before it is noticed

        with pytest.raises(StoppedError):
            attribute(checkpoint, progress)
    state = load_tensors(unfinished)
    assert state is not None
    assert len(state["gaps"]) == 2 * CHUNK
    with stoppable():  # nothing has been asked of the next attempt
        assert_same(attribute(checkpoint), undisturbed)
    assert Counted.points == points_of(EVENTS - 2 * CHUNK)


@pytest.mark.usefixtures("always_saved")
def test_seconds_are_those_of_all_attempts(checkpoint: Path, unfinished: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        attribute(checkpoint, killed_after(CHUNK))
    state = load_tensors(unfinished)
    assert state is not None
    assert 0 < state["seconds"] < 100
    save_tensors(unfinished, state | {"seconds": state["seconds"] + 1000})
    assert 1000 < attribute(checkpoint).seconds < 1100
    assert 1000 < attribute(checkpoint).seconds < 1100  # also when it is taken up


@pytest.mark.usefixtures("always_saved")
@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_made_again(
    kind: str,
    is_finished: bool,
    undisturbed: ClassAttribution,
    checkpoint: Path,
    unfinished: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if is_finished:
        attribute(checkpoint)
    else:
        with pytest.raises(KeyboardInterrupt):
            attribute(checkpoint, killed_after(CHUNK))
    damaged = checkpoint if is_finished else unfinished
    damage(damaged, kind, damaged.with_name("undisturbed.safetensors"))
    caplog.clear()
    assert_same(attribute(checkpoint), undisturbed)
    assert Counted.points == points_of(EVENTS)
    assert say_damaged(damaged) in caplog.messages


def test_what_an_earlier_version_saved_is_made_anew(checkpoint: Path, undisturbed: ClassAttribution) -> None:
    saved = vars(undisturbed).copy()
    saved["signed"] = saved["signed"] + 1
    del saved["gradient_points"]
    save_tensors(checkpoint, saved)
    assert_same(attribute(checkpoint), undisturbed)
    assert Counted.points == points_of(EVENTS)
