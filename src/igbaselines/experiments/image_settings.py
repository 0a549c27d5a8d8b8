"""What the image experiments can be told: the schemas of `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass
from typing import Any

from igbaselines.errors import UserError
from igbaselines.experiments.checks import at_least, one_of

METHODS = ("ig", "expected_gradients", "weighted_gradients", "filtered_weighted_gradients")
OUTPUTS = ("probability", "logit")
RANKINGS = ("signed", "magnitude")
SCORED = ("normalised", "as_they_are")
STUDIES = ("tables", "ablation")
OVERLAPS = ("paper", "released_code")


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

    def __post_init__(self) -> None:
        one_of("attribution.method", self.method, METHODS)
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
