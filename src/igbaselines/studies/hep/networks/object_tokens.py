"""Which features describe which object of an event: their names say it (arXiv:2412.13864, appendix).

An object's token is made from every feature that names it: its own (`pT_j1`), those of its pairs and triples
(`dR_l_j1`, `m_l_j1_j2`). The features of the event as a whole make one more token.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.features import OBJECTS

OF_THE_EVENT = ("HT", "MET")
# N-subjettiness ratios of the fat jet: b1 and b2 are exponents there, and no objects.
OF_THE_FAT_JET = ("tau21_b1", "tau32_b1", "tau21_b2", "tau32_b2")


def object_tokens(feature_names: tuple[str, ...]) -> Bool[Tensor, "7 d"]:
    """Say which features go into which token: one for each of `OBJECTS`, and the event's.

    A UserError names the first feature whose name says neither.
    """
    columns = [[name in objects for name in (*OBJECTS, "")] for objects in map(_objects, feature_names)]
    return torch.tensor(columns).T.contiguous()


def _objects(feature: str) -> tuple[str, ...]:
    """The objects that a feature describes; the empty name stands for the event."""
    if feature in OF_THE_EVENT:
        return ("",)
    if feature in OF_THE_FAT_JET:
        return ("J",)
    objects = tuple(feature.split("_")[1:])
    if not objects or not set(objects) <= set(OBJECTS):
        raise UserError(
            f"model=object_attention cannot tell what the feature {feature!r} describes: names must be "
            f"{' or '.join(OF_THE_EVENT)}, or end in objects ({', '.join(OBJECTS)}) as pT_j1 and m_l_b do"
        )
    return objects
