"""Put the answer of runs of `comparison` into docs/results/, and into the README that of all methods.

    python scripts/publish_answer.py outputs/comparison/paper-0123456789 outputs/comparison/paper-abcdef0123
    python scripts/publish_answer.py --to comparison_weights outputs/comparison/paper-aaaaaaaaaa

Words, tables and figures are made anew from the rows of all of the runs, whose kinds of data are different ones; their
commands and the checksums of their rows stand beside.
"""

import argparse
import hashlib
import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import yaml

from igbaselines.common.files import sha256
from igbaselines.reporting.render import render_run
from igbaselines.running.rows import Names
from igbaselines.running.study import task_makers
from igbaselines.studies.comparison.reporting.answer import SHORT

ROOT = Path(__file__).parents[1]
ANSWER = "comparison"
TITLES = {
    ANSWER: f"`experiment={ANSWER}`",
    "comparison_weights": "`experiment=comparison_weights`",
    "comparison_field": f"`experiment={ANSWER}`, of the methods of the field",
}
FIGURES = ("figure_answer", "figure_ranks", "figure_questions", "figure_comparison", "figure_cost")
TABLES = (
    *("answer", "answer_matrix", "answer_by_question"),
    *("own_mask", "weights_taken_apart", "without_a_metric", "sampled_values"),
)
OF_PLACE = (
    "output_root=",
    "data_root=",
    "shard.index=",
    "hydra.mode=",
    "force=",
)  # of a command: no part of the answer
METRIC_BY_METRIC = r" By \d+ of \d+ metrics? [^.]*\."  # where controls do well: in docs/ alone
HEADS = ["data", "take", "it spends", "not told from it", "how sure", "hangs on", "ranks of what the papers propose"]
PLACE = re.compile(r"<!-- answer -->.*<!-- /answer -->", re.DOTALL)


def publish(runs: Sequence[Path], to: str = ANSWER, root: Path = ROOT) -> Path:
    """Write docs/results/<to>/ anew, and for `comparison` the README's answer; returns the folder.

    Raises:
        ValueError: where two runs have a kind of data in common, or a run is none of `comparison`.
    """
    with tempfile.TemporaryDirectory() as place:
        return _publish(_together(runs, Path(place)), runs, to, root)


def _together(runs: Sequence[Path], folder: Path) -> Path:
    """Render the rows of several runs as if one run had made them."""
    tables, names, config = [], Names(), {}
    for run in runs:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        if config["experiment"] != ANSWER:
            raise ValueError(f"{run} is a run of {config['experiment']}: give runs of {ANSWER}")
        own = Names.read(run)
        names.methods.update(own.methods)
        names.metrics.update(own.metrics)
        tables.append(pd.read_parquet(run / "rows.parquet"))
    domains = [set(table["domain"]) for table in tables]
    if sum(map(len, domains)) > len(set.union(*domains)):
        raise ValueError("two of the runs have a kind of data in common: give runs of different tasks")
    names.write(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    render_run(folder, pd.concat(tables, ignore_index=True), config)
    return folder


def _publish(made: Path, runs: Sequence[Path], to: str, root: Path) -> Path:
    words = pd.read_csv(made / "tables" / "answer.csv", dtype=str, keep_default_na=False)
    folder = root / "docs" / "results" / to
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shown = [name for name in FIGURES if (made / "figures" / f"{name}.png").exists()]
    for name in shown:
        shutil.copy(made / "figures" / f"{name}.png", folder)
    tables = [name for name in TABLES if (made / "tables" / f"{name}.csv").exists()]
    for name in tables:
        shutil.copy(made / "tables" / f"{name}.csv", folder)
    heads = [line for run in runs for line in _head(run)]
    known = task_makers() if to == ANSWER else ()
    made_by = "Made by `scripts/publish_answer.py` from the rows of these runs."
    listed = "Tables: " + ", ".join(f"[{name}]({name}.csv)" for name in tables) + "."
    matrix = (made / "tables" / "answer_matrix.md").read_text(encoding="utf-8")
    page = [f"# The answer of {TITLES[to]}", "", *_in_short(words, known), "", *heads, made_by, "", matrix]
    page += [*_words(words), "", *(f"![{name}]({name}.png)\n" for name in shown), listed]
    (folder / "README.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    if to == ANSWER:
        _open_readme(words, root / "README.md")
    return folder


def _open_readme(words: pd.DataFrame, readme: Path) -> None:
    """Put the answer in short between the README's marks."""
    place = f"docs/results/{ANSWER}"
    picture = f"![Mean ranks of all methods on each kind of data]({place}/figure_answer.png)"
    whole = f"[The whole answer, and the commands that made it]({place}/README.md)."
    lines = ["<!-- answer -->", *_in_short(words, task_makers()), "", picture, "", whole, "<!-- /answer -->"]
    text = "\n".join(lines)
    readme.write_text(PLACE.sub(lambda _: text, readme.read_text(encoding="utf-8")), encoding="utf-8")


def _in_short(words: pd.DataFrame, known: Iterable[str] = ()) -> list[str]:
    """A line for each kind of data; of the known ones those that were not run have no answer."""
    lines = [[f"**{line['domain']}**", *(line[name] for name in SHORT)] for _, line in words.iterrows()]
    lines += [
        [f"**{name}**", "not run at this scale", *[""] * (len(SHORT) - 1)]
        for name in known
        if name not in set(words["domain"])
    ]
    return ["| " + " | ".join(cells) + " |" for cells in (HEADS, ["---"] * len(HEADS), *lines)]


def _words(words: pd.DataFrame) -> list[str]:
    return [f"- **{line.domain}**: {line.answer}" for line in words.itertuples()]


def _head(run: Path) -> list[str]:
    provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    rows = pd.read_parquet(run / "rows.parquet")
    same = (
        rows[rows["metric"] != "seconds"].drop(columns="seed").sort_values(list(rows.columns.drop(["seed", "value"])))
    )
    words = [word for word in shlex.split(provenance["command"]) if not word.lstrip("+").startswith(OF_PLACE)]
    return [
        f"    {' '.join(words)}",
        "",
        f"{len(rows)} rows; sha256 of rows.parquet {sha256(run / 'rows.parquet')}; without seconds, rounded to six "
        f"digits, {_rounded(same)}; code {provenance['code'][:16]}.",
        "",
    ]


def _rounded(rows: pd.DataFrame) -> str:
    """A checksum that rounding in the last digits does not change."""
    text = rows.assign(value=[f"{value:.5e}" for value in rows["value"]]).to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of complete runs")
    parser.add_argument("--to", default=ANSWER, choices=TITLES, help="folder in docs/results/")
    given = parser.parse_args()
    print(publish(given.runs, given.to))
