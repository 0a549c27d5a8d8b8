"""Put the answer of a run of `comparison` into docs/results/comparison/ and into the README.

    python scripts/publish_answer.py outputs/comparison/paper-0123456789

What is copied was made by the run: its words, tables and figures, with the checksum of its rows.
"""

import argparse
import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import yaml

from igbaselines.running.study import task_makers

ROOT = Path(__file__).parents[1]
FIGURES = ("figure_answer", "figure_ranks", "figure_questions", "figure_comparison", "figure_cost")
TABLES = ("answer", "answer_by_question", "own_mask", "weights_taken_apart", "without_a_metric", "sampled_values")
METRIC_BY_METRIC = r" By \d+ of \d+ metrics? [^.]*\."  # where controls do well: in docs/ alone
PLACE = re.compile(r"<!-- answer -->.*<!-- /answer -->", re.DOTALL)


def publish(run: Path, root: Path = ROOT) -> Path:
    """Write docs/results/comparison/ anew, and the README's answer; returns the folder.

    Raises:
        FileNotFoundError: where the run has no answer.
    """
    words = pd.read_csv(run / "tables" / "answer.csv")
    folder = root / "docs" / "results" / "comparison"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shown = [name for name in FIGURES if (run / "figures" / f"{name}.png").exists()]
    for name in shown:
        shutil.copy(run / "figures" / f"{name}.png", folder)
    for name in TABLES:
        shutil.copy(run / "tables" / f"{name}.csv", folder)
    page = [*_head(run), *_words(words), "", *(f"![{name}]({name}.png)\n" for name in shown), *_tables()]
    (folder / "README.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    place = "docs/results/comparison"
    first = words.assign(answer=words["answer"].str.replace(METRIC_BY_METRIC, "", regex=True))
    picture = f"![Mean ranks of all methods on each kind of data]({place}/figure_answer.png)"
    short = [
        *_words(first),
        *_not_run(words),
        "",
        picture,
        "",
        f"[The whole answer, and the command that made it]({place}/README.md).",
    ]
    readme = root / "README.md"
    text = "\n".join(["<!-- answer -->", *short, "<!-- /answer -->"])
    readme.write_text(PLACE.sub(lambda _: text, readme.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def _words(words: pd.DataFrame) -> list[str]:
    return [f"- **{line.domain}**: {line.answer}" for line in words.itertuples()]


def _not_run(words: pd.DataFrame) -> list[str]:
    return [
        f"- **{name}**: not run at this scale, so there is no answer."
        for name in task_makers()
        if name not in set(words["domain"])
    ]


def _head(run: Path) -> list[str]:
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    status = json.loads((run / "status.json").read_text(encoding="utf-8"))
    rows = pd.read_parquet(run / "rows.parquet")
    same = (
        rows[rows["metric"] != "seconds"].drop(columns="seed").sort_values(list(rows.columns.drop(["seed", "value"])))
    )
    tasks = ",".join(config["evaluation"]["domains"])
    return [
        "# The answer of `experiment=comparison`",
        "",
        f"    python run.py experiment=comparison scale={config['scale']} tasks=[{tasks}] seed={config['seed']}",
        "",
        f"{len(rows)} rows; sha256 of rows.parquet {_sha256(run / 'rows.parquet')}; without seconds, rounded to six "
        f"digits, {_rounded(same)}; code {status.get('code', 'unknown')[:16]}. Made by `scripts/publish_answer.py` "
        "from tables and figures of these rows.",
        "",
    ]


def _tables() -> list[str]:
    return ["Tables: " + ", ".join(f"[{name}]({name}.csv)" for name in TABLES) + "."]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rounded(rows: pd.DataFrame) -> str:
    """A checksum that rounding in the last digits does not change."""
    text = rows.assign(value=[f"{value:.5e}" for value in rows["value"]]).to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a complete run")
    print(publish(parser.parse_args().run))
