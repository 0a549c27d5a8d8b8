"""What a study tells the suite about itself, once; nothing outside of its folder names it.

A study is a package with a `STUDY` in its `__init__.py`, or a plugin with one. Its code stands there by dotted names,
which are looked up when they are needed: whoever asks for help does not wait for torch.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value

if TYPE_CHECKING:
    from igbaselines.running.context import Run
    from igbaselines.tasks import Task

STUDIES = "igbaselines.studies"

Named = TypeVar("Named")


@dataclass(frozen=True)
class Experiment:
    """What `experiment=<name>` runs.

    Args:
        name: of its file in conf/experiment/ too.
        run: dotted name of the function that fills the rows: (run, *, dataset, model, attribution, evaluation).
        render: dotted name of the function that draws them: (folder, rows, printed).
        combine: dotted name of the function that takes all complete runs together, where there is one:
            (results, printed) -> Combination.
        has_units: whether jobs can share a run.
        is_question: whether it asks what its paper leaves open.
        is_of_users: whether it is about data of the user's, and no paper's claims.
        units: key that says how many units its statistics have, where one does.
        some_units: key that says of how many of them a part of the statistics is, where it is of fewer.
    """

    name: str
    run: str
    render: str
    combine: str | None = None
    has_units: bool = True
    is_question: bool = False
    is_of_users: bool = False
    units: str = ""
    some_units: str = ""


@dataclass(frozen=True)
class Study:
    """A study.

    Args:
        name: of the study.
        experiments: its experiments.
        schemas: dotted names of its dataclasses by the names that YAML files know: `- /schema/hep_synthetic@_here_`.
        claim_tests: dotted name of its tests of claims: a dict by the names that conf/claims knows.
        label: dotted name of a function: a feature, network or control of its own -> how it is printed, or None.
        tasks: dotted names of its makers of tasks (`TaskMaker`) by the domain's name, of its file in conf/tasks/ too.
        kinds: what these tasks are of in words, by domain, where its name does not say it.
    """

    name: str
    experiments: Sequence[Experiment]
    schemas: Mapping[str, str] = field(default_factory=dict)
    claim_tests: str | None = None
    label: str | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Domain:
    """Where the tasks of a domain come from, and how many there shall be.

    Args:
        dataset, model: settings of the data and of the networks.
        networks: to explain, where the domain trains its own.
        inputs: to explain, of each network.
        budgets: what a method may spend on an input, in evaluations; empty: as the comparison says.
    """

    dataset: Any = field(metadata=value(kind=("builtins.object", "a dataset")))
    model: Any = field(metadata=value(kind=("builtins.object", "a model")))
    networks: int = field(metadata=value("[1, )"))
    inputs: int = field(metadata=value("[1, )"))
    budgets: list[int] = field(default_factory=list, metadata=value("[1, )"))

    def __post_init__(self) -> None:
        plain = {name: one for name, one in vars(self).items() if name not in ("dataset", "model")}
        check_values("domain", type(self), plain)


@runtime_checkable
class OfDomain(Protocol):
    """A dataset or a model that can stand in the place of a domain's own: `experiment=comparison dataset=table`."""

    def domain(self) -> str:
        """Name the domain."""
        ...


class TaskMaker(Protocol):
    """Plans the tasks of a domain; a study registers it by its dotted name (`Study.tasks`)."""

    def __call__(self, run: "Run", domain: Domain) -> "Mapping[str, Callable[[], Task]]":
        """Name the tasks, and say how each is made.

        Data are loaded here, and their checksums noted in `run.checksums`. Networks are trained, and inputs prepared,
        by the functions returned: those of another shard's tasks, and of tasks that have a checkpoint, are not called.

        Raises:
            UserError: where the dataset or the model is of another domain, or holds too little.
        """
        ...


def look_up(dotted: str) -> Any:  # noqa: ANN401 (whatever stands there)
    """Import what a dotted name stands for."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


_brought: list[Study] = []


def bring(study: Study) -> None:
    """Add a study of a plugin's.

    Raises:
        UserError: where it has a name that another study registers.
    """
    if study in _brought:
        return
    _brought.append(study)
    studies.cache_clear()
    try:
        experiments(), schemas(), task_makers()
    except ValueError as error:
        _brought.remove(study)
        studies.cache_clear()
        raise UserError(f"the study {study.name} of a plugin: {error}") from error


@cache
def studies() -> tuple[Study, ...]:
    """All studies there are, in order of their packages' names, and those of plugins."""
    return *(module.STUDY for module in _packages() if hasattr(module, "STUDY")), *_brought


def _packages() -> Iterator[ModuleType]:
    """Where studies are looked for."""
    for module in pkgutil.iter_modules(importlib.import_module(STUDIES).__path__):
        yield importlib.import_module(f"{STUDIES}.{module.name}")


def united(parts: Iterable[Mapping[str, Named]]) -> dict[str, Named]:
    """Put together what each study names.

    Raises:
        ValueError: where a name stands for two things.
    """
    found: dict[str, Named] = {}
    for part in parts:
        if twice := found.keys() & part.keys():
            raise ValueError(f"two studies register {', '.join(sorted(twice))}")
        found |= part
    return found


def schemas() -> dict[str, str]:
    """Dotted names of all schemas by name."""
    return united(study.schemas for study in studies())


def task_makers() -> dict[str, str]:
    """Dotted names of the makers of tasks by domain."""
    return united(study.tasks for study in studies())


def kind_in_words(domain: str) -> str:
    """What the tasks of a domain are of, and its name; the name alone where its study has no other words."""
    words = united(study.kinds for study in studies()).get(domain, domain)
    return words if words == domain else f"{words} ({domain})"


def experiments() -> dict[str, Experiment]:
    """All experiments by name."""
    return united({experiment.name: experiment for experiment in study.experiments} for study in studies())


def find_experiment(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        UserError: where there is none.
    """
    known = experiments()
    if name not in known:
        raise UserError(f"experiment={name!r} is unknown: {' or '.join(known)}")
    return known[name]
