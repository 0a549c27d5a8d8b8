"""Class attributions: against their definition, by any method, and the same however often they are broken off."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from igbaselines.attribution import Attribution, GaussLegendre, RandomPoint, path_attribution
from igbaselines.attribution import methods as attribution_methods
from igbaselines.attribution.baselines import (
    BaselineSet,
    Examples,
    GaussianNoise,
    MaximumDistance,
    PerStratum,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum, InverseFitness
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.common.stopping import StoppedError, stoppable
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.metrics import DeletionAUC, Metric, Quantity
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.experiments import attributions as hep_attributions
from igbaselines.studies.hep.experiments.attributions import ClassAttribution, class_attribution
from igbaselines.studies.hep.experiments.tasks import ranking_task, training_background
from igbaselines.studies.hep.networks.dnn import DNN
from igbaselines.tasks import Imputer, Task
from tests.damage import DAMAGES, damage, say_damaged

EVENTS, FEATURES, STEPS = 11, 4, 1
RULE = GaussLegendre(STEPS)
SOURCES: dict[str, Imputer] = {"zero": ZeroBaseline(), "centre": TrainingMean(), "background": PerStratum(3)}
METHODS: dict[str, Method] = {name: AveragedGradients(source, RULE) for name, source in SOURCES.items()}
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


@dataclass(frozen=True)
class Loudest:
    """A user's method, without paths: the feature with the largest value gets the output, and a little noise."""

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        output = task.f(task.inputs).detach()
        loudest = task.inputs.abs() == task.inputs.abs().amax(dim=1, keepdim=True)
        noise = 1e-3 * torch.randn(task.inputs.shape, generator=generator)
        zeros = torch.zeros(len(output), 1)
        return Attribution(loudest * output[:, None] + noise, None, output, zeros, zeros, zeros + 1, None)


@dataclass(frozen=True)
class LargestShare:
    """A user's metric: the share of the largest attribution."""

    @property
    def quantity(self) -> Quantity:
        return Quantity("largest_share", "share of the largest", better="higher")

    def why_not(self, task: Task) -> str | None:
        return None

    def score(self, task: Task, attributions: Tensor, generator: torch.Generator) -> Tensor:
        magnitude = attributions.abs().double()
        return magnitude.amax(dim=1) / magnitude.sum(dim=1)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep_attributions, "BYTES_PER_CHUNK", CHUNK * BASELINES * FEATURES * 4)
    monkeypatch.setattr(hep_attributions, "EVENTS_PER_CHUNK", 4)


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


def table() -> EventTable:
    """The first events are signal; of the background's processes one is ten times the other."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(EVENTS + 20, FEATURES, generator=generator).numpy()
    process = np.array([0] * EVENTS + [1, 2] * 10)
    weight = np.where(process == 2, 10.0, 1.0)
    return EventTable(features, tuple("abcd"), process, ("new", "old", "older"), process == 0, weight, "checksum")


def events_task(output: str = "logit", fast_paths: bool = True) -> Task:
    events = table()
    background = training_background(events, np.arange(len(events)), torch.ones(FEATURES))
    network = Counted().eval()
    return ranking_task("network_0", network, events, np.arange(EVENTS), background, output, 64, fast_paths)


def attribute(
    checkpoint: Path,
    progress: Callable[[int], object] = lambda done: None,
    methods: Mapping[str, Method] = METHODS,
    metrics: Mapping[str, Metric] | None = None,
) -> ClassAttribution:
    """Attribute the network's output to the features; gradient points are counted from zero."""
    task = events_task()
    task.f(task.inputs[:1])  # of a copy the first call is checked
    Counted.points = 0
    return class_attribution(methods, task, (0, 1), checkpoint, progress, metrics)


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
    assert list(found.of) == list(expected.of)
    for name, mean in expected.of.items():
        for part in ("signed", "magnitude", "gap", "effective_baselines"):
            torch.testing.assert_close(
                getattr(found.of[name], part), getattr(mean, part), rtol=0, atol=0, equal_nan=True
            )
        assert found.of[name].scores == mean.scores
    assert found.gradient_points == expected.gradient_points


def test_chunks_add_up_to_the_mean_over_all_events(undisturbed: ClassAttribution) -> None:
    for name, baseline in (("zero", torch.zeros(1, FEATURES)), ("centre", torch.ones(1, FEATURES))):
        at_once = path_attribution(Counted().eval(), events_task().inputs, baseline, rule=RULE)
        mean = undisturbed.of[name]
        torch.testing.assert_close(mean.signed, at_once.attributions.mean(dim=0))
        torch.testing.assert_close(mean.magnitude, at_once.attributions.abs().mean(dim=0))
        gap = at_once.completeness_gap.abs() / (at_once.f_inputs[:, None] - at_once.f_baselines).abs()
        torch.testing.assert_close(mean.gap[-1], gap.max(), rtol=1e-2, atol=1e-5)


