"""Classifiers that were saved whole, tried on pictures before anything is explained."""

from pathlib import Path

import torch
from torch import nn

from igbaselines.common.errors import UserError, said_by
from igbaselines.models.saved import saved_network


def network_of_pictures(path: Path, size: int) -> nn.Module:
    """Load a saved network, and try it on pictures of a side [px].

    Raises:
        UserError: for another file, and for a network that takes no such pictures, or always the same number of them.
    """
    network = saved_network(path)
    for count in (1, 3):
        try:
            with torch.no_grad():
                network(torch.zeros(count, 3, size, size))
        except Exception as error:
            raise UserError(
                f"{path}: does not take {count} pictures of {size} px ({said_by(error)}): give model.size, and "
                "export with a batch of any size, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)"
            ) from error
    return network
