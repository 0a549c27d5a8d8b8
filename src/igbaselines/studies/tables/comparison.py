"""What tables give to comparisons across studies: why a row is taken for its class, by a network that never saw it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for, stream
from igbaselines.common.splits import Split, rotated_split
from igbaselines.models.randomised import randomised
from igbaselines.running.context import Run
from igbaselines.running.study import Domain
from igbaselines.studies.tables.data.labelled import LabelledTable, TableDataset
from igbaselines.studies.tables.networks.recipe import TableRecipe
from igbaselines.studies.tables.networks.training import TrainingRows
from igbaselines.studies.tables.tasks import row_task, training_background
from igbaselines.tasks import Task

log = logging.getLogger(__name__)

TRAIN, VALIDATION = 0.5, 0.2  # of the rows; the rest is the test part, as collisions have it
FIRST, TWIN = 0, 1  # training seeds of a network and of its twin


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each table and network; the networks of a table have splits of their own, which rotate.

    Raises:
        UserError: for a dataset or model of another domain, and for a table that cannot be learned from.
    """
    dataset, recipe = domain.dataset, domain.model
    if not (isinstance(dataset, TableDataset) and isinstance(recipe, TableRecipe)):
        raise UserError("tasks=tables needs a dataset of tables and a model that is trained on them")
    tables = dataset.tables()
    for table in tables:
        if table.checksum is not None:
            run.checksums[f"table {table.name}"] = table.checksum
    if (checksum := recipe.checksum()) is not None:
        run.checksums["table model"] = checksum
    planned = [
        TableNetwork(run, table, recipe, number, domain) for table in tables for number in range(domain.networks)
    ]
    return {one.name: one.task for one in planned}


@dataclass(frozen=True)
class TableNetwork:
    """A network of a table: its part of the rows, its training, and the rows that it explains."""

    run: Run
    table: LabelledTable
    recipe: TableRecipe
    number: int  # of the network
    domain: Domain  # how many networks a table has, and how many rows each explains

    @property
    def unit(self) -> str:
        """Which of the table's networks it is."""
        return f"network_{self.number}"

    @property
    def name(self) -> str:
        """Of its task."""
        return f"{self.table.name} {self.unit}"

    @cached_property
    def split(self) -> Split:
        """Training, validation and test part, stratified by class."""
        return rotated_split(self.table.classes, self.run.seed, self.number / self.domain.networks, TRAIN, VALIDATION)

    def task(self) -> Task:
        """Train the network and explain rows of its test part; a twin and a network of random weights are variants."""
        start = time.monotonic()
        network = self.trained(FIRST)
        self._log_accuracy(network, time.monotonic() - start)
        explained = self._explained()
        order = generator_for(self.run.seed, "tables: randomised", self.name)
        task = row_task(
            self.name,
            network,
            self._rows(explained)[0],
            [f"row_{row}" for row in explained],
            training_background(*self._rows(self.split.train), len(self.table.class_names)),
            {"twin": partial(self.trained, TWIN), "randomised": partial(_shuffled, network, order.get_state())},
            self.run.max_batch,
        )
        retrained = self._retrained if self.recipe.takes_any_features else None
        return replace(task, data=self.table.name, network=self.unit, retrained=retrained)

    def trained(self, twin: int, features: Int[Tensor, " k"] | slice = slice(None)) -> nn.Module:
        """Train it on its part of the rows, on all features or some; twins differ in their training seed alone."""
        (x, y), (held_out, classes) = self._rows(self.split.train), self._rows(self.split.validation)
        rows = TrainingRows(x[:, features], y, held_out[:, features], classes, len(self.table.class_names))
        return self.recipe.trained(rows, (self.run.seed, stream(f"tables: {self.name}"), twin))

    def _retrained(self, features: Int[Tensor, " k"]) -> float:
        return self._accuracy(self.trained(FIRST, features), features)

    def _rows(self, index: Int[np.ndarray, " r"]) -> tuple[Float[Tensor, "r d"], Int[Tensor, " r"]]:
        features, classes = torch.from_numpy(self.table.features[index]), torch.from_numpy(self.table.classes[index])
        return features.to(self.run.device), classes.to(self.run.device)

    def _explained(self) -> Int[np.ndarray, " n"]:
        """Random rows of the test part, all where it has fewer; the first do not depend on how many are asked for."""
        key = (self.run.seed, stream("tables: explained"), self.number)
        rows = np.random.default_rng(key).permutation(self.split.test)[: self.domain.inputs]
        if len(rows) < self.domain.inputs:
            log.info("%s: %d rows are explained, its test part has no more", self.name, len(rows))
        return rows

    def _accuracy(self, network: nn.Module, features: Int[Tensor, " k"] | slice = slice(None)) -> float:
        """The share of the test rows that it classifies right."""
        x, y = self._rows(self.split.test)
        with torch.no_grad():
            return float((network(x[:, features]).argmax(dim=1) == y).double().mean())

    def _log_accuracy(self, network: nn.Module, seconds: float) -> None:
        y, accuracy = self._rows(self.split.test)[1], self._accuracy(network)
        largest = float(y.bincount().max() / len(y))
        said = "%s: trained in %.1f s, accuracy %.3f on %d test rows (always the largest class: %.3f)"
        log.info(said, self.name, seconds, accuracy, len(y), largest)


def _shuffled(network: nn.Module, order: Tensor) -> nn.Module:
    """The network with shuffled weights, the same ones whenever it is asked for."""
    return randomised(network, torch.Generator().set_state(order))