def test_the_columns_of_a_category_are_added_up(tmp_path: Path) -> None:
    """For each event before the magnitude is taken: columns of opposite sign are no two large parts of it."""
    events = replace(table(), category_of={"b": "kind", "d": "kind"})
    background = training_background(events, np.arange(len(events)), torch.ones(FEATURES))
    task = ranking_task("network_0", Counted().eval(), events, np.arange(EVENTS), background, "logit", 64)
    mean = class_attribution(METHODS, task, (0, 1), tmp_path / "a.safetensors", lambda done: None).of["zero"]
    alone = path_attribution(Counted().eval(), task.inputs, torch.zeros(1, FEATURES), rule=RULE).attributions
    of_players = torch.stack([alone[:, 0], alone[:, 1] + alone[:, 3], alone[:, 2]], dim=1)
    torch.testing.assert_close(mean.signed, of_players.mean(dim=0))
    torch.testing.assert_close(mean.magnitude, of_players.abs().mean(dim=0))


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
    assert state["background: events"] == 2 * CHUNK
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


def test_what_was_saved_of_other_methods_is_made_anew(checkpoint: Path, undisturbed: ClassAttribution) -> None:
    attribute(checkpoint, methods=METHODS | {"other": AveragedGradients(MaximumDistance(), RULE)})
    assert_same(attribute(checkpoint), undisturbed)
    assert Counted.points == points_of(EVENTS)


# By any method

MANY: dict[str, Method] = METHODS | {
    "weighted": AveragedGradients(PerStratum(3, ByStratum()), RULE),  # the baselines of `background`
    "uniform": AveragedGradients(UniformNoise(2), RULE),
    "gaussian": AveragedGradients(GaussianNoise(), RULE),
    "examples": AveragedGradients(Examples(3), GaussLegendre(2)),
    "farthest": AveragedGradients(MaximumDistance(), RULE),
    "set": AveragedGradients(BaselineSet({"zero": ZeroBaseline(), "noise": UniformNoise(2)}), RULE),
    "fittest": AveragedGradients(Examples(3), GaussLegendre(2), InverseFitness(), Fitness(mask="mean")),
    "random_nodes": AveragedGradients("background", RandomPoint()),
    "coalitions": ShapleyIG("mean", 8, rule=RULE),
    "sampled": ShapleySampling("background", 8),
    "loudest": Loudest(),
}
METRICS: dict[str, Metric] = {"deletion": DeletionAUC(), "mine": LargestShare()}


def test_every_method_explains_events(checkpoint: Path) -> None:
    found = attribute(checkpoint, methods=MANY, metrics=METRICS)
    assert list(found.of) == list(MANY)
    low, high = events_task().background.bounds()
    assert (low < 0).all()
    assert (high > 1).all()  # noise is of the features' ranges, not of pixels'
    for name, mean in found.of.items():
        assert (mean.signed.isfinite() & (mean.magnitude >= mean.signed.abs())).all(), name
        assert set(mean.scores) == set(METRICS)
        assert 0 < mean.scores["deletion"] < 1
    # One node from zero, centre, background (with weighted), uniform, gaussian, farthest and set; two from examples
    # (with fittest); a random one from background; one from each coalition; none by the two others.
    assert found.gradient_points == EVENTS * (1 + 1 + 6 + 2 + 1 + 1 + 3 + 2 * 3 + 20 + 8)


def test_a_method_of_ones_own_is_averaged_as_it_is(checkpoint: Path) -> None:
    mean = attribute(checkpoint, methods=MANY).of["loudest"]
    task = events_task()
    every = [
        Loudest().attribute(task.take(slice(start, start + 4)), generator_for(0, 1, "loudest", start))
        for start in range(0, EVENTS, 4)
    ]
    together = torch.cat([some.attributions for some in every])
    torch.testing.assert_close(mean.signed, together.mean(dim=0))
    torch.testing.assert_close(mean.magnitude, together.abs().mean(dim=0))
    output = task.f(task.inputs)
    gap = (together.double().sum(dim=1) - output).abs() / output.abs()
    torch.testing.assert_close(mean.gap[-1], gap.max(), check_dtype=False)
    assert mean.effective_baselines == 1


def test_metrics_are_averaged_over_events(checkpoint: Path) -> None:
    found = attribute(checkpoint, methods=MANY, metrics=METRICS).of["zero"].scores
    task = events_task()
    attributions = path_attribution(task.f, task.inputs, torch.zeros(1, FEATURES), rule=RULE).attributions
    for name, metric in METRICS.items():
        expected = metric.score(task, attributions, torch.Generator())
        torch.testing.assert_close(found[name], expected.mean(), check_dtype=False)


