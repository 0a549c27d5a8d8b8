"""Discovery significance against closed forms, slow sums and known errors."""

import numpy as np
import pytest

from igbaselines.studies.hep.measures import discovery
from igbaselines.studies.hep.measures.discovery import (
    CrossSections,
    Selected,
    asimov_error,
    asimov_significance,
    asimov_significance_with_error,
    effective_events,
    pooled_significance,
)


def part(rng: np.random.Generator, events: np.ndarray, cuts: int = 3) -> Selected:
    return Selected(
        event=events,
        weight=rng.uniform(0.1, 2, len(events)),
        passes=np.sort(rng.random((len(events), cuts)) < 0.4, axis=1),
        signal_efficiency=np.linspace(0.3, 0.8, cuts) + 0.1 * rng.random(),
    )


def exactly(signal: float, events: int = 60) -> CrossSections:
    """One process of known cross-section, and that of the signal [fb]."""
    return CrossSections(signal, 0.0, np.zeros(events, dtype=int), np.zeros(1))


# The formula


@pytest.mark.parametrize("background", [10.0, 1e3, 1e6])
def test_tends_to_s_over_root_b(background: float) -> None:
    for share in (1e-2, 1e-3, 1e-4):
        signal = share * background
        z = float(asimov_significance(signal, background))
        # The next term of the series: Z = S / sqrt(B) (1 - S / 6B + ...).
        assert z == pytest.approx(signal / np.sqrt(background) * (1 - share / 6), rel=share**2 + 1e-7)


def test_is_a_likelihood_ratio() -> None:
    """Z^2 = 2 ln [Poisson(S + B | S + B) / Poisson(S + B | B)]."""
    s, b = np.array([3.0, 50.0, 0.2]), np.array([7.0, 2.0, 100.0])
    ratio = ((s + b) * np.log(s + b) - (s + b)) - ((s + b) * np.log(b) - b)
    np.testing.assert_allclose(asimov_significance(s, b), np.sqrt(2 * ratio), rtol=1e-8)


@pytest.mark.parametrize("background", [1e2, 1e4])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_an_uncertain_background_adds_to_its_fluctuation(background: float, share: float) -> None:
    """For little signal S / sqrt(B + error^2); without an error the plain significance, at its limit, too."""
    signal, error = 1e-3 * background, share * background
    expected = signal / np.sqrt(background + error**2)
    assert asimov_significance_with_error(signal, background, error) == pytest.approx(expected, rel=2e-3)
    plain = float(asimov_significance(signal, background))
    assert asimov_significance_with_error(signal, background, 0.0) == plain
    assert asimov_significance_with_error(signal, background, 1e-3) == pytest.approx(plain, rel=1e-5)
    assert np.isnan(asimov_significance_with_error(signal, 0.0, error))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("signal", "background", "error"), [(12.0, 50.0, 7.0), (5.0, 9.0, 2.0), (40.0, 300.0, 30.0)])
def test_pyhf_finds_the_same(signal: float, background: float, error: float) -> None:
    """The median of q_0 on Asimov data, of a counting experiment with and without an uncertain background."""
    import pyhf

    uncertain = pyhf.simplemodels.uncorrelated_background([signal], [background], [error])
    tiny = pyhf.simplemodels.uncorrelated_background([signal], [background], [1e-3])
    for model, expected in (
        (uncertain, asimov_significance_with_error(signal, background, error)),
        (tiny, asimov_significance(signal, background)),
    ):
        data = [signal + background, *model.config.auxdata]
        start, bounds = model.config.suggested_init(), model.config.suggested_bounds()
        q0 = pyhf.infer.test_statistics.q0(0.0, data, model, start, bounds, model.config.suggested_fixed())
        assert float(expected) == pytest.approx(float(np.sqrt(q0)), rel=1e-3)


def test_no_signal_has_no_significance() -> None:
    assert asimov_significance(0.0, 5.0) == 0


@pytest.mark.parametrize("background", [0.0, -1.0])
def test_no_background_gives_nan(background: float) -> None:
    assert np.isnan(asimov_significance(3.0, background))
    assert np.isnan(asimov_error(3.0, background, 1.0))


@pytest.mark.parametrize(("signal", "background"), [(3.0, 7.0), (50.0, 2.0), (1.0, 1000.0)])
def test_the_error_is_the_slope_times_the_error_of_the_background(signal: float, background: float) -> None:
    step = 1e-4 * background
    slope = float(asimov_significance(signal, background + step) - asimov_significance(signal, background - step)) / (
        2 * step
    )
    assert float(asimov_error(signal, background, 0.3)) == pytest.approx(0.3 * abs(slope), rel=1e-5)


