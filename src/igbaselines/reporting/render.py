"""What every run's folder gets from its rows: tables/, figures/ and claims.json."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from igbaselines.common.errors import UserError
from igbaselines.common.files import write_text
from igbaselines.reporting.claims import Printed, judge, load_papers, printed_for
from igbaselines.reporting.tables import write_table
from igbaselines.studies.gridworld.reporting import render as shapley_gridworld
from igbaselines.studies.hep.reporting import baselines as hep
from igbaselines.studies.hep.reporting import generators as hep_generators
from igbaselines.studies.hep.reporting.rankings import render as hep_rankings
from igbaselines.studies.images.reporting import explain
from igbaselines.studies.images.reporting.shapley import render as shapley_images
from igbaselines.studies.images.reporting.weighted import render as weighted_gradients

Renderer = Callable[[Path, pd.DataFrame, Printed], None]

RENDERERS: dict[str, Renderer] = {
    "hep_baselines": hep.render,
    "hep_generators": hep_generators.render,
    **hep_rankings.RENDERERS,
    "weighted_gradients": weighted_gradients.render,
    "shapley_gridworld": shapley_gridworld.render,
    "shapley_images": shapley_images.render,
    "explain": explain.render,
}

CLAIM_COLUMNS = [
    "id",
    "statement",
    "paper_value",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "p_value",
    "test",
    "verdict",
    "note",
]


def render_run(folder: Path, rows: pd.DataFrame, config: Mapping[str, Any], claims_root: Path) -> None:
    """Write tables, figures and claims of a run.

    Args:
        folder: the run's folder, which exists.
        rows: one row for each measured value.
        config: the resolved configuration; `experiment` picks the renderer and the claims.
        claims_root: folder of the papers' claims.

    Raises:
        UserError: for an experiment that nothing renders, or a claims file that is wrong.
    """
    experiment = config["experiment"]
    if experiment not in RENDERERS:
        raise UserError(f"no figures are known for experiment {experiment!r}; there are {', '.join(RENDERERS)}")
    papers = load_papers(claims_root)
    RENDERERS[experiment](folder, rows, printed_for(papers, experiment))
    records = [judge(claim, rows) for paper in papers for claim in paper.claims.get(experiment, ())]
    if records:
        write_table(pd.DataFrame(records, columns=CLAIM_COLUMNS), folder, "claims")
    write_text(folder / "claims.json", json.dumps(records, indent=1, allow_nan=False))
