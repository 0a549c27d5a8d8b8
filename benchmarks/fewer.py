"""What fewer network passes save on photographs, and what they change: tables of docs/speed_fewer.md.

Pictures and gradients are counted, not timed; Weighted Gradients of efficientnet_lite0, 6 baselines, 16 nodes.

    python -m benchmarks.fewer                      # the sample photographs: some minutes on two cores
    python -m benchmarks.fewer --only areas         # one of: k-section, areas, bfloat16, tf32
    python -m benchmarks.fewer --quick              # two photographs and short paths, to see that it works
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor

from benchmarks.emulated import EmulatedTF32
from benchmarks.weighted import Counted, Photograph
from igbaselines.attribution import Attribution
from igbaselines.attribution.weighting import InverseFitness
from igbaselines.common.randomness import generator_for
from igbaselines.metrics.perturbation_curves import ShareGrid, area
from igbaselines.studies.images.networks.network import TF32, Bfloat16, ImageNetwork, Probabilities

AREA_GRID = ShareGrid(20, 2)  # of the demo
SECTIONS = (2, 4, 6)
GRIDS = (ShareGrid(100, 1), ShareGrid(50, 1), ShareGrid(40, 2), ShareGrid(20, 2))
REFERENCE_GRID = ShareGrid(400, 1)
TOP = 0.05  # the most important pixels
QUANTILES = {"least": 0.0, "median": 0.5, "95 %": 0.95, "most": 1.0}
Row = dict[str, str | float]


@dataclass(frozen=True)
class Explained:
    """A photograph and its Weighted Gradients, with those of every baseline and how fit it is, all in full."""

    photograph: Photograph
    attribution: Attribution

    @classmethod
    def make(cls, photograph: Photograph) -> "Explained":
        """Explain it as the experiment does."""
        return cls(photograph, photograph.weighted())

    @property
    def weights(self) -> Tensor:
        """Of the baselines, (1, k)."""
        assert self.attribution.weights is not None
        return self.attribution.weights

    @property
    def d_alpha(self) -> Tensor:
        """Of the baselines, (k,)."""
        assert self.attribution.fitness is not None
        return self.attribution.fitness.d_alpha

    def importance(self, attribution: Attribution) -> Tensor:
        """Of the pixels by this or another attribution, (pixels,)."""
        p = self.photograph
        return p.task.player_map.importance(attribution.attributions, p.attribution.ranking)[0]

    def area(self, attribution: Attribution) -> float:
        """Under the deletion curve of this or another attribution."""
        return float(area(self.photograph.curve(attribution.attributions, AREA_GRID), AREA_GRID))


def k_section(explained: Explained) -> Iterator[Row]:
    """D_alpha with more sections than two."""
    p = explained.photograph
    per_baseline = explained.attribution.per_baseline
    assert per_baseline is not None
    for sections in SECTIONS:
        scored = Counted(p.classifier.scored)
        fitness = replace(p.attribution.fitness, search=replace(p.search, sections=sections))
        task = replace(p.scored_by(scored).task, max_batch=per_baseline.shape[1] * sections)  # a round is one pass
        found = fitness.d_alpha(task, per_baseline, generator_for(0)).d_alpha
        yield {
            "sections": f"{sections}",
            "rounds": scored.calls - 2,  # both ends of the bracket
            "pictures": scored.pictures,
            "same D_alpha": float((found == explained.d_alpha).double().mean()),
            "weights moved": moved(InverseFitness().of_fitness(found[None]), explained.weights),
        }


def areas(explained: Explained) -> Iterator[Row]:
    """Fewer points of the deletion curve."""
    p, attributions = explained.photograph, explained.attribution.attributions
    true = float(area(p.curve(attributions, REFERENCE_GRID), REFERENCE_GRID))
    for grid in GRIDS:
        curve = p.curve(attributions, grid)
        error = abs(float(area(curve, grid)) - true)
        yield {"grid": f"ShareGrid({grid.steps}, {grid.power})", "points": curve.shape[1], "error": error}


def bfloat16(explained: Explained) -> Iterator[Row]:
    """Gradients in bfloat16; scores, D_alpha and curves in float32."""
    yield fewer_bits(explained, "bfloat16", Bfloat16(explained.photograph.explained.network))


def tf32(explained: Explained) -> Iterator[Row]:
    """Gradients in TF32, which is emulated; scores, D_alpha and curves in float32."""
    yield fewer_bits(explained, "TF32, emulated", TF32(explained.photograph.explained.network, EmulatedTF32))


def fewer_bits(explained: Explained, name: str, network: ImageNetwork) -> Row:
    """What changes where gradients are those of the same network in another precision."""
    low = Explained(explained.photograph, explained.photograph.weighted(Probabilities(network)))
    importance, other = (explained.importance(some.attribution) for some in (explained, low))
    top = [set(x.topk(round(TOP * x.numel())).indices.tolist()) for x in (importance, other)]
    return {
        "gradients in": name,
        "rank correlation": float(spearmanr(importance, other).statistic),
        "cosine": float(torch.cosine_similarity(importance, other, dim=0, eps=0.0)),
        "same top twentieth": len(top[0] & top[1]) / len(top[0]),
        "weights moved": moved(low.weights, explained.weights),
        "area changed": explained.area(low.attribution) - explained.area(explained.attribution),
    }


STUDIES: dict[str, Callable[[Explained], Iterator[Row]]] = {
    "k-section": k_section,
    "areas": areas,
    "bfloat16": bfloat16,
    "tf32": tf32,
}


def moved(weights: Tensor, others: Tensor) -> float:
    """Half of the sum of the absolute differences."""
    return float((weights.double() - others.double()).abs().sum() / 2)


def show(name: str, rows: list[Row], console: Console) -> None:
    """Mean over the photographs, and their quantiles in brackets."""
    frame = pd.DataFrame(rows)
    key = str(frame.columns[0])
    photographs = len(frame) // frame[key].nunique()
    table = Table(title=f"{name}, {photographs} photographs: mean ({', '.join(QUANTILES)})")
    for column in frame.columns:
        table.add_column(column, justify="right" if column != key else "left")
    for setting, part in frame.groupby(key, sort=False):
        values = part.drop(columns=key)
        quantiles = values.quantile(list(QUANTILES.values()))
        cells = [f"{values[c].mean():.3g} ({', '.join(f'{q:.3g}' for q in quantiles[c])})" for c in values]
        table.add_row(str(setting), *cells)
    console.print(table)


def main() -> None:
    """Print a table for each study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=STUDIES, help="one study")
    parser.add_argument("--photographs", type=int, help="a random choice of so many")
    parser.add_argument("--quick", action="store_true", help="two photographs, if not more, and short paths")
    arguments = parser.parse_args()
    if arguments.photographs is not None and arguments.photographs < 1:
        parser.error(f"--photographs must be at least 1, got {arguments.photographs}")
    studies = {name: study for name, study in STUDIES.items() if arguments.only in (None, name)}
    rows: dict[str, list[Row]] = {name: [] for name in studies}
    console = Console(width=150)
    count = arguments.photographs or (2 if arguments.quick else None)
    for photograph in track(Photograph.several(arguments.quick, count), console=console):
        explained = Explained.make(photograph)
        for name, study in studies.items():
            rows[name] += study(explained)
    for name, found in rows.items():
        show(name, found, console)


if __name__ == "__main__":
    main()
