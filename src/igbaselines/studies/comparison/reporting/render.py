"""The tables and figures of `comparison`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import yaml

from igbaselines.common.halves import in_halves
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.running.rows import Names
from igbaselines.studies.comparison.reporting import figures, tables, weights
from igbaselines.studies.comparison.reporting.answer import answer_table, in_short, matrix_table, words_of
from igbaselines.studies.comparison.reporting.judged import Domain, at_largest_budget, domains


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write what follows from the rows; the run's names.json says what metrics ask, and which direction is better.

    Each figure is drawn where it is saved, and tables are made beside them: a minute's run has seconds of them.
    """
    every = domains(rows, Names.read(folder).metrics)
    main = at_largest_budget(every)
    for one in main:
        _ = one.overall  # what tables and figures have in common
    drawings: dict[str, Callable[[], Drawing]] = {
        "figure_metrics": lambda: figures.metrics_figure(tables.metrics_table(main)),
        "figure_comparison": lambda: figures.metrics_and_methods_figure(main),
        "figure_ranks": lambda: figures.ranks_figure(main),
        "figure_questions": lambda: figures.questions_figure(main),
        "figure_answer": lambda: figures.answer_figure(main),
        "figure_cost": lambda: figures.cost_figure(every),
    }

    def write(what: str) -> None:
        if what in drawings:
            save_figures(folder, {what: drawings[what]()})
        else:
            write_tables(folder, _tables(folder, rows, every, main))

    in_halves(write, ["tables", *drawings])


def _tables(
    folder: Path, rows: pd.DataFrame, every: Sequence[Domain], main: Sequence[Domain]
) -> dict[str, pd.DataFrame]:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    sets, plain, families = weights.read_config(config)
    parts = weights.parts_table(main, sets, plain, families)
    words = []
    for one in main:
        others = [other for other in every if other is not one]
        said = f"{words_of(one, others)} {weights.words_of_parts(parts, sets, one.name)}".strip()
        words.append({"domain": one.name, **in_short(one, others), "answer": said})
    return {
        "answer": pd.DataFrame(words),
        "answer_matrix": matrix_table(main),
        "answer_by_question": answer_table(main),
        "ranks_by_metric": tables.ranks_table(main),
        "comparison": tables.methods_table(every),
        "agreement_of_metrics": tables.metrics_table(main),
        "without_a_metric": tables.left_out_table(main),
        "sampled_values": tables.known_table(rows),
        "own_mask": weights.circularity_table(main, sets, families),
        "weights_taken_apart": parts,
    }
