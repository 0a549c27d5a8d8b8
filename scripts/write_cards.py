"""Write docs/cards/, a page for each method of `comparison`, and the table of axioms in docs/methods.md.

    python scripts/write_cards.py outputs/comparison/demo-0123456789 --bench outputs/field

Everything is measured: axioms and costs here, ranks and what fools a method from the rows of a comparison at its
largest budget, speed from the tables of `python -m benchmarks.bench --only ... --output`.
"""

import argparse
import inspect
import math
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import torch
import yaml
from omegaconf import OmegaConf

from igbaselines.attribution.axioms import AXIOMS, SEEDS, keeps, task_for, violations
from igbaselines.attribution.methods import AveragedGradients, Method, gives_up
from igbaselines.common.files import write_text
from igbaselines.reporting.labels import printed_as
from igbaselines.running.rows import Names
from igbaselines.running.targets import instantiate
from igbaselines.studies.comparison.reporting.answer import label
from igbaselines.studies.comparison.reporting.judged import at_largest_budget, domains
from igbaselines.studies.comparison.reporting.standing import BESIDE, Standings

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
FOLDER = ROOT / "docs" / "cards"
METHODS_PAGE = ROOT / "docs" / "methods.md"
OWN_IDEAS = ("igbaselines.attribution.field.", "igbaselines.attribution.sources.", "igbaselines.attribution.shapley.")
AXIOMS_TABLE = re.compile(r"(?<=<!-- axioms -->\n).*(?=<!-- /axioms -->)", re.DOTALL)
HEAD = """# Cards

A page a method, made by `scripts/write_cards.py` from measurement. [Methods](../methods.md) has what they have in
common. Any of them beside plain Integrated Gradients and a map that never asks the network:

    python run.py experiment=comparison methods=[ig_mean,random_map,idgi]
"""
GENERAL = "phi(x) = sum_k  w_k(x) * integral_0^1  d gamma_k(a)/da * g(gamma_k(a)) da"


@dataclass(frozen=True)
class Configured:
    """A method of conf/methods."""

    name: str
    label: str  # as figures have it
    comment: str  # what its file says of it
    text: str  # the file without that
    method: Method

    @cached_property
    def missed(self) -> dict[str, float]:
        """How far it misses each axiom."""
        return violations(self.method)


