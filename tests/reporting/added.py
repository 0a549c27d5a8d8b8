"""Rows of a method and a metric that no list of the code knows, and what a figure says."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

METHOD, METRIC = "my_method", "my_metric"


def with_method(rows: pd.DataFrame, like: str) -> pd.DataFrame:
    """Measure `my_method`, too: everything that was measured of another method, and a little less."""
    added = rows[rows["method"] == like].assign(method=METHOD, value=lambda found: 0.97 * found["value"])
    return pd.concat([rows, added], ignore_index=True)


def with_metric(rows: pd.DataFrame, like: str) -> pd.DataFrame:
    """Measure `my_metric`, too: everywhere where another metric was measured."""
    return pd.concat([rows, rows[rows["metric"] == like].assign(metric=METRIC)], ignore_index=True)


def words_of(figure: Figure | None) -> str:
    """All that is written in a figure, with names as they are."""
    assert figure is not None
    shown = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    return "\n".join(shown).replace(METHOD.replace("_", " "), METHOD)


def says(table: pd.DataFrame) -> str:
    """All names in a table: of its columns, and in its cells."""
    cells = [str(cell) for column in table for cell in table[column] if isinstance(cell, str)]
    return "\n".join([*map(str, table.columns), *cells]).replace("my metric", METRIC)
