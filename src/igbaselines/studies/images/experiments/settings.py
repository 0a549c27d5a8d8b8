"""What the image experiments can be told: the schemas of `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value
from igbaselines.running.settings import GRID, MASK, RANKINGS, RULE, SEARCH, SOURCE, AttributionSettings
from igbaselines.running.study import Domain

if TYPE_CHECKING:
    from igbaselines.attribution.fitness import Fitness
    from igbaselines.attribution.methods import AveragedGradients, Method
    from igbaselines.attribution.weighting import FitnessWeighting

IG, EG, WG, FILTERED = "ig", "expected_gradients", "weighted_gradients", "filtered_weighted_gradients"
METHODS = (IG, EG, WG, FILTERED)
FIRST_CROSSING = "first_crossing"  # Weighted Gradients with D_alpha by its definition
SHAPLEY_IG, IG_ABSENT = "shapley_ig", "ig_absent"
MODEL = (
    "igbaselines.studies.images.networks.recipe.ImageModel",
    "an image classifier (model@evaluation.other_model=efficientnet_lite1)",
)
FINEST_CONSISTENCY = 32  # cells a side; ranks of n x n cells are compared in n^4 pairs


@dataclass(kw_only=True)
class ImageAttribution(AttributionSettings):
    """Integrated Gradients from a set of baselines, and averages of them (2505.03201)."""

    # What `explain` writes; `weighted_gradients` compares all of them but `ig`
    method: str = field(metadata=value(choices=METHODS))
    # The name of the file that chose these keys and those of the evaluation together; None without one
    protocol: str | None
    rule: Any = field(metadata=value(kind=RULE))  # the quadrature rule
    baselines: dict[str, Any] = field(metadata=value(kind=SOURCE))  # sources of baselines by name
    search: Any = field(metadata=value(kind=SEARCH))  # finds D_alpha
    # What absent players become while a baseline is judged; `ranking` is their order
    fitness_mask: Any = field(metadata=value(kind=SOURCE))
    # The filter drops baselines whose weight is below this multiple of the mean weight
    filter_below: float = field(metadata=value("[0, 1]"))
    # Whether scores (fitness and metrics) are of the normalised photograph, or of pixels in [0, 1] fed to the
    # network as they are, which the released code does
    scored: str = field(metadata=value(choices=("normalised", "as_they_are")))
    same_draws: bool  # random baselines and nodes are the same for every photograph
    # Of the passes that gradients are taken of; scores are always in float32
    precision: str = field(metadata=value(choices=("float32", "tf32", "bfloat16")))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.baselines:
            raise UserError("attribution.baselines is empty: choose a set, such as attribution/baselines=constants")
        count = sum(getattr(source, "count", 1) for source in self.baselines.values())
        if self.method == IG and count > 1:
            raise UserError(
                f"attribution=ig starts from one baseline, attribution/baselines has {count}: "
                "attribution=expected_gradients averages over several"
            )

    def methods(self) -> "dict[str, Method]":
        """The one method asked for."""
        from igbaselines.attribution.weighting import InverseFitness

        weightings = {WG: InverseFitness(), FILTERED: InverseFitness(self.filter_below)}
        return {self.method: self.averaged(weightings.get(self.method))}

    def averaged(self, weighting: "FitnessWeighting | None" = None) -> "AveragedGradients":
        """Integrated Gradients averaged over the baselines, with equal weights or by fitness."""
        from igbaselines.attribution.baselines import BaselineSet
        from igbaselines.attribution.methods import AveragedGradients

        return AveragedGradients(BaselineSet(self.baselines), self.rule, weighting, self.fitness)

    @property
    def fitness(self) -> "Fitness":
        """How baselines are judged."""
        from igbaselines.attribution.fitness import Fitness

        return Fitness(self.search, self.fitness_mask, self.ranking)


@dataclass
class MapEvaluation:
    """How the maps of a photograph are judged."""

    mask: Any = field(metadata=value(kind=MASK))  # what masked pixels become
    grid: Any = field(metadata=value(kind=GRID))  # at which counts of masked pixels the curves are taken
    ranking: str = field(metadata=value(choices=RANKINGS))  # how pixels are ordered: signed or magnitude
    # The overlap AUC as in the text of 2505.03201, or as in its released code
    overlap: str = field(metadata=value(choices=("paper", "released_code")))
    examples: int = field(metadata=value("[0, )"))  # photographs whose maps are kept and drawn

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))


@dataclass
class WeightedGradientsEvaluation(MapEvaluation):
    """What the methods of 2505.03201 are compared by."""

    # Methods whose insertion curves are taken too
    insertion: list[str] = field(metadata=value(choices=METHODS[1:], distinct=True))
    # Numbers of least fit baselines that Weighted Gradients go without (Figure 2)
    removed: list[int] = field(metadata=value("[1, )", distinct=True))
    # Bootstrap draws of the set of baselines, for the variance of the maps
    draws: int = field(metadata=value("[2, 1000000]"))
    # Numbers of quadrature nodes at which Weighted Gradients are computed anew: does the completeness gap vanish?
    ladder: list[int] = field(metadata=value("[1, 100000]", distinct=True))
    ladder_photographs: int = field(metadata=value("[0, )"))  # the first so many of them
    # `tables` or `ablation`: the report puts runs of one study together
    study: str = field(metadata=value(choices=("tables", "ablation")))
    # Masks by name: the fitness with each of them is judged by curves with each of them; none: this is not asked
    masks: dict[str, Any] = field(default_factory=dict, metadata=value(kind=MASK))
    # D_alpha by its definition, beside the search's, with so many counts from one that is looked at to the next (1: all
    # are, which is exact and takes minutes a photograph); 0: this is not asked
    first_crossing: int = field(default=0, metadata=value("[0, )"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if "nothing" in self.masks:
            raise UserError("evaluation.masks.nothing: this is what the rows call no mask, give yours another name")


@dataclass
class ExplainEvaluation:
    """What is asked of each photograph, and how its sheet is drawn: `explain` has no metrics of its own."""

    # Of which class: predicted, second (the next most probable), top3 (the first three), or one by name or number
    target: str = "predicted"
    # Why this and not that: the class whose output is taken away, by name, number, predicted or second; None: none is
    against: str | None = None
    smoothing: float = field(default=0.0, metadata=value("[0, 100]"))  # of the sheet's maps, a Gaussian's width [px]

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))


@dataclass(kw_only=True)
class ShapleyImagesAttribution(AttributionSettings):
    """Shapley Integrated Gradients and its competitors, all at the same cost (2310.04821)."""

    gradient_points: int = field(metadata=value("[1, 1000000]"))  # gradients that every method may take of an input
    # Gives the value of the players outside a coalition; also the baseline of `ig_absent`, the control
    absent: Any = field(metadata=value(kind=(SOURCE[0], "a source of baselines (attribution/absent=black)")))
    patch: int = field(metadata=value("[1, )"))  # side of the square patches that are the players of photographs [px]
    # Quadrature nodes on the path from each coalition; `coalitions` follows
    shapley_nodes: int = field(metadata=value("[1, )"))
    paired: bool  # draw coalitions in antithetic pairs
    # The other methods with one baseline, Integrated Gradients: method -> where its baseline comes from
    baselines: dict[str, Any] = field(metadata=value(kind=SOURCE))
    example_baselines: int = field(metadata=value("[1, )"))  # other examples that expected gradients average over

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("shapley_nodes", "example_baselines"):
            part = getattr(self, key)
            if self.gradient_points < part or self.gradient_points % part:
                raise UserError(
                    f"attribution.gradient_points must be a multiple of attribution.{key}, so that all methods cost "
                    f"the same, got {self.gradient_points} and {part}"
                )
        if self.example_baselines >= self.reference_images:
            raise UserError(
                "attribution.reference_images must exceed attribution.example_baselines, since a photograph is no "
                f"baseline of its own, got {self.reference_images} and {self.example_baselines}"
            )
        for name, source in {"absent": self.absent, **self.baselines}.items():
            key = name if name == "absent" else f"baselines.{name}"
            if getattr(source, "count", 1) != 1:
                raise UserError(f"attribution.{key} must give one baseline, got {source.count}")
        if taken := set(self.baselines) & {SHAPLEY_IG, IG_ABSENT, EG}:
            raise UserError(f"attribution.baselines.{min(taken)} is the name of a method of its own: choose another")

    @property
    def coalitions(self) -> int:
        """Coalitions that Shapley Integrated Gradients can afford."""
        return self.gradient_points // self.shapley_nodes

    def methods(self) -> "dict[str, Method]":
        """Shapley Integrated Gradients first, and behind them the control."""
        from igbaselines.attribution import GaussLegendre
        from igbaselines.attribution.baselines import Examples
        from igbaselines.attribution.methods import AveragedGradients
        from igbaselines.attribution.shapley.estimators import ShapleyIG

        examples, one_path = self.example_baselines, GaussLegendre(self.gradient_points)
        return {
            SHAPLEY_IG: ShapleyIG(self.absent, self.coalitions, self.paired, GaussLegendre(self.shapley_nodes)),
            IG_ABSENT: AveragedGradients(self.absent, one_path),
            **{name: AveragedGradients(source, one_path) for name, source in self.baselines.items()},
            EG: AveragedGradients(Examples(examples), GaussLegendre(self.gradient_points // examples)),
        }


@dataclass
class ShapleyImagesEvaluation(MapEvaluation):
    """What is varied, and which other network is asked."""

    other_model: Any = field(metadata=value(kind=MODEL))  # another network, whose maps of the same pixels are compared
    # Cells a side over which maps are averaged before networks are compared
    consistency_grid: int = field(metadata=value(f"[2, {FINEST_CONSISTENCY}]"))
    # Sides of the patches that Shapley Integrated Gradients is tried with [px]
    patches: list[int] = field(metadata=value("[1, )", distinct=True))
    # Numbers of coalitions that it is tried with
    coalitions: list[int] = field(metadata=value("[1, 1000000]", distinct=True))


@dataclass(frozen=True)
class PhotographDomain(Domain):
    """Photographs as a kind of data of `comparison`, and what of them is a player."""

    patch: int = field(default=32, metadata=value("[1, 1024]"))  # side of the square players [px]; 1: every pixel


@dataclass
class HeadsEvaluation:
    """How heads over frozen features are trained, and their maps compared."""

    heads: int = field(metadata=value("[2, 100]"))  # trained from different seeds
    hidden: int = field(metadata=value("[1, 10000]"))  # width of a head's hidden layer
    epochs: int = field(metadata=value("[1, 10000]"))  # passes over the crops
    crops: int = field(metadata=value("[1, 1000]"))  # of each photograph, to learn from
    test_crops: int = field(metadata=value("[1, 1000]"))  # further ones, by which a head is judged
    # Cells a side over which maps are averaged before networks are compared
    consistency_grid: int = field(metadata=value(f"[2, {FINEST_CONSISTENCY}]"))

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