def configured() -> dict[str, Configured]:
    """The methods that `experiment=comparison` takes by name, as their files have them."""
    defaults = yaml.safe_load((CONF / "experiment" / "comparison.yaml").read_text(encoding="utf-8"))["defaults"]
    names = next(one["override /methods"] for one in defaults if isinstance(one, dict) and "override /methods" in one)
    found = {}
    for name in names:
        lines = (CONF / "methods" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        comment = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
        text = "\n".join(line for line in lines if not line.startswith("#"))
        node = OmegaConf.create(text)[name]
        shown = node.pop("label")
        found[name] = Configured(name, shown, comment, text, instantiate(node, name))
    return found


def summary(of: object) -> str:
    """The first sentence of what an object says of itself."""
    words = " ".join((inspect.getdoc(type(of)) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[a-z0-9)])[.:;](?= |$)", words)[0]


def parts(method: object) -> Iterator[object]:
    """A method and what it is made of, at any depth, a fitness that nobody asks for left out."""
    yield method
    for name, part in getattr(method, "__dict__", {}).items():
        if name != "fitness" or getattr(method, "weighting", None) is not None:
            yield from parts(part)


def equations(method: Method) -> list[str]:
    """The equations of a method's own ideas, as their modules have them."""
    found: dict[str, None] = {}
    for part in parts(method):
        if type(part).__module__.startswith(OWN_IDEAS):
            for text in (inspect.getmodule(type(part)).__doc__ or "", inspect.getdoc(type(part)) or ""):
                found |= dict.fromkeys(blocks(text))
    return list(found)


def blocks(text: str) -> list[str]:
    """The indented paragraphs of a docstring that hold an equation."""
    paragraphs = re.split(r"\n\s*\n", text)
    return [textwrap.dedent(one).strip("\n") for one in paragraphs if re.match(r"\s*\n?    ", one) and " = " in one]


def choices(method: Method) -> list[list[str]]:
    """What a method chooses, line by line."""
    if hasattr(method, "method"):
        return [["around another method", f"`{type(method).__name__}`: {summary(method)}"], *choices(method.method)]
    if not isinstance(method, AveragedGradients):
        return [["method", f"`{type(method).__name__}`: {summary(method)}"], *_fields(method)]
    source = method.baselines
    return [
        ["baselines", f"`{source}`, an imputer of the task" if isinstance(source, str) else _said(source)],
        ["weights", "those that come with the baselines" if method.weighting is None else _said(method.weighting)],
        ["path", "straight" if method.path is None else _said(method.path)],
        ["what is summed", "gradient x move" if method.integrand is None else _said(method.integrand)],
        ["nodes", _said(method.rule)],
    ]


def _fields(method: object) -> list[list[str]]:
    return [
        [name, f"`{part}`" if isinstance(part, str | int | float) else _said(part)]
        for name, part in vars(method).items()
        if isinstance(part, str | int | float) or hasattr(part, "__dataclass_fields__")
    ]


def _said(part: object) -> str:
    values = [f"{name}={value}" for name, value in vars(part).items() if isinstance(value, str | int | float)]
    return f"`{type(part).__name__}{'(' + ', '.join(values) + ')' if values else ''}`: {summary(part)}"


def cost(method: Method) -> str:
    """What a method takes as it stands, of an input of six features."""
    found = method.attribute(task_for(method, SEEDS[0]), torch.Generator().manual_seed(SEEDS[0]))
    gradients = 0.0 if found.gradients is None else found.gradients.sum(dim=1).double().mean().item()
    forwards = 0.0 if found.forwards is None else found.forwards.double().mean().item()
    return f"{gradients:.4g} gradients and {forwards:.4g} evaluations without one"


def card(one: Configured, compared: Standings, speed: pd.DataFrame) -> str:
    """The page of a method."""
    sums = gives_up(one.method)
    lines = [
        f"# {label(one.name)}: `{one.name}`",
        one.comment,
        "## What it computes",
        *(textwrap.indent(idea, "    ") for idea in equations(one.method) or [GENERAL]),
        _table(["choice", "here"], choices(one.method)),
        f"```yaml\n{one.text.strip()}\n```",
        "## What it costs",
        f"As it stands, of an input with six features: {cost(one.method)}.",
        _table(["data", "spends, evaluations an input", f"times as long as {label(BESIDE)}"], compared.costs(one.name)),
        *_speed(one, speed),
        "## Axioms",
        f"Attributions sum to {sums}." if sums else "",
        _table(["axiom", "what it says", "kept", "missed by, of the largest attribution"], _axioms(one.missed)),
        "## Where it stands",
        _table(["data", "all questions", *compared.questions], compared.ranks(one.name)) or "It fits none of the data.",
        "## What it is fooled by",
        *_fooled(one, compared),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _axioms(missed: Mapping[str, float]) -> list[list[str]]:
    return [
        [one, AXIOMS[one], _kept(one, value), "" if math.isnan(value) else f"{value:.1g}"]
        for one, value in missed.items()
    ]


def _kept(axiom: str, missed: float) -> str:
    return "-" if math.isnan(missed) else "yes" if keeps(axiom, missed) else "no"


def _speed(one: Configured, speed: pd.DataFrame) -> Iterator[str]:
    timed = speed[speed["job"].str.startswith(f"{one.name}-")]
    rows = [[row["job"], row["against"], f"{row['times as fast']:.2f}", row["why not"]] for _, row in timed.iterrows()]
    if rows:
        yield "Against its reference, results compared first (`python -m benchmarks.bench`):"
        yield _table(["job", "against", "times as fast", "what the limit would be"], rows)


def _fooled(one: Configured, compared: Standings) -> Iterator[str]:
    if planted := compared.planted(one.name):
        yield "Cosine with what is known of planted functions (the reference is the mean):"
        yield _table(["function", label(one.name), "the best", "a map that never asks"], planted)
    if fooled := [f"- {line}" for line in compared.fooled(one.name)]:
        yield "By some metrics a map that never asks the network does as well; they, or the method, know no better:"
        yield "\n".join(fooled)
    elif any(one.name in each.nested.methods for domain in compared.every for each in domain.judgements):
        yield "By no metric a map that never asks the network comes near it."


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    every = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in every)


def axioms_table(methods: Iterable[Configured]) -> str:
    """The axioms of all methods; those that keep the same share a line."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in methods:
        groups.setdefault(tuple(_kept(axiom, value) for axiom, value in one.missed.items()), []).append(one.name)
    lines = [[", ".join(f"`{name}`" for name in names), *cells] for cells, names in groups.items()]
    return _table(["name", *AXIOMS], lines)


def index(methods: Sequence[Configured]) -> str:
    """The list of all cards."""
    lines = [[f"[{label(one.name)}]({one.name}.md)", f"`{one.name}`", one.comment] for one in methods]
    return f"{HEAD}\n{_table(['method', 'name', 'what it is'], lines)}\n"


def write(runs: Sequence[Path], bench: Path | None, folder: Path = FOLDER, page: Path = METHODS_PAGE) -> None:
    """Write the cards, their index, and the table of axioms on the page of methods."""
    names = Names()
    for run in runs:
        own = Names.read(run)
        names.methods.update(own.methods)
        names.metrics.update(own.metrics)
    rows = pd.concat([pd.read_parquet(run / "rows.parquet") for run in runs], ignore_index=True)
    compared = Standings(at_largest_budget(domains(rows, names.metrics)))
    speed = (
        pd.DataFrame({"job": [""]})
        if bench is None
        else pd.read_csv(bench / "tables" / "goals.csv", keep_default_na=False)
    )
    methods = [one for name, one in configured().items() if name in set(rows["method"])]
    asking = [one for one in methods if not any(one.name in domain.controls for domain in compared.every)]
    with printed_as(names):
        pages = {one.name: card(one, compared, speed) for one in asking} | {"README": index(asking)}
    table = axioms_table(methods)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in pages.items():
        write_text(folder / f"{name}.md", text)
    write_text(page, AXIOMS_TABLE.sub(lambda _: f"\n{table}\n\n", page.read_text(encoding="utf-8")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of complete runs of comparison, of different tasks")
    parser.add_argument("--bench", type=Path, help="folder of the tables of a benchmark")
    given = parser.parse_args()
    write(given.runs, given.bench)
