"""What a study gives to comparisons across studies: its tasks, each made when its turn comes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from igbaselines.common.checks import at_least

if TYPE_CHECKING:
    from igbaselines.running.context import Run
    from igbaselines.tasks import Task


@dataclass(frozen=True)
class Domain:
    """Where the tasks of a domain come from, and how many there shall be.

    Args:
        dataset: settings of the data.
        model: settings of the networks.
        networks: to explain, where the domain trains its own.
        inputs: to explain, of each network.
    """

    dataset: Any
    model: Any
    networks: int
    inputs: int

    def __post_init__(self) -> None:
        at_least("networks of a domain", self.networks, 1)
        at_least("inputs of a domain", self.inputs, 1)


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
