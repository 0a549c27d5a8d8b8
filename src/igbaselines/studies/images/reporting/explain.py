"""Overlays of the explanations of one's own photographs: there is no claim to test."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_folder
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import save_figure
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import example_figure, overlay_caption
from igbaselines.studies.images.reporting.sheet import comparison_sheet, sheet_caption


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Draw each of the run's `explanations/*.npz` as a figure of the same name, and of several methods a sheet."""
    for name, shown in read_folder(ExplainedPhotograph, folder / "explanations").items():
        if len(shown.methods) > 1:
            save_figure(comparison_sheet(shown), folder, f"{name}_sheet", sheet_caption(shown, name))
        save_figure(example_figure(shown), folder, name, overlay_caption(shown, name))
