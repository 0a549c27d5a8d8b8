"""What the benchmark writes: tables, and figures of times as ratios and of how time and memory grow."""

from pathlib import Path

import pandas as pd

from igbaselines.reporting.style import BLUE, GREY, ORANGE, new_figure, page_style, save_figure, style_of
from igbaselines.reporting.tables import write_table


def write(folder: Path, timings: pd.DataFrame, goals: pd.DataFrame, grown: pd.DataFrame) -> None:
    """Write the tables and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(goals, folder, "goals")
    write_table(timings, folder, "timings")
    draw_ratios(timings, folder)
    if len(grown):
        write_table(grown, folder, "scaling")
        draw_scaling(grown, folder)


def draw_ratios(timings: pd.DataFrame, folder: Path) -> None:
    """Draw a bar for each candidate of each job: its time over that of the job's first."""
    drawn = timings[timings["times_ours"].notna()].iloc[::-1].reset_index(drop=True)
    with page_style():
        figure = new_figure(9.0, 1.2 + 0.22 * len(drawn))
        axes = figure.subplots()
        colours = [
            BLUE if name.startswith("igbaselines") else GREY if "limit" in name else ORANGE
            for name in drawn["candidate"]
        ]
        axes.barh(drawn.index, drawn["times_ours"], color=colours, left=0)
        axes.set_xscale("log")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(drawn.index, drawn["job"] + ": " + drawn["candidate"], fontsize=7)
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(-0.6, len(drawn) - 0.4)
        axes.set_xlabel("time, in times that of igbaselines (median over rounds)")
        save_figure(
            figure, folder, "ratios", "The same job by everybody: time over that of igbaselines, round by round."
        )


def draw_scaling(grown: pd.DataFrame, folder: Path) -> None:
    """Draw seconds and memory along every direction."""
    directions = list(grown["along"].unique())
    with page_style():
        figure = new_figure(2.6 * len(directions), 5.2)
        panels = figure.subplots(2, len(directions), sharex="col", squeeze=False)
        for column, along in enumerate(directions):
            part = grown[grown["along"] == along]
            for (candidate, points), style in zip(part.groupby("candidate"), map(style_of, (1, 2)), strict=False):
                panels[0, column].plot(points["at"], points["seconds"], label=candidate, **style)
                panels[1, column].plot(points["at"], points["peak_mib"], **style)
            for panel in panels[:, column]:
                panel.set_xscale("log")
                panel.set_yscale("log")
            panels[1, column].set_xlabel(along)
        panels[0, 0].set_ylabel("seconds")
        panels[1, 0].set_ylabel("peak memory [MiB]")
        panels[0, 0].legend(fontsize=8)
        caption = (
            "Time, and peak memory beyond the imports, of the HEP network (300 events x 5 baselines x 50 nodes, and "
            "other numbers along one direction) and of mobilenet_v2 (1 image x 6 baselines x 16 nodes). What is slow "
            "is timed on some of the baselines, and its seconds are scaled."
        )
        save_figure(figure, folder, "scaling", caption)
