"""The engine as a library: networks of anyone's explained in one line, judged in another."""

from igbaselines.library.explaining import Explanation, evaluate, explain, quantus_explain
from igbaselines.library.named import METHODS, METRICS
from igbaselines.library.plotting import plot

__all__ = ["METHODS", "METRICS", "Explanation", "evaluate", "explain", "plot", "quantus_explain"]
