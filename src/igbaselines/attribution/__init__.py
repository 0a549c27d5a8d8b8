"""The engine: weighted path attributions from any baselines; it needs torch and numpy alone."""

from igbaselines.attribution.engine.adaptive import Adaptive
from igbaselines.attribution.engine.path import AffineStem, Attribution, ClosedFormGradient, path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, Midpoint, QuadratureRule, RandomPoint, Trapezoid

__all__ = [
    "Adaptive",
    "AffineStem",
    "Attribution",
    "ClosedFormGradient",
    "GaussLegendre",
    "Midpoint",
    "QuadratureRule",
    "RandomPoint",
    "Trapezoid",
    "path_attribution",
]
