"""What `comparison` can be told: the schema of its `evaluation`, importable without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value
from igbaselines.running.study import Domain, OfDomain, task_makers

OF_DOMAIN = "igbaselines.running.study.OfDomain"

COST, SECONDS, REACHED = "cost", "seconds", "fitness_reached"  # metrics of the comparison's own
COMPLETENESS = "completeness_gap"
KNOWN = "agrees with known values"  # the question of metrics that compare with them
HALF_SAMPLE = "half_sample"  # in the place of a method: what one half of sampled Shapley values has in common


@dataclass
class ComparisonEvaluation:
    """The domains that are compared, and the sizes that their files in conf/tasks/ take."""

    networks: int = field(metadata=value("[1, 100000]"))  # networks, of domains that train their own
    inputs: int = field(metadata=value("[1, 100000]"))  # inputs explained of each network
    pictures: int = field(metadata=value("[1, 100000]"))  # the same of domains where one takes seconds
    side: int = field(metadata=value("[1, 100000]"))  # of these pictures, as the network sees them [px]
    patch: int = field(default=32, metadata=value("[1, 1024]"))  # of these pictures, a player [px]; 1: every pixel
    # What each method may spend on an input, in evaluations of the network; of none methods keep their own settings
    budgets: list[int] = field(default_factory=list, metadata=value("[1, 10000000]"))
    picture_budgets: list[int] = field(default_factory=list, metadata=value("[1, 10000000]"))  # the same of pictures
    # Pairs of orders of the players from which Shapley values are sampled where they are too many for all coalitions
    orders: int = field(default=64, metadata=value("[4, 1000000]"))
    epochs: int = field(default=40, metadata=value("[1, 100000]"))  # of networks of grid worlds
    # Of networks of collisions, which stop by themselves
    max_epochs: int = field(default=100, metadata=value("[1, 100000]"))
    domains: dict[str, Any] = field(default_factory=dict)  # by name; `tasks=[...]` fills it
    # `dataset=...` and `model=...`: in the place of those of their domain, which alone is compared then
    dataset: Any | None = field(default=None, metadata=value(kind=(OF_DOMAIN, "a dataset of a domain (dataset=table)")))
    model: Any | None = field(default=None, metadata=value(kind=(OF_DOMAIN, "a model of a domain (model=table_mlp)")))

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        known = task_makers()
        choice = ",".join(known)
        if not self.domains:
            raise UserError(f"choose what is explained: tasks=[{choice}]")
        for name, domain in self.domains.items():
            if name not in known or not isinstance(domain, Domain):
                raise UserError(f"evaluation.domains.{name} is no domain of a study: choose by tasks=[{choice}]")
        self.domains = domains_with(self.domains, {"dataset": self.dataset, "model": self.model})


def domains_with(domains: Mapping[str, Domain], given: Mapping[str, OfDomain | None]) -> dict[str, Domain]:
    """The domains that are compared: all, or the one that a dataset or a model is of, with it in the place of its own.

    Raises:
        UserError: where the two are of different domains, or of one that is not among the tasks.
    """
    there: dict[str, Any] = {key: one for key, one in given.items() if one is not None}
    if not there:
        return dict(domains)
    name, *others = sorted({one.domain() for one in there.values()})
    said = " and ".join(f"{key}={type(one).__name__}" for key, one in there.items())
    if others:
        raise UserError(f"{said} are of different domains, {name} and {others[0]}: choose one")
    if name not in domains:
        raise UserError(f"{said}: of the domain {name}, which is not among the tasks: tasks=[{name}]")
    return {name: replace(domains[name], **there)}
