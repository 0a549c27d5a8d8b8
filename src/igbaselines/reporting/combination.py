"""What all complete runs of an experiment give together: tables with a note, figures with a caption."""

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Noted:
    """A table, its file name, and what a reader should know of it."""

    name: str
    table: pd.DataFrame
    note: str


@dataclass(frozen=True)
class Drawn:
    """A figure, its file name, and its caption."""

    name: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Combination:
    """Tables and figures over all complete runs of an experiment."""

    tables: list[Noted] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)
