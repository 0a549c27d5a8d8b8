"""What the image experiments can be told: the schemas of `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igbaselines.common.checks import at_least, one_of
from igbaselines.common.errors import UserError
from igbaselines.running.settings import RANKINGS, AttributionSettings

if TYPE_CHECKING:
    from igbaselines.attribution.fitness import Fitness
    from igbaselines.attribution.methods import AveragedGradients, Method
    from igbaselines.attribution.weighting import FitnessWeighting

IG, EG, WG, FILTERED = "ig", "expected_gradients", "weighted_gradients", "filtered_weighted_gradients"
METHODS = (IG, EG, WG, FILTERED)
SHAPLEY_IG, IG_ABSENT = "shapley_ig", "ig_absent"
FINEST_CONSISTENCY = 32  # cells a side; ranks of n x n cells are compared in n^4 pairs


@dataclass(kw_only=True)
class ImageAttribution(AttributionSettings):
    """Integrated Gradients from a set of baselines, and averages of them (2505.03201)."""

    method: str  # what `explain` writes; `weighted_gradients` compares all of them but `ig`
    # The name of the file that chose these keys and those of the evaluation together; None without one
    protocol: str | None
    rule: Any  # the quadrature rule
    baselines: dict[str, Any]  # sources of baselines by name
    search: Any  # finds D_alpha
    fitness_mask: Any  # what absent players become while a baseline is judged; `ranking` is their order
    filter_below: float  # the filter drops baselines whose weight is below this multiple of the mean weight
    # Whether scores (fitness and metrics) are of the normalised photograph, or of pixels in [0, 1] fed to the
    # network as they are, which the released code does
    scored: str
    same_draws: bool  # random baselines and nodes are the same for every photograph
    precision: str  # of the passes that gradients are taken of, float32 or bfloat16; scores are always in float32

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("attribution.method", self.method, METHODS)
        one_of("attribution.precision", self.precision, ("float32", "bfloat16"))
        one_of("attribution.scored", self.scored, ("normalised", "as_they_are"))
        if not 0 <= self.filter_below <= 1:
            raise UserError(f"attribution.filter_below must lie in [0, 1], got {self.filter_below}")
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

    mask: Any  # what masked pixels become
    grid: Any  # at which counts of masked pixels the curves are taken
    ranking: str  # how pixels are ordered: signed or magnitude
    overlap: str  # the overlap AUC as in the text of 2505.03201, or as in its released code
    examples: int  # photographs whose maps are kept and drawn

    def __post_init__(self) -> None:
        one_of("evaluation.ranking", self.ranking, RANKINGS)
        one_of("evaluation.overlap", self.overlap, ("paper", "released_code"))
        at_least("evaluation.examples", self.examples, 0)


@dataclass
class WeightedGradientsEvaluation(MapEvaluation):
    """What the methods of 2505.03201 are compared by."""

    insertion: list[str]  # methods whose insertion curves are taken too
    removed: list[int]  # numbers of least fit baselines that Weighted Gradients go without (Figure 2)
    draws: int  # bootstrap draws of the set of baselines, for the variance of the maps
    study: str  # `tables` or `ablation`: the report puts runs of one study together

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("evaluation.study", self.study, ("tables", "ablation"))
        for method in self.insertion:
            one_of("evaluation.insertion", method, METHODS[1:])
        for count in self.removed:
            at_least("evaluation.removed", count, 1)
        at_least("evaluation.draws", self.draws, 2)


@dataclass
class ExplainEvaluation:
    """Nothing is judged: `explain` has no metrics of its own."""


@dataclass(kw_only=True)
class ShapleyImagesAttribution(AttributionSettings):
    """Shapley Integrated Gradients and its competitors, all at the same cost (2310.04821)."""

    gradient_points: int  # gradients that every method may take of an input
    absent: Any  # gives the value of the players outside a coalition; also the baseline of `ig_absent`, the control
    patch: int  # side of the square patches that are the players of photographs [px]
    shapley_nodes: int  # quadrature nodes on the path from each coalition; `coalitions` follows
    paired: bool  # draw coalitions in antithetic pairs
    # The other methods with one baseline, Integrated Gradients: method -> where its baseline comes from
    baselines: dict[str, Any]
    example_baselines: int  # other examples that expected gradients average over

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("attribution.patch", self.patch, 1)
        for key in ("shapley_nodes", "example_baselines"):
            value = getattr(self, key)
            at_least(f"attribution.{key}", value, 1)
            if self.gradient_points < value or self.gradient_points % value:
                raise UserError(
                    f"attribution.gradient_points must be a multiple of attribution.{key}, so that all methods cost "
                    f"the same, got {self.gradient_points} and {value}"
                )
        if self.example_baselines >= self.reference_images:
            raise UserError(
                "attribution.reference_images must exceed attribution.example_baselines, since a photograph is no "
                f"baseline of its own, got {self.reference_images} and {self.example_baselines}"
            )
        for name, source in {"absent": self.absent, **self.baselines}.items():
            key = name if name == "absent" else f"baselines.{name}"
            if not callable(getattr(source, "draw", None)):
                raise UserError(f"attribution.{key} must be a source of baselines, as attribution/absent=black is one")
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

    other_model: Any  # another network, whose maps of the same pixels are compared
    consistency_grid: int  # cells a side over which maps are averaged before networks are compared
    patches: list[int]  # sides of the patches that Shapley Integrated Gradients is tried with [px]
    coalitions: list[int]  # numbers of coalitions that it is tried with

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.consistency_grid <= FINEST_CONSISTENCY:
            raise UserError(
                f"evaluation.consistency_grid must lie in 2..{FINEST_CONSISTENCY}, got {self.consistency_grid}: "
                "finer maps are noise"
            )
        for key in ("patches", "coalitions"):
            for value in getattr(self, key):
                at_least(f"evaluation.{key}", value, 1)
