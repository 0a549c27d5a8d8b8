"""What `shapley_gridworld` and `shapley_errors` can be told: schemas, importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import check_file_name
from igbaselines.common.values import check_values, value
from igbaselines.running.settings import SOURCE, AttributionSettings

if TYPE_CHECKING:
    from igbaselines.attribution.methods import Method

EXPLAINED = ("value", "action")
REFERENCES = ("zero", "mean", "background")
RECIPE = (
    "igbaselines.studies.gridworld.networks.recipe.GridValueRecipe",
    "a network of grid values (model@evaluation.architectures.NAME=grid_value_mlp)",
)


@dataclass(kw_only=True)
class GridworldAttribution(AttributionSettings):
    """How a state's value, or the choice of an action in it, is attributed to its features."""

    # `value`, or `action`: the advantage of the best action over the mean of all ("why this action")
    explained: str = field(default="value", metadata=value(choices=EXPLAINED))
    # What absent players are replaced by: zero, the mean over the training states, or each of a sample of them
    # in turn (`background`, the interventional game)
    references: list[str] = field(
        default_factory=lambda: list(REFERENCES), metadata=value(choices=REFERENCES, distinct=True)
    )
    background: int = field(default=32, metadata=value("[1, )"))  # states in that sample
    # Quadrature nodes of a path, in the methods that average over many paths
    steps: int = field(default=4, metadata=value("[1, 1000]"))
    # Nodes at which Integrated Gradients from one baseline have converged: a larger budget is not spent
    most_nodes: int = field(default=64, metadata=value("[1, 1000]"))
    # Sources of baselines of plain Integrated Gradients, by name
    baselines: dict[str, Any] = field(default_factory=dict, metadata=value(kind=SOURCE))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.references:
            raise UserError("attribution.references needs at least one")

    def methods(self, evaluations: int = 256, absent: str = "mean", players: int = 10) -> "dict[str, Method]":
        """All methods by name, each for so many evaluations of an input; players outside a coalition are `absent`."""
        from igbaselines.attribution.engine.quadrature import GaussLegendre
        from igbaselines.attribution.shapley.estimators import ShapleyIG
        from igbaselines.studies.gridworld.experiments.methods import SIG_UNIFORM, coalition_methods, path_methods

        nodes = min(self.steps, evaluations)
        # A coalition of the sampler costs itself and every player that it lacks: n / H_n of n on average.
        of_sampler = 1 + players / sum(1 / k for k in range(1, players + 1))
        of_paths = path_methods(self.baselines, self.background, evaluations, nodes, self.most_nodes)
        of_coalitions = coalition_methods(absent, nodes, evaluations // nodes, int(evaluations / of_sampler))
        uniform = ShapleyIG(absent, evaluations // nodes, uniform_sizes=True, rule=GaussLegendre(nodes))
        return of_paths | of_coalitions | {SIG_UNIFORM: uniform}


@dataclass
class GridworldEvaluation:
    """What is compared, at which cost, and in which studies."""

    networks: int = field(metadata=value("[1, 10000]"))  # trained from different seeds on the same states
    # States explained, each of a world of its own that no network was trained on
    states: int = field(metadata=value("[1, )"))
    # Gradient points, or network evaluations, that every method may spend on a state
    evaluations: int = field(metadata=value("[1, 1000000]"))
    # The same for the curves of agreement against cost
    budgets: list[int] = field(metadata=value("[1, 1000000]", distinct=True))
    cost_references: list[str] = field(metadata=value(choices=REFERENCES, distinct=True))  # references of those curves
    # Shares of all coalitions; 1 takes each once with its exact weight
    q: list[float] = field(metadata=value("(0, 1]", distinct=True))
    # Numbers of features of further networks: the first so many of the dataset module's list. Networks with as
    # many features as the main ones are there already.
    players: list[int] = field(metadata=value("[2, )", distinct=True))
    # Train further networks without interactions between features, unless all are such (the model's
    # `interactions`)
    additive: bool
    study_networks: int = field(metadata=value("[1, 10000]"))  # networks in each of these studies
    kernel_shap: bool  # add KernelSHAP by the package shapiq
    examples: int = field(metadata=value("[0, )"))  # states that are drawn

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        if self.study_networks > self.networks:
            some, there = self.study_networks, self.networks
            raise UserError(f"evaluation.study_networks={some} of evaluation.networks={there}: take at most as many")


@dataclass
class GridworldErrorsEvaluation:
    """Over which networks the error of Shapley IG is split, and how far coalitions are sampled."""

    architectures: dict[str, Any] = field(metadata=value(kind=RECIPE))  # recipes by the name of their architecture
    networks: int = field(metadata=value("[1, 10000]"))  # of each architecture, trained from different seeds
    states: int = field(metadata=value("[1, )"))  # explained, each of a world that no network was trained on
    coalitions: int = field(metadata=value("[1, 1000000]"))  # sampled of each state where the error is split
    # Sampled in the study of players, as far as there are more in all
    counts: list[int] = field(metadata=value("[1, 1000000]", distinct=True))
    players: list[int] = field(metadata=value("[2, )", distinct=True))  # the first so many features
    players_architecture: str  # the one with so many players
    players_networks: int = field(metadata=value("[1, 10000]"))  # of it, for each number

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        if not self.architectures:
            raise UserError("evaluation.architectures is empty: give at least one model")
        for name in self.architectures:
            check_file_name("evaluation.architectures", name)
        if self.players_architecture not in self.architectures:
            known = " or ".join(self.architectures)
            raise UserError(f"evaluation.players_architecture={self.players_architecture} is unknown: {known}")
        for players in self.players:
            if not any(count < 2**players for count in self.counts):
                raise UserError(
                    f"evaluation.counts={list(self.counts)}: {players} players have {2**players} coalitions, and none "
                    "of these is fewer"
                )
