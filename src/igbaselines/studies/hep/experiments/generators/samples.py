"""The samples that `hep_generators` compares: the same features, one process at a time."""

from dataclasses import replace

import numpy as np

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.measures.two_samples import WeightedSample


def with_the_features_of(sample: EventTable, reference: EventTable) -> EventTable:
    """The reference with its features in the order of the sample's; a UserError where their names differ."""
    only = [sorted(set(a.feature_names) - set(b.feature_names)) for a, b in ((sample, reference), (reference, sample))]
    if any(only):
        said = [
            f"only {whose} has {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
            for whose, names in zip(("the dataset", "evaluation.reference"), only, strict=True)
            if names
        ]
        raise UserError(f"both samples must have the same features: {'; '.join(said)}")
    order = [reference.feature_names.index(name) for name in sample.feature_names]
    return replace(reference, features=reference.features[:, order], feature_names=sample.feature_names)


def one_process(events: EventTable, whose: str, process: str, least: int) -> WeightedSample:
    """The events of a process, with their weights within it; a UserError where they are too few or have no weight."""
    if process not in events.processes:
        raise UserError(
            f"evaluation.processes names {process!r}, which {whose} does not have: it has {', '.join(events.processes)}"
        )
    members = np.flatnonzero(events.process == events.processes.index(process))
    if len(members) < 2 * least:  # the reference is halved
        raise UserError(
            f"{whose} has {len(members)} events of process {process!r}, at least {2 * least} are needed: "
            "raise n_events, or leave it out of evaluation.processes"
        )
    weight = None if events.weight is None else events.weight[members]
    try:
        return WeightedSample.of(events.features[members], weight)
    except ValueError as error:
        raise UserError(f"process {process!r} of {whose}: {error}") from error
