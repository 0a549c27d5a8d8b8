"""The engine as a library: networks of anyone's explained in one line, judged in another."""

from igbaselines.library.explaining import Explanation, evaluate, explain, quantus_explain
from igbaselines.library.named import METHODS, METRICS

__all__ = ["METHODS", "METRICS", "Explanation", "evaluate", "explain", "quantus_explain"]
