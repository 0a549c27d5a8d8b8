"""What `--help` says: what can be run and changed, in the suite's words; `--hydra-help` has Hydra's options."""

import re
import shlex
import textwrap
from collections.abc import Iterable

from igbaselines.common.places import COMMAND, IN_CHECKOUT, PROJECT_ROOT, place

WIDTH = 120
INDENT = 4
CHOICES = (
    "dataset",
    "model",
    "attribution",
    "protocol",
    "methods",
    "metrics",
    "tasks",
)  # groups of conf/
LISTS = ("methods", "metrics", "tasks")  # those of which several can be chosen
HELP = """
Which baseline for Integrated Gradients? Three papers on one engine, with a verdict for every claim.

    {command} experiment=NAME [scale=smoke|demo|paper] [key=value ...]
    {command} action=report     # one page of all runs that there are
    {command} action=paper      # of each paper a short article of what they say, in Markdown and LaTeX
    {command} action=status     # which are there, which failed and why, which still run
    {command} action=export     # an archive of each that is complete, and MLflow's store where that is installed

Experiments, of which scale=smoke gives a first look in seconds:
{experiments}

What can be chosen, one of each (several of methods, metrics and tasks: methods=[ig_zero,ig_mean]):
{choices}

Every other value has a key, which this prints; a misspelt one is refused with the nearest right one:

    {command} experiment=NAME --cfg job

Many runs:

    {command} -m experiment=NAME seed=0,1,2                     # one after another
    {command} experiment=NAME seed=0,1,2 hydra/launcher=local   # side by side; hydra/launcher=slurm on a cluster

Your own: plugins=[my_ideas.py] names Python files of yours, --config-dir=FOLDER a folder with YAML files for them.
Results go to output_root={outputs}, data that is made or fetched to data_root={data}.
Completion of words in bash: eval "$({command} -sc install=bash)"; --hydra-help lists Hydra's own options."""


def help_text() -> str:
    """The text, with the names and first words of what lies in conf/ today."""
    return HELP.strip().format(
        command=shlex.join(COMMAND),
        experiments="\n".join(_entries((name, _first_words("experiment", name)) for name in _names("experiment"))),
        choices="\n".join(_entries((_key(group), ", ".join(_names(group))) for group in CHOICES)),
        outputs="outputs" if IN_CHECKOUT else "./outputs",
        data=place("data"),
    )


def _names(group: str) -> list[str]:
    return sorted(path.stem for path in (PROJECT_ROOT / "conf" / group).glob("*.yaml"))


def _key(group: str) -> str:
    return f"{group}=[...]" if group in LISTS else f"{group}=..."


def _first_words(group: str, name: str) -> str:
    """The first sentence of the comment that a file opens with."""
    lines = (PROJECT_ROOT / "conf" / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comment = " ".join(line[2:] for line in lines if line.startswith("# ") and "@package" not in line)
    sentence = re.match(r".*?[?.;](?=\s|$)", comment)
    return sentence[0].rstrip(".;") if sentence else comment


def _entries(entries: Iterable[tuple[str, str]]) -> list[str]:
    """A line or more for each name and what there is to say of it, in two columns."""
    pairs = list(entries)
    wide = max(len(name) for name, _ in pairs) + 2
    margin = " " * (INDENT + wide)
    return [
        textwrap.fill(said, WIDTH, initial_indent=" " * INDENT + name.ljust(wide), subsequent_indent=margin)
        for name, said in pairs
    ]
