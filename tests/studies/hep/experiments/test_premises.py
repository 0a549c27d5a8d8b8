"""Premises of 2412.13864 where the answer is known: attributions that we have written down."""

import numpy as np
import pytest
import torch

from igbaselines.studies.hep.experiments.premises import agreement_of_draws, raised_attributions


def test_what_a_baseline_has_more_of_is_attributed_less() -> None:
    """IG of a linear function is w (x - x'), so that high values of a feature lower its attribution by w times more."""
    rng = np.random.default_rng(0)
    baselines, weights = rng.normal(size=(400, 3)), np.array([2.0, -1.0, 0.0])
    raised = raised_attributions(baselines, -weights * baselines)
    highest = np.sort(baselines, axis=0)[-40:].mean(axis=0)
    others = np.sort(baselines, axis=0)[:-40].mean(axis=0)
    assert raised == pytest.approx(-weights * (highest - others))


def test_a_feature_that_never_changes_has_none() -> None:
    assert np.isnan(raised_attributions(np.ones((10, 1)), np.zeros((10, 1)))).all()


def test_averages_agree_more_the_more_is_averaged() -> None:
    rng = np.random.default_rng(1)
    attributions = np.arange(50.0) + 60 * rng.normal(size=(400, 50))
    agreements = [agreement_of_draws(attributions, n, torch.Generator().manual_seed(0)) for n in (1, 20, 200)]
    assert agreements == sorted(agreements)
    assert agreements[0] < 0.3 < 0.9 < agreements[2]
