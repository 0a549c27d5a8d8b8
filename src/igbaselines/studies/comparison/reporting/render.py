"""The tables and figures of `comparison`."""

from pathlib import Path

import pandas as pd
import yaml

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.running.rows import Names
from igbaselines.studies.comparison.reporting import figures, tables, weights
from igbaselines.studies.comparison.reporting.answer import answer_table, in_short, matrix_table, words_of
from igbaselines.studies.comparison.reporting.judged import at_largest_budget, domains


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write what follows from the rows; the run's names.json says what metrics ask, and which direction is better."""
    every = domains(rows, Names.read(folder).metrics)
    main = at_largest_budget(every)
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    methods, metrics = tables.methods_table(every), tables.metrics_table(main)
    sets, plain, families = weights.read_config(config)
    parts = weights.parts_table(main, sets, plain, families)
    words = []
    for one in main:
        others = [other for other in every if other is not one]
        said = f"{words_of(one, others)} {weights.words_of_parts(parts, sets, one.name)}".strip()
        words.append({"domain": one.name, **in_short(one, others), "answer": said})
    found = {
        "answer": pd.DataFrame(words),
        "answer_matrix": matrix_table(main),
        "answer_by_question": answer_table(main),
        "ranks_by_metric": tables.ranks_table(main),
        "comparison": methods,
        "agreement_of_metrics": metrics,
        "without_a_metric": tables.left_out_table(main),
        "sampled_values": tables.known_table(rows),
        "own_mask": weights.circularity_table(main, sets, families),
        "weights_taken_apart": parts,
    }
    write_tables(folder, found)
    drawings = {
        "figure_answer": figures.answer_figure(main),
        "figure_ranks": figures.ranks_figure(main),
        "figure_questions": figures.questions_figure(main),
        "figure_comparison": figures.metrics_and_methods_figure(main),
        "figure_metrics": figures.metrics_figure(metrics),
        "figure_cost": figures.cost_figure(every),
    }
    save_figures(folder, drawings)
