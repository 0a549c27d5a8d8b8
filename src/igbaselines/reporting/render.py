"""What every run's folder gets from its rows: tables/, figures/ and claims.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igbaselines.common.files import write_text
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.rows import Names
from igbaselines.running.study import find_experiment, look_up

if TYPE_CHECKING:
    import pandas as pd

RESULT_COLUMNS = ["value", "ci_low", "ci_high", "n", "p_value", "test", "verdict", "note"]
CLAIM_COLUMNS = ["id", "statement", "paper_value", *RESULT_COLUMNS]


def render_run(folder: Path, rows: "pd.DataFrame", config: Mapping[str, Any], claims_root: Path = CLAIMS_ROOT) -> None:
    """Write tables, figures and claims of a run into its folder, which has its names.json.

    Raises:
        UserError: for an experiment that there is not, or a claims file that is wrong.
    """
    import pandas as pd  # here and below: a run that is complete already loads nothing that draws

    from igbaselines.reporting.claims import judge_paper, printed_for
    from igbaselines.reporting.labels import printed_as
    from igbaselines.reporting.papers import load_papers
    from igbaselines.reporting.tables import write_table

    experiment = config["experiment"]
    render = look_up(find_experiment(experiment).render)
    papers = load_papers(claims_root)
    with printed_as(Names.read(folder)):
        render(folder, rows, printed_for(papers, experiment, config.get("dataset_name")))
    records = [record for paper in papers for record in judge_paper(paper, experiment, rows)]
    if records:
        write_table(pd.DataFrame(records, columns=CLAIM_COLUMNS), folder, "claims")
    write_text(folder / "claims.json", json.dumps(records, indent=1, allow_nan=False))
