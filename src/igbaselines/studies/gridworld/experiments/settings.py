"""What `shapley_gridworld` can be told: the schemas of `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igbaselines.common.checks import at_least, distinct, one_of
from igbaselines.common.errors import UserError
from igbaselines.running.settings import AttributionSettings

if TYPE_CHECKING:
    from igbaselines.attribution.methods import Method

EXPLAINED = ("value", "action")
REFERENCES = ("zero", "mean", "background")


@dataclass(kw_only=True)
class GridworldAttribution(AttributionSettings):
    """How a state's value, or the choice of an action in it, is attributed to its features."""

    # `value`, or `action`: the advantage of the best action over the mean of all ("why this action")
    explained: str = "value"
    # What absent players are replaced by: zero, the mean over the training states, or each of a sample of them
    # in turn (`background`, the interventional game)
    references: list[str] = field(default_factory=lambda: list(REFERENCES))
    background: int = 32  # states in that sample
    steps: int = 4  # quadrature nodes of a path, in the methods that average over many paths
    # Nodes at which Integrated Gradients from one baseline have converged: a larger budget is not spent
    most_nodes: int = 64
    # Sources of baselines of plain Integrated Gradients, by name
    baselines: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("attribution.explained", self.explained, EXPLAINED)
        for reference in self.references:
            one_of("attribution.references", reference, REFERENCES)
        if not self.references:
            raise UserError("attribution.references needs at least one")
        distinct("attribution.references", self.references)
        for name, source in self.baselines.items():
            if not hasattr(source, "draw"):
                wanted = "must be a source of baselines with a _target_"
                raise UserError(f"attribution.baselines.{name} {wanted}, got {source}")
        for key in ("background", "steps", "most_nodes"):
            at_least(f"attribution.{key}", getattr(self, key), 1)

    def methods(self, evaluations: int = 256, absent: str = "mean", players: int = 10) -> "dict[str, Method]":
        """All methods by name, each for so many evaluations of an input; players outside a coalition are `absent`."""
        from igbaselines.studies.gridworld.experiments.methods import coalition_methods, path_methods

        nodes = min(self.steps, evaluations)
        # A coalition of the sampler costs itself and every player that it lacks: n / H_n of n on average.
        of_sampler = 1 + players / sum(1 / k for k in range(1, players + 1))
        of_paths = path_methods(self.baselines, self.background, evaluations, nodes, self.most_nodes)
        return of_paths | coalition_methods(absent, nodes, evaluations // nodes, int(evaluations / of_sampler))


@dataclass
class GridworldEvaluation:
    """What is compared, at which cost, and in which studies."""

    networks: int  # trained from different seeds on the same states
    states: int  # states explained, each of a world of its own that no network was trained on
    evaluations: int  # gradient points, or network evaluations, that every method may spend on a state
    budgets: list[int]  # the same for the curves of agreement against cost
    cost_references: list[str]  # references of those curves
    q: list[float]  # shares of all coalitions; 1 takes each once with its exact weight
    # Numbers of features of further networks: the first so many of the dataset module's list. Networks with as
    # many features as the main ones are there already.
    players: list[int]
    # Train further networks without interactions between features, unless all are such (the model's
    # `interactions`)
    additive: bool
    study_networks: int  # networks in each of these studies
    kernel_shap: bool  # add KernelSHAP by the package shapiq
    examples: int  # states that are drawn

    def __post_init__(self) -> None:
        for key, bound in {"networks": 1, "states": 1, "study_networks": 1, "examples": 0}.items():
            at_least(f"evaluation.{key}", getattr(self, key), bound)
        for budget in (self.evaluations, *self.budgets):
            at_least("evaluation.evaluations and evaluation.budgets", budget, 1)
        for reference in self.cost_references:
            one_of("evaluation.cost_references", reference, REFERENCES)
        for share in self.q:
            if not 0 < share <= 1:
                raise UserError(f"evaluation.q is a share of all coalitions in (0, 1], got {share}")
        for count in self.players:
            at_least("evaluation.players", count, 2)
        for key in ("budgets", "cost_references", "q", "players"):
            distinct(f"evaluation.{key}", getattr(self, key))
        if self.study_networks > self.networks:
            some, there = self.study_networks, self.networks
            raise UserError(f"evaluation.study_networks={some} of evaluation.networks={there}: take at most as many")
