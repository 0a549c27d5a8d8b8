"""What grid worlds give to comparisons across studies: why an action, where exact Shapley values are known."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.models.randomised import RANDOMISED, randomised
from igbaselines.running.context import Run
from igbaselines.running.study import Domain
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution
from igbaselines.studies.gridworld.experiments.tasks import state_task, trained_network
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import GridValueNetwork
from igbaselines.tasks import Task


def comparison_tasks(run: Run, domain: Domain) -> dict[str, Callable[[], Task]]:
    """Plan a task for each of some networks, which explains the best action of the same states.

    Why an action, and not the value: an advantage of zero says that nothing speaks for it. What has no such point
    cannot fall by half for want of features, as fitness and deletion have it.
    """
    worlds, recipe = domain.dataset, domain.model
    if not (isinstance(worlds, GridWorld) and isinstance(recipe, GridValueRecipe)):
        raise UserError("tasks=gridworld needs a dataset of grid worlds and a model that learns their values")
    states = worlds.load()
    explained, settings = states.explained(domain.inputs, run.seed), GridworldAttribution(explained="action")

    def task_of(name: str, network: GridValueNetwork) -> Task:
        return state_task(name, network, states, explained, settings, run.seed, run.device, run.max_batch)

    def make(network: int, name: str) -> Task:
        trained = trained_network(states, recipe, run.seed, network, run.device, name)

        def twin() -> Task:
            of_twin = f"{name} twin"
            other = trained_network(states, recipe, run.seed, network, run.device, of_twin, "gridworld: twins")
            return task_of(of_twin, other)

        def shuffled() -> Task:
            return task_of(f"{name} randomised", randomised(trained, generator_for(run.seed, RANDOMISED, network)))

        variants = {"twin": twin, "randomised": shuffled}
        return replace(task_of(name, trained), data="gridworld", network=name, variants=variants)

    names = [f"gridworld network_{network}" for network in range(domain.networks)]
    return {name: partial(make, network, name) for network, name in enumerate(names)}
