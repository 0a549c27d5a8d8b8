"""Networks that were saved whole: by `torch.jit.save` (.pt, .pth, .ts), or by `torch.export.save` (.pt2)."""

import warnings
from pathlib import Path

import torch
from torch import nn

from igbaselines.common.errors import UserError

EXPORTED = ".pt2"


def saved_network(path: Path, key: str) -> nn.Module:
    """Load a network that computes without the code it was written in, on the CPU; `key` names it in the configuration.

    Raises:
        UserError: where the file is not there, or is no such network.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file, {key} must name what torch.jit.save or torch.export.save (.pt2) wrote")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, that it would rather have exported programs
            if path.suffix == EXPORTED:
                return torch.export.load(path).module()
            network: nn.Module = torch.jit.load(path, map_location="cpu")
            return network.eval()
    except Exception as error:  # readers of archives raise anything
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: no saved network ({said}): {key} must name what torch.jit.save or torch.export.save wrote; "
            "of a state dict nobody knows what it computes"
        ) from error
