"""Put what a run of `shapley_errors` found into docs/shapley.md: tables, the guideline in words, figures.

    python scripts/publish_errors.py outputs/shapley_errors/gridworld-demo-0123456789

Tables are the run's own, and nothing between the page's marks is typed by hand.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

import pandas as pd

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256, write_text
from igbaselines.reporting.tables import readable
from igbaselines.studies.gridworld.reporting.errors_figures import guideline_words

PAGE = Path(__file__).parents[1] / "docs" / "shapley.md"
PLACE = re.compile(r"<!-- errors -->.*<!-- /errors -->", re.DOTALL)
FIGURES = {
    "errors": "Parts of the error by architecture",
    "guideline": "Agreement by the number of coalitions and players",
}
SHOWN = ["architecture", "reference", "imputer", "paths", "plain IG: paths", "sampling", "quadrature"]

COUNTED = ["players", "all_coalitions", "below_paths", "below_paths_share", "near_limit", "near_limit_share"]


def publish(run: Path, page: Path = PAGE) -> None:
    """Write what stands between the page's marks anew, and the figures beside it.

    Raises:
        UserError: where the folder holds no complete run of shapley_errors.
    """
    if run.resolve().parent.name != "shapley_errors" or not (run / "status.json").exists():
        raise UserError(f"{run}: no complete run of shapley_errors")
    tables = {
        name: pd.read_csv(run / "tables" / f"{name}.csv", keep_default_na=False)
        for name in ("parts_summary", "bound", "guideline")
    }
    provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    lines = [
        "<!-- errors -->",
        f"From one run (seed {provenance['seed']}, sha256 of rows.parquet {sha256(run / 'rows.parquet')[:16]}):",
        "",
        *_table(tables["parts_summary"][SHOWN]),
        "",
        "How much of its bound a player's part of the paths reaches, at most in a state:",
        "",
        *_table(tables["bound"]),
        "",
        guideline_words(tables["guideline"]),
        "",
        *_table(tables["guideline"][COUNTED]),
        "",
        *(f"![{words}](shapley_{name}.png)\n" for name, words in FIGURES.items()),
        "<!-- /errors -->",
    ]
    text = "\n".join(lines)
    for name in FIGURES:
        shutil.copy(run / "figures" / f"figure_{name}.png", page.parent / f"shapley_{name}.png")
    write_text(page, PLACE.sub(lambda _: text, page.read_text(encoding="utf-8")))


def _table(table: pd.DataFrame) -> list[str]:
    lines = [[str(name).replace("_", " ") for name in table.columns], ["---"] * len(table.columns)]
    lines += [[readable(value) for value in row] for row in table.itertuples(index=False)]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a complete run of shapley_errors")
    try:
        publish(parser.parse_args().run)
    except UserError as error:
        parser.error(str(error))
