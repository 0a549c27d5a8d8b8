"""The engine: weighted path attributions from any baselines; of the suite it needs `tasks` and `common` alone."""

from igbaselines.attribution.engine.adaptive import Adaptive
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import (
    GaussLegendre,
    LeftRiemann,
    Midpoint,
    QuadratureRule,
    RandomPoint,
    RightRiemann,
    Rotated,
    Trapezoid,
)
from igbaselines.attribution.engine.result import AffineStem, Attribution, ClosedFormGradient

__all__ = [
    "Adaptive",
    "AffineStem",
    "Attribution",
    "ClosedFormGradient",
    "GaussLegendre",
    "LeftRiemann",
    "Midpoint",
    "QuadratureRule",
    "RandomPoint",
    "RightRiemann",
    "Rotated",
    "Trapezoid",
    "path_attribution",
]
