"""What `dataset=hep_ntuple` can be told: the schema of conf/dataset/hep_ntuple.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.values import SEED, check_values, value
from igbaselines.studies.hep.data.ntuple.weights import TRAINING

MISSING = ("refuse", "impute", "drop_event")
NEVER = (  # names of branches that say which event it is, not what happened in it
    *("run", "runnumber", "run_number", "event", "eventnumber", "event_number", "evt", "evtnum*", "entry", "index"),
    *(
        "lumi",
        "lumiblock*",
        "luminosityblock*",
        "lumi_block*",
        "lumisec*",
        "ls",
        "mcchannelnumber",
        "channelnumber",
        "dsid",
    ),
    *("*weight*", "*wgt*", "wt", "w", "genw", "xsec*", "cross_section*"),
)


@dataclass
class NtupleProcess:
    """A process: its files, and how much of it there is."""

    files: list[str] = field(default_factory=list)  # globs below dataset.folder; none: its events are in dataset.files
    signal: bool = False  # whether it is what the network looks for; several can be
    select: str | None = None  # an expression: the events of the files that belong to it
    # Of all that was generated, with k-factor and branching ratio [fb]; None: the weights say it
    cross_section: float | None = field(default=None, metadata=value("(0, )"))
    cross_section_error: float = field(default=0.0, metadata=value("[0, 1)"))  # relative
    # Of the weights of all that was generated, cut or not; None: that of the files, which then hold all of it
    sum_of_weights: float | None = field(default=None, metadata=value("(0, )"))
    # At which its weights are numbers of expected events [1/fb]; None: they are not
    luminosity: float | None = field(default=None, metadata=value("(0, )"))


@dataclass
class NtupleSettings:
    """Events of the user's, as ntuples hold them."""

    folder: str = field(default=".", metadata=value(file=True))  # where the files are
    processes: dict[str, Any] = field(default_factory=dict)  # by name: the keys of `NtupleProcess`
    files: list[str] = field(default_factory=list)  # globs of files that hold several processes
    process: str | None = None  # the branch of `files` that names the process
    label: str | None = None  # the branch of `files` that is 1 for signal and 0 for background
    tree: str | None = None  # of ROOT files; None: the only one
    include: list[str] = field(default_factory=lambda: ["*"])  # branches that are features
    exclude: list[str] = field(default_factory=list)  # and those of them that are not
    never: list[str] = field(default_factory=lambda: list(NEVER))  # branches that say which event it is, or its weight
    derived: dict[str, str] = field(default_factory=dict)  # further features, by expressions
    select: str | None = None  # an expression: the events that are taken
    # Branches with a list an event: how many of its first entries become features
    jagged: dict[str, int] = field(default_factory=dict, metadata=value("[1, 100]"))
    categories: list[str] = field(default_factory=list)  # branches whose values become a column each
    sentinels: list[float] = field(default_factory=lambda: [-999.0, -99.0, -1.0e9])  # stand for a missing value
    missing: str = field(default="refuse", metadata=value(choices=MISSING))  # what becomes of events that lack a value
    weight: str | None = None  # the generator's weight, by an expression; None: 1
    training_weight: str | None = None  # by an expression; None: `weight`, over its mean in each process
    negative_weights: str = field(default="absolute", metadata=value(choices=TRAINING))  # in training
    n_events: int | None = field(default=None, metadata=value("[1, )"))  # a random part of so many events; None: all
    seed: int = field(default=0, metadata=value(SEED))  # of the random part

    def __post_init__(self) -> None:
        check_values("dataset", type(self), {name: one for name, one in vars(self).items() if name != "processes"})
        self.processes = {name: _process(name, given) for name, given in self.processes.items()}
        for name, process in self.processes.items():
            if process.cross_section is not None and process.luminosity is not None:
                raise UserError(
                    f"dataset.processes.{name}: weights are scaled to a luminosity or by a cross_section, "
                    "give one of them"
                )
            if not process.files and not self.files:
                raise UserError(f"dataset.processes.{name}.files names no files, such as [{name}_*.root]")
        if (
            self.files
            and self.process is None
            and any(not one.files and not one.select for one in self.processes.values())
        ):
            raise UserError(
                "dataset.files hold several processes: dataset.process must name the branch that says which"
            )
        if not self.processes and not (self.files and self.process and self.label):
            raise UserError(
                "dataset.processes names no process, such as +dataset.processes.ttbar.files=[ttbar_*.root]; or give "
                "dataset.files, and dataset.process and dataset.label, the branches that tell of each event"
            )


def _process(name: str, given: Any) -> NtupleProcess:  # noqa: ANN401 (YAML)
    """A process from its keys."""
    where = f"dataset.processes.{name}"
    if isinstance(given, NtupleProcess):
        return given
    known = [one.name for one in fields(NtupleProcess)]
    if not isinstance(given, Mapping):
        raise UserError(f"{where} must be a table, such as {{files: [{name}_*.root], cross_section: 450.0}}")
    for key in given:
        if key not in known:
            raise UserError(f"unknown key {where}.{key}: a process has {', '.join(known)}")
    check_values(where, NtupleProcess, given)
    return NtupleProcess(**given)
