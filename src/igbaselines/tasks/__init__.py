"""What is explained, and what one may know beside: background, players, and what absent players become."""

from igbaselines.tasks.background import Background
from igbaselines.tasks.imputers import Imputer, draw, for_each, impute, lots
from igbaselines.tasks.lazy import Lazy
from igbaselines.tasks.players import EachFeature, FeatureMask, Patches, Pixels, PlayerMap, Players
from igbaselines.tasks.task import Function, Score, Task, class_score

__all__ = [
    "Background",
    "EachFeature",
    "FeatureMask",
    "Function",
    "Imputer",
    "Lazy",
    "Patches",
    "Pixels",
    "PlayerMap",
    "Players",
    "Score",
    "Task",
    "class_score",
    "draw",
    "for_each",
    "impute",
    "lots",
]
