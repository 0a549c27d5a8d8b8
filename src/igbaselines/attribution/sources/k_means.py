"""A summary of the background by k-means, each centre weighted by its share of the examples.

Users of shap make it so (`shap.kmeans`; Lundberg and Lee 2017).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from igbaselines.attribution.baselines import Drawn, Inputs
from igbaselines.tasks import Background

STARTS = 10  # of k-means, of which the best is taken


@dataclass(frozen=True)
class KMeansSummary:
    """Centres of clusters of the examples, the same for all inputs.

    Args:
        count: clusters; fewer where there are fewer examples.
        rounded: every feature of a centre takes the nearest value that an example has, as in shap: no value is one
            that never occurs, such as half a jet.
    """

    baselines_an_input: ClassVar[int] = 1  # of a count of 1
    count: int = 10
    rounded: bool = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count of clusters must be at least 1, got {self.count}")

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Find the clusters, by distances in units of the features' ranges; the seed comes from the generator."""
        from sklearn.cluster import KMeans  # takes a second to import

        low, high = (bound.flatten().double().cpu().numpy() for bound in background.bounds())
        span = np.where(high > low, high - low, 1)
        examples = background.examples.flatten(1).double().cpu().numpy()
        weight = None if background.example_weight is None else background.example_weight.double().cpu().numpy()
        seed = int(torch.randint(2**31, (), generator=generator))
        distinct = len(np.unique(examples, axis=0))
        found = KMeans(min(self.count, distinct), n_init=STARTS, random_state=seed).fit(
            examples / span, sample_weight=None if weight is None else np.abs(weight)
        )
        share = np.bincount(found.labels_, weight, minlength=found.n_clusters)
        centres = found.cluster_centers_ * span
        if self.rounded:
            for column in range(examples.shape[1]):
                nearest = np.abs(examples[:, column] - centres[:, [column]]).argmin(axis=1)
                centres[:, column] = examples[nearest, column]
        taken = share > 0
        baselines = torch.from_numpy(centres[taken]).to(inputs).view(-1, *inputs.shape[1:])
        weights = torch.from_numpy(share[taken] / share[taken].sum())
        return baselines, weights.to(inputs.device)
