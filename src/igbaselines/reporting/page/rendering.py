"""Templates into pages: what they may call, the looks and the small script that every page carries, and its policy."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from igbaselines.reporting.page.runs import ReportedRun, read_table
from igbaselines.reporting.tables import readable
from igbaselines.running.states import count_states
from igbaselines.running.study import kind_in_words

MOST_ROWS = 200  # of a table on a page
MATH = (  # of papers' sentences: what it says without LaTeX
    (r"\$([^$\s][^$]*)\$", r"\1"),
    (r"\\cancel\{(\w)\}_(\w)", r"\1_\2^miss"),
    (r"_\{(\w)_\\ell\}", r"_\1^l"),
    (r"_\{(\w+)\}", r"_\1"),
    (r"\\sim\b", "~"),
)
CLAIMS = "claims"  # a table of a run that the page of all claims has


def render(template: str, output_root: Path, **known: object) -> str:
    """Fill a template."""
    return environment(output_root).get_template(template).render(**known)


@cache
def environment(output_root: Path) -> Environment:
    """The templates, with their filters."""
    loader = PackageLoader("igbaselines.reporting.page")
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.filters |= {
        "readable": readable,
        "format_p": format_p,
        "with_indices": with_indices,
        "counted": count_states,
        "kind": kind_in_words,
        "quoted": lambda link: quote(os.fsencode(link)),
        "within": lambda path: path.relative_to(output_root) if path.is_relative_to(output_root) else path,
    }
    style, script = (_inline(made, name) for name in ("style.css", "page.js"))
    made.globals |= {"style": style, "script": script, "policy": _policy(style, script), "most_rows": MOST_ROWS}
    return made


def render_run(run: ReportedRun, shown: Sequence[object], output_root: Path) -> str:
    """The page of a run: its figures, tables, configuration and provenance."""
    tables = {name: read_table(path) for name, path in run.tables.items() if name != CLAIMS}
    return render("run.html.j2", output_root, run=run, shown=shown, tables=tables, left_out=left_out(run, shown))


def left_out(run: ReportedRun, shown: Sequence[object]) -> Markup:
    """Say how many figures of a run pages leave out."""
    if (count := len(run.figures) - len(shown)) < 1:
        return Markup()
    place = f"{run.place}/figures"
    return Markup('<p class="soft">{} more figures lie in the run\'s folder: <code>{}</code>.</p>').format(count, place)


def format_p(p_value: float | None) -> str:
    """Print a p-value; empty where there is none."""
    return "" if p_value is None else "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def with_indices(text: str) -> Markup:
    """Set physics symbols such as H_T, $E_T$ or B_bg with their indices; everything else is escaped."""
    for latex, word in MATH:
        text = re.sub(latex, word, text)
    symbol = r"\b([A-Za-z])_(\w+)(?:\^(\w+))?"

    def lettered(found: re.Match[str]) -> str:
        raised = f"<sup>{found[3]}</sup>" if found[3] else ""
        return f"{found[1]}<sub>{found[2]}</sub>{raised}"

    return Markup(re.sub(symbol, lettered, str(escape(text))))


def _inline(made: Environment, name: str) -> Markup:
    """A file of ours, as it stands."""
    assert made.loader is not None
    return Markup(made.loader.get_source(made, name)[0])


def _policy(style: str, script: str) -> str:
    """Nothing is fetched but pictures beside the page, and nothing runs or is styled but what is ours."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
