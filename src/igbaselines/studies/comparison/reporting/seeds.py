"""What changes with another seed: other networks, inputs and draws, and the answer of each side by side."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.combination import Combination, Noted
from igbaselines.reporting.labels import printed_as
from igbaselines.reporting.page.runs import Results
from igbaselines.studies.comparison.reporting.answer import in_short
from igbaselines.studies.comparison.reporting.judged import Judgement, at_largest_budget, domains

COMPARED = ("experiment", "scale", "protocol", "evaluation", "attribution", "methods", "metrics", "plugins")
NOTE = (
    "The same comparison with other seeds, which give other networks, inputs and draws. The answer is the same as that "
    "of the first seed where neither rules out the other's best method; tau is Kendall's of the orders of all methods."
)


def combine(results: Sequence[Results], printed: Printed) -> Combination:
    """Put the answers of runs that differ in their seed alone side by side."""
    groups: dict[str, list[Results]] = {}
    for one in sorted(results, key=lambda each: (int(each.config["seed"]), each.label)):
        same = {key: one.config.get(key) for key in COMPARED}
        groups.setdefault(json.dumps(same, sort_keys=True, default=str), []).append(one)
    several = [some for some in groups.values() if len(some) > 1]
    found = [Noted(f"seeds_of_{some[0].label}", pd.DataFrame(list(_lines(some))), NOTE) for some in several]
    return Combination([noted for noted in found if not noted.table.empty])


def _lines(runs: Sequence[Results]) -> Iterator[dict[str, Any]]:
    first: dict[str, Judgement] = {}
    for run in runs:
        with printed_as(run.names):
            every = domains(run.rows, run.names.metrics)
            for domain in at_largest_budget(every):
                if (one := domain.overall) is None:
                    continue
                before = first.setdefault(domain.name, one)
                short = in_short(domain, [other for other in every if other is not domain])
                yield {
                    "domain": domain.name,
                    "seed": run.config["seed"],
                    **{name: short[name] for name in ("take", "not_told_from_it", "how_sure", "hangs_on")},
                    "same_answer": "" if before is one else "yes" if _agree(before, one) else "no",
                    "tau": np.nan if before is one else _tau(before, one),
                    "run": run.label,
                }


def _agree(one: Judgement, other: Judgement) -> bool:
    return one.best in other.unresolved and other.best in one.unresolved


def _tau(one: Judgement, other: Judgement) -> float:
    """Kendall's tau of two orders of the methods that both have, the controls left out; NaN of fewer than two."""
    both = [method for method in one.order if method in other.order]
    ranks = [[each.rank_of(method) for method in both] for each in (one, other)]
    return float(stats.kendalltau(*ranks).statistic) if len(both) > 1 else np.nan