def test_effective_baselines(checkpoint: Path) -> None:
    found = attribute(checkpoint, methods=MANY).of
    assert found["zero"].effective_baselines == pytest.approx(1)
    assert found["background"].effective_baselines == pytest.approx(6)
    weights = np.array([1, 10]) / 33
    assert found["weighted"].effective_baselines == pytest.approx(1 / (3 * (weights**2).sum()))
    assert 1 <= found["fittest"].effective_baselines <= 3
    assert found["coalitions"].effective_baselines.isnan()  # weights differ from feature to feature


@pytest.mark.slow
@pytest.mark.usefixtures("always_saved")
def test_it_goes_on_in_the_middle_of_any_method(tmp_path: Path, checkpoint: Path) -> None:
    expected = attribute(tmp_path / "undisturbed.safetensors", methods=MANY, metrics=METRICS)
    points, kills = Counted.points, 0

    def kill(done: int) -> None:
        raise KeyboardInterrupt

    for _ in range(100):
        Counted.points = 0
        try:
            found = attribute(checkpoint, kill if kills % 2 else killed_after(2), MANY, METRICS)
        except KeyboardInterrupt:
            kills += 1
            points -= Counted.points
        else:
            points -= Counted.points
            break
    assert kills > 5
    assert points == 0  # nothing was done twice
    assert_same(found, expected)


@pytest.mark.parametrize("events", [1, 5, 100])
def test_means_do_not_depend_on_chunks(events: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = {name: method for name, method in MANY.items() if name not in ("random_nodes", "sampled", "loudest")}
    fixed["coalitions"] = replace(ShapleyIG("mean"), coalitions=None)  # all of them: nothing is drawn
    expected = attribute(tmp_path / "expected.safetensors", methods=fixed, metrics=METRICS)
    monkeypatch.setattr(hep_attributions, "BYTES_PER_CHUNK", events * BASELINES * FEATURES * 4)
    monkeypatch.setattr(hep_attributions, "EVENTS_PER_CHUNK", events)
    found = attribute(tmp_path / "found.safetensors", methods=fixed, metrics=METRICS)
    assert found.gradient_points == expected.gradient_points
    for name, mean in expected.of.items():
        torch.testing.assert_close(found.of[name].signed, mean.signed)
        torch.testing.assert_close(found.of[name].magnitude, mean.magnitude)
        torch.testing.assert_close(dict(found.of[name].scores), dict(mean.scores))


def test_memory_is_that_of_a_chunk_also_where_every_event_has_its_own_baselines(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0

    def watched(*args: Tensor, **kwargs: object) -> Attribution:
        nonlocal most
        result: Attribution = path_attribution(*args, **kwargs)  # type: ignore[arg-type]
        assert result.per_baseline is not None
        most = max(most, result.per_baseline.nbytes)
        return result

    monkeypatch.setattr(attribution_methods, "path_attribution", watched)
    averages = {name: method for name, method in MANY.items() if isinstance(method, AveragedGradients)}
    attribute(checkpoint, methods=averages)
    assert 0 < most <= hep_attributions.BYTES_PER_CHUNK


def test_what_is_no_attribution_is_refused(checkpoint: Path) -> None:
    @dataclass(frozen=True)
    class Broken(Loudest):
        def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
            result = super().attribute(task, generator)
            return replace(result, attributions=result.attributions / 0)

    with pytest.raises(ValueError, match="method mine gave no finite number for each feature of 4 events"):
        attribute(checkpoint, methods={"mine": Broken()})


# The task


@pytest.mark.parametrize("fast_paths", [True, False])
def test_the_task_explains_an_output_and_follows_the_probability(fast_paths: bool) -> None:
    for output in ("logit", "probability"):
        task, source = events_task(output, fast_paths), torch.arange(EVENTS)
        logit = Counted().eval()(task.inputs)
        torch.testing.assert_close(task.f(task.inputs), logit if output == "logit" else logit.sigmoid())
        torch.testing.assert_close(task.followed(task.inputs, source), logit.sigmoid())
    assert task.units[1] == "event_1"
    assert set(task.imputers) == {"zero", "mean", "background"}


def test_the_background_is_that_of_the_training_part() -> None:
    events, train = table(), np.array([0, 1, 11, 12, 14])
    background = training_background(events, train, torch.zeros(FEATURES))
    assert torch.equal(background.examples, torch.from_numpy(events.features[[11, 12, 14]]))
    assert background.stratum is not None
    assert background.stratum_weight is not None
    assert background.stratum.tolist() == [1, 2, 2]
    assert background.stratum_weight.tolist() == [11, 10, 100]
    low, high = background.bounds()
    assert torch.equal(low, torch.from_numpy(events.features[train].min(axis=0)))
    assert torch.equal(high, torch.from_numpy(events.features[train].max(axis=0)))
