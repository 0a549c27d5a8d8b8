"""Metrics of attributions, a file a family; each says its name, label, unit and direction."""

from igbaselines.metrics.agreement import KnownAgreement
from igbaselines.metrics.base import Metric, PairedMetric, Quantity, undirected
from igbaselines.metrics.localisation import OverlapAUC, PointingGame
from igbaselines.metrics.perturbation_curves import DeletionAUC

__all__ = [
    "DeletionAUC",
    "KnownAgreement",
    "Metric",
    "OverlapAUC",
    "PairedMetric",
    "PointingGame",
    "Quantity",
    "undirected",
]
