"""Metrics of attributions, a file a family; each says its name, label, unit and direction."""

from igbaselines.metrics.agreement import KnownAgreement
from igbaselines.metrics.base import Metric, PairedMetric, Quantity, judged, undirected
from igbaselines.metrics.faithfulness import FaithfulnessCorrelation, Infidelity
from igbaselines.metrics.localisation import OverlapAUC, PointingGame
from igbaselines.metrics.perturbation_curves import DeletionAUC
from igbaselines.metrics.retraining import RetrainedScore
from igbaselines.metrics.road import ROAD
from igbaselines.metrics.sensitivity import MaxSensitivity
from igbaselines.metrics.sparseness import Sparseness
from igbaselines.metrics.variants import DrawStability, ModelRandomisation, TwinStability

__all__ = [
    "ROAD",
    "DeletionAUC",
    "DrawStability",
    "FaithfulnessCorrelation",
    "Infidelity",
    "KnownAgreement",
    "MaxSensitivity",
    "Metric",
    "ModelRandomisation",
    "OverlapAUC",
    "PairedMetric",
    "PointingGame",
    "Quantity",
    "RetrainedScore",
    "Sparseness",
    "TwinStability",
    "judged",
    "undirected",
]
