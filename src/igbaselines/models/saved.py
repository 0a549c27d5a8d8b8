"""Networks that were saved whole, with their code: TorchScript and torch.export files."""

import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from igbaselines.common.errors import UserError, said_by


def saved_network(path: Path) -> nn.Module:
    """Load what `torch.jit.save` or `torch.export.save` wrote, on the CPU.

    Both can run code: who calls this trusts the file.

    Raises:
        UserError: for another file.
    """
    try:
        names = zipfile.ZipFile(path).namelist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and files of it are there
            return _script(path) if any("/code/" in name for name in names) else _exported(path)
    except Exception as error:  # either format raises anything
        raise UserError(
            f"{path}: neither TorchScript nor a torch.export file ({said_by(error)}): "
            "of a state dict nobody knows what it computes"
        ) from error


def _script(path: Path) -> nn.Module:
    network: nn.Module = torch.jit.load(path, map_location="cpu")
    return network.eval()


def _exported(path: Path) -> nn.Module:
    """The program as a module; it has no modes, and nobody shall ask it for one."""
    network: nn.Module = torch.export.load(path).module()
    network.train = lambda mode=True: network  # type: ignore[method-assign]
    return network
