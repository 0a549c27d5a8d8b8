"""What the image experiments can be told: the schemas of `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from igbaselines.common.checks import at_least, one_of
from igbaselines.common.errors import UserError

METHODS = ("ig", "expected_gradients", "weighted_gradients", "filtered_weighted_gradients")
OUTPUTS = ("probability", "logit")
PRECISIONS = ("float32", "bfloat16")
RANKINGS = ("signed", "magnitude")
SCORED = ("normalised", "as_they_are")
STUDIES = ("tables", "ablation")
OVERLAPS = ("paper", "released_code")
SHAPLEY_IG, IG_ABSENT, EXPECTED = "shapley_ig", "ig_absent", "expected_gradients"
FINEST_CONSISTENCY = 32  # cells a side; ranks of n x n cells are compared in n^4 pairs
SHAPLEY_IMAGES_METHODS = (SHAPLEY_IG, IG_ABSENT, EXPECTED)  # those beside the ones that attribution.baselines names


@runtime_checkable
class Explained(Protocol):
    """What a network is asked for: which output is explained, in which precision, and of which pixels scores are."""

    output: str

    @property
    def scored(self) -> str:
        """One of `SCORED`."""
        ...

    @property
    def precision(self) -> str:
        """One of `PRECISIONS`."""
        ...


@dataclass
class ImageAttribution:
    """How a photograph's class is attributed to its pixels.

    Args:
        method: what `explain` writes; `weighted_gradients` compares all of them but `ig`.
        protocol: the name of the file that chose these keys and those of the evaluation together; None without one.
        output: the explained output: probability, as the paper says, or logit.
        rule: the quadrature rule.
        baselines: sources of baselines by name.
        reference_images: photographs that baselines are made of.
        search: finds D_alpha.
        fitness_mask: what masked pixels become while a baseline is judged.
        ranking: how pixels are ordered while a baseline is judged: signed or magnitude.
        filter_below: the filter drops baselines whose weight is below this multiple of the mean weight.
        scored: whether scores (fitness and metrics) are of the normalised photograph, or of pixels in [0, 1] fed to
            the network as they are, which the released code does.
        same_draws: random baselines and nodes are the same for every photograph.
        precision: of the passes that gradients are taken of, float32 or bfloat16; scores are always in float32.
        labels: how methods are printed, by name; no part of the run's hash.
    """

    method: str
    protocol: str | None
    output: str
    rule: Any
    baselines: dict[str, Any]
    reference_images: int
    search: Any
    fitness_mask: Any
    ranking: str
    filter_below: float
    scored: str
    same_draws: bool
    precision: str
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("attribution.method", self.method, METHODS)
        one_of("attribution.precision", self.precision, PRECISIONS)
        one_of("attribution.output", self.output, OUTPUTS)
        one_of("attribution.ranking", self.ranking, RANKINGS)
        one_of("attribution.scored", self.scored, SCORED)
        at_least("attribution.reference_images", self.reference_images, 2)
        if not 0 <= self.filter_below <= 1:
            raise UserError(f"attribution.filter_below must lie in [0, 1], got {self.filter_below}")
        if not self.baselines:
            raise UserError("attribution.baselines is empty: choose a set, such as attribution/baselines=constants")


@dataclass
class WeightedGradientsEvaluation:
    """How the attributions of a photograph are judged.

    Args:
        mask: what masked pixels become.
        grid: at which counts of masked pixels the curves are taken.
        ranking: how pixels are ordered: signed or magnitude.
        insertion: methods whose insertion curves are taken too.
        removed: numbers of least fit baselines that Weighted Gradients go without (Figure 2).
        overlap: the overlap AUC as in the paper, or as in the released code.
        draws: bootstrap draws of the set of baselines, for the variance of the maps.
        examples: photographs whose maps are kept and drawn.
        study: `tables` or `ablation`: the report puts runs of one study together.
    """

    mask: Any
    grid: Any
    ranking: str
    insertion: list[str]
    removed: list[int]
    overlap: str
    draws: int
    examples: int
    study: str

    def __post_init__(self) -> None:
        one_of("evaluation.study", self.study, STUDIES)
        one_of("evaluation.ranking", self.ranking, RANKINGS)
        one_of("evaluation.overlap", self.overlap, OVERLAPS)
        for method in self.insertion:
            one_of("evaluation.insertion", method, METHODS[1:])
        for count in self.removed:
            at_least("evaluation.removed", count, 1)
        at_least("evaluation.draws", self.draws, 2)
        at_least("evaluation.examples", self.examples, 0)


@dataclass
class ExplainEvaluation:
    """Nothing is judged: `explain` has no metrics."""


@dataclass
class ShapleyImagesAttribution:
    """How Shapley Integrated Gradients and its competitors explain a photograph, all at the same cost.

    Args:
        output: the explained output, probability or logit.
        gradient_points: gradients that every method may take of a photograph.
        absent: gives the value of the pixels outside a coalition; also the baseline of `ig_absent`, the control.
        patch: side of the square patches that are the players [px].
        shapley_nodes: quadrature nodes on the path from each coalition; `coalitions` follows.
        paired: draw coalitions in antithetic pairs.
        baselines: the other methods with one baseline, Integrated Gradients: method -> where its baseline comes from.
        example_baselines: other photographs that expected gradients average over.
        reference_images: photographs that baselines are made of.
        labels: how methods are printed, by name; no part of the run's hash.
    """

    output: str
    gradient_points: int
    absent: Any
    patch: int
    shapley_nodes: int
    paired: bool
    baselines: dict[str, Any]
    example_baselines: int
    reference_images: int
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("attribution.output", self.output, OUTPUTS)
        at_least("attribution.patch", self.patch, 1)
        at_least("attribution.reference_images", self.reference_images, 2)
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
        if taken := set(self.baselines) & set(SHAPLEY_IMAGES_METHODS):
            raise UserError(f"attribution.baselines.{min(taken)} is the name of a method of its own: choose another")

    @property
    def coalitions(self) -> int:
        """Coalitions that Shapley Integrated Gradients can afford."""
        return self.gradient_points // self.shapley_nodes

    @property
    def scored(self) -> str:
        """Scores are always of the normalised photograph."""
        return SCORED[0]

    @property
    def precision(self) -> str:
        """Gradients are always in float32."""
        return PRECISIONS[0]


@dataclass
class ShapleyImagesEvaluation:
    """How the maps are judged, and what is varied.

    Args:
        mask: what masked pixels become.
        grid: at which counts of masked pixels the curves are taken.
        ranking: how pixels are ordered: signed or magnitude.
        overlap: the overlap AUC as in the text of 2505.03201, or as in its released code.
        other_model: another network, whose maps of the same pixels are compared.
        consistency_grid: cells a side over which maps are averaged before networks are compared.
        patches: sides of the patches that Shapley Integrated Gradients is tried with [px].
        coalitions: numbers of coalitions that it is tried with.
        examples: photographs whose maps are kept and drawn.
    """

    mask: Any
    grid: Any
    ranking: str
    overlap: str
    other_model: Any
    consistency_grid: int
    patches: list[int]
    coalitions: list[int]
    examples: int

    def __post_init__(self) -> None:
        one_of("evaluation.ranking", self.ranking, RANKINGS)
        one_of("evaluation.overlap", self.overlap, OVERLAPS)
        if not 2 <= self.consistency_grid <= FINEST_CONSISTENCY:
            raise UserError(
                f"evaluation.consistency_grid must lie in 2..{FINEST_CONSISTENCY}, got {self.consistency_grid}: "
                "finer maps are noise"
            )
        at_least("evaluation.examples", self.examples, 0)
        for key in ("patches", "coalitions"):
            for value in getattr(self, key):
                at_least(f"evaluation.{key}", value, 1)
