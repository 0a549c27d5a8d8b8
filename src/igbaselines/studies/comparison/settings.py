"""What `comparison` can be told: the schema of its `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import Any

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError
from igbaselines.running.study import Domain, task_makers


@dataclass
class ComparisonEvaluation:
    """The domains that are compared, and the sizes that their files in conf/tasks/ take."""

    networks: int  # networks, of domains that train their own
    inputs: int  # inputs explained of each network
    pictures: int  # the same of domains where one takes seconds
    side: int  # of these pictures, as the network sees them [px]
    domains: dict[str, Any] = field(default_factory=dict)  # by name; `tasks=[...]` fills it

    def __post_init__(self) -> None:
        for key in ("networks", "inputs", "pictures", "side"):
            at_least(f"evaluation.{key}", getattr(self, key), 1)
        known = task_makers()
        choice = ",".join(known)
        if not self.domains:
            raise UserError(f"choose what is explained: tasks=[{choice}]")
        for name, domain in self.domains.items():
            if name not in known or not isinstance(domain, Domain):
                raise UserError(f"evaluation.domains.{name} is no domain of a study: choose by tasks=[{choice}]")
