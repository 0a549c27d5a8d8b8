"""Tables of a run: .csv with every digit, .md and .tex to be read."""

from pathlib import Path

import pandas as pd

from igbaselines.reporting.labels import escape_latex, latex_label

LABELLED = ("feature", "method", "model")


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> None:
    """Write NAME.csv, NAME.md and NAME.tex into folder/tables.

    Args:
        frame: without an index that matters; columns `feature`, `method` and `model` are printed by their labels in
            LaTeX.
        folder: a run's folder.
        name: file name without suffix.
    """
    tables = folder / "tables"
    tables.mkdir(exist_ok=True)
    frame.to_csv(tables / f"{name}.csv", index=False)
    (tables / f"{name}.md").write_text(_markdown(frame), encoding="utf-8")
    (tables / f"{name}.tex").write_text(_latex(frame), encoding="utf-8")


def readable(value: object) -> str:
    """Print a cell: four digits of a number, nothing for a missing one."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return "" if value is None or value is pd.NA else str(value)


def _markdown(frame: pd.DataFrame) -> str:
    lines = [list(frame.columns), ["---"] * len(frame.columns)]
    lines += [[readable(value) for value in row] for row in frame.itertuples(index=False)]
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _latex(frame: pd.DataFrame) -> str:
    printed = pd.DataFrame(
        {
            escape_latex(column): [
                (latex_label if column in LABELLED else escape_latex)(readable(value)) for value in frame[column]
            ]
            for column in frame.columns
        }
    )
    return printed.to_latex(index=False, escape=False)