@pytest.mark.parametrize(("signal", "background"), [(3.0, 7.0), (50.0, 2.0), (1.0, 1000.0)])
def test_the_error_of_the_signal_comes_on_top(signal: float, background: float) -> None:
    step = 1e-4 * signal
    slope = float(asimov_significance(signal + step, background) - asimov_significance(signal - step, background)) / (
        2 * step
    )
    assert float(asimov_error(signal, background, 0.0, 0.3)) == pytest.approx(0.3 * slope, rel=1e-5)
    both = np.hypot(asimov_error(signal, background, 0.4), 0.3 * slope)
    assert float(asimov_error(signal, background, 0.4, 0.3)) == pytest.approx(float(both), rel=1e-5)


def test_effective_events() -> None:
    assert effective_events(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_events(np.array([1.0, 1.0, 0.0])) == pytest.approx(2)
    assert effective_events(np.zeros(3)) == 0


# Networks pooled


def test_pools_as_a_slow_direct_sum(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "EVENTS_IN_A_CHUNK", 7)
    parts = [part(rng, rng.permutation(60)[:35]) for _ in range(4)]
    result = pooled_significance(parts, exactly(2.5), luminosity=3.0, replicates=0, seed=0)
    for cut in range(3):
        of_event = dict.fromkeys(range(60), 0.0)
        efficiency = 0.0
        for each in parts:
            efficiency += each.signal_efficiency[cut] / 4
            for event, weight, passes in zip(each.event, each.weight, each.passes[:, cut], strict=True):
                of_event[int(event)] += 3.0 * weight / 4 if passes else 0.0
        signal, background = 2.5 * 3.0 * efficiency, sum(of_event.values())
        squares = sum(value**2 for value in of_event.values())
        assert result.signal[cut] == pytest.approx(signal)
        assert result.background[cut] == pytest.approx(background)
        assert result.n_eff[cut] == pytest.approx(background**2 / squares)
        assert result.value[cut] == pytest.approx(asimov_significance(signal, background))
        assert result.mc_error[cut] == pytest.approx(asimov_error(signal, background, np.sqrt(squares)))


def test_an_event_that_several_networks_score_counts_once(rng: np.random.Generator) -> None:
    """The same network twice: nothing is gained."""
    one = part(rng, np.arange(50))
    alone, twice = (pooled_significance(parts, exactly(1.0), 10.0, 0, 0) for parts in ([one], [one, one]))
    for name in ("signal", "background", "n_eff", "value", "mc_error"):
        np.testing.assert_allclose(getattr(twice, name), getattr(alone, name))


def test_a_cut_that_nothing_passes_gives_nan(rng: np.random.Generator) -> None:
    one = part(rng, np.arange(50))
    one.passes[:, 0] = False
    result = pooled_significance([one], exactly(1.0), 10.0, 20, 0)
    assert result.background[0] == 0
    assert result.n_eff[0] == 0
    assert np.isnan(result.value[0])
    assert np.isnan(result.mc_error[0])
    assert np.all(np.isnan(result.replicates[:, 0]))
    assert np.all(np.isfinite(result.value[1:]))
    one.passes[:] = False
    assert np.all(np.isnan(pooled_significance([one], exactly(1.0), 10.0, 20, 0).value))


def test_replicates_spread_by_the_error(rng: np.random.Generator) -> None:
    """One network, many events: what is left is the Poisson error of the background, known to first order."""
    events = 4000
    many = Selected(np.arange(events), rng.uniform(0.5, 1.5, events), np.ones((events, 1), dtype=bool), np.ones(1))
    result = pooled_significance([many], exactly(10.0, events), 1.0, replicates=2000, seed=0)
    assert result.replicates.shape == (2000, 1)
    assert result.replicates.std() == pytest.approx(float(result.mc_error[0]), rel=0.06)
    assert result.replicates.mean() == pytest.approx(float(result.value[0]), abs=4 * float(result.mc_error[0]) / 40)


def test_replicates_spread_by_the_networks_too(rng: np.random.Generator) -> None:
    """Networks that differ in the signal they keep: the error of their mean comes on top."""
    events = 4000
    efficiencies = np.linspace(0.5, 1.5, 8)
    parts = [
        Selected(np.arange(events), np.ones(events), np.ones((events, 1), dtype=bool), np.array([efficiency]))
        for efficiency in efficiencies
    ]
    result = pooled_significance(parts, exactly(10.0, events), 1.0, replicates=3000, seed=0)
    slope = float(result.value[0] / result.signal[0])  # S much smaller than B
    of_networks = 10 * slope * efficiencies.std() / np.sqrt(8)
    expected = np.hypot(of_networks, float(result.mc_error[0]))
    assert of_networks > 2 * float(result.mc_error[0])
    assert result.replicates.std() == pytest.approx(expected, rel=0.06)


def test_cuts_are_paired(rng: np.random.Generator) -> None:
    """Two cuts that keep nearly the same events differ by far less than each of them varies."""
    events = 2000
    passes = np.ones((events, 2), dtype=bool)
    passes[:20, 1] = False
    two_cuts = Selected(np.arange(events), np.ones(events), passes, np.ones(2))
    result = pooled_significance([two_cuts], exactly(10.0, events), 1.0, 500, 0)
    one, other = result.replicates.T
    assert (one - other).std() < 0.2 * one.std()
    assert not np.array_equal(one, other)


def test_the_bootstrap_depends_on_its_seed_and_not_on_chunks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [part(rng, rng.permutation(60)[:35]) for _ in range(3)]
    one, again, other = (pooled_significance(parts, exactly(1.0), 5.0, 50, seed).replicates for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)  # a replicate without background is NaN in both
    assert not np.array_equal(one, other, equal_nan=True)
    monkeypatch.setattr(discovery, "EVENTS_IN_A_CHUNK", 8)
    chunked = pooled_significance(parts, exactly(1.0), 5.0, 2000, 1).replicates
    whole = pooled_significance(parts, exactly(1.0), 5.0, 2000, 3).replicates
    np.testing.assert_allclose(np.nanstd(chunked, axis=0), np.nanstd(whole, axis=0), rtol=0.15)


# Errors of the cross-sections


@pytest.mark.parametrize(("signal_error", "process_error"), [(0.0, [0.2, 0.05]), (0.15, [0.0, 0.0]), (0.1, [0.1, 0.3])])
def test_errors_of_cross_sections_spread_the_replicates(signal_error: float, process_error: list[float]) -> None:
    """Of the processes, the signal and the counting of events: independent errors, to first order."""
    events = 2000
    process = np.arange(events) % 2
    weight = np.where(process == 0, 0.3, 0.7)
    many = Selected(np.arange(events), weight, np.ones((events, 1), dtype=bool), np.ones(1))
    errors = CrossSections(10.0, signal_error, process, np.array(process_error) / 4)
    result = pooled_significance([many], errors, 1.0, replicates=800, seed=0)
    of_process = np.array([300.0, 700.0]) * errors.process_error
    counting = np.sqrt((weight**2).sum())
    background_error = np.hypot(np.hypot(*of_process), counting)
    expected = float(asimov_error(10.0, 1000.0, background_error, 10.0 * signal_error))
    assert float(result.mc_error[0]) == pytest.approx(expected)
    assert result.replicates.std() == pytest.approx(expected, rel=0.1)
    assert result.n_eff[0] == pytest.approx(effective_events(weight))  # simulated events, however they are weighted


def test_all_cuts_share_the_draw_of_a_cross_section() -> None:
    events = 1000
    passes = np.ones((events, 2), dtype=bool)
    passes[:10, 1] = False
    two_cuts = Selected(np.arange(events), np.ones(events), passes, np.ones(2))
    errors = CrossSections(10.0, 0.1, np.zeros(events, dtype=int), np.array([0.3]))
    one, other = pooled_significance([two_cuts], errors, 1.0, 500, 0).replicates.T
    assert one.std() > 0.1 * one.mean()
    assert (one - other).std() < 0.02 * one.std()


def test_no_cross_section_becomes_negative() -> None:
    errors = CrossSections(1.0, 0.9, np.zeros(5, dtype=int), np.array([0.9, 0.0]))
    signal, processes = errors.factors(2000, seed=3)
    assert signal.min() == processes[:, 0].min() == 0
    assert np.all(processes[:, 1] == 1)
    assert abs(np.corrcoef(signal, processes[:, 0])[0, 1]) < 0.1


def test_known_cross_sections_change_no_other_draw(rng: np.random.Generator) -> None:
    """What has no error comes out to the last bit as if there were none anywhere."""
    parts = [part(rng, rng.permutation(60)[:35]) for _ in range(3)]
    process = np.arange(60) % 2
    parts_of_first = [
        Selected(p.event, p.weight, p.passes & (process[p.event] == 0)[:, None], p.signal_efficiency) for p in parts
    ]
    of_the_other = CrossSections(1.0, 0.0, process, np.array([0.0, 0.5]))
    plain, other = (pooled_significance(parts_of_first, known, 5.0, 50, 1) for known in (exactly(1.0), of_the_other))
    np.testing.assert_array_equal(plain.replicates, other.replicates)
    np.testing.assert_array_equal(plain.mc_error, other.mc_error)
