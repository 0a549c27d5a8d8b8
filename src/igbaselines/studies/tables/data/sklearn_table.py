"""Tables that come with scikit-learn, without a download: breast_cancer, wine and digits (UCI repository)."""

from dataclasses import dataclass, field

import numpy as np

from igbaselines.common.values import value
from igbaselines.studies.tables.data.labelled import LabelledTable, TableDataset

NAMES = ("breast_cancer", "wine", "digits")


@dataclass
class SklearnTable(TableDataset):
    """One of scikit-learn's tables."""

    name: str = field(metadata=value(choices=NAMES))

    def tables(self) -> list[LabelledTable]:
        """Load it."""
        from sklearn import datasets

        found = getattr(datasets, f"load_{self.name}")()
        names = tuple(str(name) for name in found.target_names)
        return [LabelledTable(self.name, found.data.astype(np.float32), found.target.astype(np.int64), names)]
