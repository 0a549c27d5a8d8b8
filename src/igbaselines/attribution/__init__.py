"""The engine: weighted path attributions from any baselines; it needs torch, numpy, jaxtyping and, of the suite, tasks and common."""

from igbaselines.attribution.engine.adaptive import Adaptive
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, Midpoint, QuadratureRule, RandomPoint, Trapezoid
from igbaselines.attribution.engine.result import AffineStem, Attribution, ClosedFormGradient

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
