"""What `comparison` can be told: the schema of its `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value
from igbaselines.running.study import Domain, task_makers

COST, SECONDS = "cost", "seconds"  # metrics of the comparison's own
HALF_SAMPLE = "half_sample"  # in the place of a method: what one half of sampled Shapley values has in common


@dataclass
class ComparisonEvaluation:
    """The domains that are compared, and the sizes that their files in conf/tasks/ take."""

    networks: int = field(metadata=value("[1, 100000]"))  # networks, of domains that train their own
    inputs: int = field(metadata=value("[1, 100000]"))  # inputs explained of each network
    pictures: int = field(metadata=value("[1, 100000]"))  # the same of domains where one takes seconds
    side: int = field(metadata=value("[1, 100000]"))  # of these pictures, as the network sees them [px]
    # What each method may spend on an input, in evaluations of the network; of none methods keep their own settings
    budgets: list[int] = field(default_factory=list, metadata=value("[1, 10000000]"))
    # Pairs of orders of the players from which Shapley values are sampled where they are too many for all coalitions
    orders: int = field(default=64, metadata=value("[4, 1000000]"))
    domains: dict[str, Any] = field(default_factory=dict)  # by name; `tasks=[...]` fills it

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        known = task_makers()
        choice = ",".join(known)
        if not self.domains:
            raise UserError(f"choose what is explained: tasks=[{choice}]")
        for name, domain in self.domains.items():
            if name not in known or not isinstance(domain, Domain):
                raise UserError(f"evaluation.domains.{name} is no domain of a study: choose by tasks=[{choice}]")
