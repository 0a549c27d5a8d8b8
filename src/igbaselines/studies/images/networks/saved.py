"""Networks that were saved whole, with their code: TorchScript and torch.export files."""

import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from igbaselines.common.errors import UserError


def saved_network(path: Path, size: int) -> nn.Module:
    """Load what `torch.jit.save` or `torch.export.save` wrote, and try it on pictures of a side [px].

    Both can run code: who calls this trusts the file.

    Raises:
        UserError: for another file, and for a network that takes no such pictures, or always the same number of them.
    """
    try:
        names = zipfile.ZipFile(path).namelist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and files of it are there
            network = _script(path) if any("/code/" in name for name in names) else _exported(path)
    except Exception as error:  # either format raises anything
        raise UserError(
            f"{path}: neither TorchScript nor a torch.export file ({_first_line(error)}): "
            "model.checkpoint takes a state dict"
        ) from error
    for count in (1, 3):
        try:
            with torch.no_grad():
                network(torch.zeros(count, 3, size, size))
        except Exception as error:
            raise UserError(
                f"{path}: does not take {count} pictures of {size} px ({_first_line(error)}): give model.size, and "
                "export with a batch of any size, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)"
            ) from error
    return network


def _script(path: Path) -> nn.Module:
    network: nn.Module = torch.jit.load(path, map_location="cpu")
    return network.eval()


def _exported(path: Path) -> nn.Module:
    """The program as a module; it has no modes, and nobody shall ask it for one."""
    network: nn.Module = torch.export.load(path).module()
    network.train = lambda mode=True: network  # type: ignore[method-assign]
    return network


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
