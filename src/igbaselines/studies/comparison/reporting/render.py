"""The tables and figures of `comparison`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.running.rows import Names
from igbaselines.studies.comparison.reporting import figures, tables
from igbaselines.studies.comparison.reporting.answer import answer_table, words_of
from igbaselines.studies.comparison.reporting.judged import at_largest_budget, domains


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write what follows from the rows; the run's names.json says what metrics ask, and which direction is better."""
    every = domains(rows, Names.read(folder).metrics)
    main = at_largest_budget(every)
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    methods, metrics = tables.methods_table(every), tables.metrics_table(main)
    words = [
        {"domain": one.name, "answer": words_of(one, [other for other in every if other is not one])} for one in main
    ]
    found = {
        "answer": pd.DataFrame(words),
        "answer_by_question": answer_table(main),
        "comparison": methods,
        "agreement_of_metrics": metrics,
        "without_a_metric": tables.left_out_table(main),
        "sampled_values": tables.known_table(rows),
        "own_mask": tables.circularity_table(main, *_imputers(config)),
        "weights_taken_apart": tables.parts_table(main, *_imputers(config)),
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


def _imputers(config: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What stands in the place of absent players: by method with a fitness, and by metric of each family.

    A family are metrics that are configured alike but for their imputer and their name.
    """
    methods = {
        name: method["fitness"]["mask"]
        for name, method in (config.get("methods") or {}).items()
        if method.get("weighting") and isinstance((method.get("fitness") or {}).get("mask"), str)
    }
    families: dict[str, dict[str, str]] = {}
    for key, metric in (config.get("metrics") or {}).items():
        if isinstance(metric.get("imputer"), str):
            alike = {name: value for name, value in metric.items() if name not in ("imputer", "name")}
            families.setdefault(json.dumps(alike, sort_keys=True), {})[metric.get("name") or key] = metric["imputer"]
    return methods, list(families.values())
