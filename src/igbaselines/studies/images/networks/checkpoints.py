"""Checkpoints as training scripts leave them: which of their dictionaries and prefixes holds a network's weights."""

import logging
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from igbaselines.common.errors import UserError, said_by

log = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network")  # of training scripts, in this order
AVERAGES = ("ema", "swa", "averaged", "shadow")  # in the names of weights that were averaged over training
MOST_WRAPPERS = 8  # dictionaries around a state dict
UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile)


def read_checkpoint(path: Path, key: str | None = None) -> Mapping[str, Tensor]:
    """Read .safetensors or what `torch.save` wrote: a state dict, wrapped or not; code in it is refused and not run.

    Of several `key` names one, or a prefix of its tensors' names.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    try:
        if path.suffix == ".safetensors":
            content: object = safetensors.torch.load_file(path)
        else:
            _check_sums(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # damaged pickles of torch's old format raise anything
        if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise UserError(
                f"{path}: refused, it holds code ({code.group(1)}): "
                "a checkpoint must hold tensors alone, as torch.save(network.state_dict(), FILE) writes"
            ) from error
        raise UserError(f"{path}: cannot be read as a checkpoint ({said_by(error)})") from error
    for _ in range(MOST_WRAPPERS):
        if not _is_state(content) and (inner := _unwrapped(content, path, key)) is not None:
            content = inner
    if not _is_state(content):
        raise UserError(f"{path}: not a state dict, which maps the names of a network's tensors to tensors")
    return content


def without_prefix(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path, key: str | None = None
) -> Mapping[str, Tensor]:
    """Take off what stands before the names of a network's tensors: of DataParallel, Lightning, torch.compile, EMA.

    Of several prefixes behind each of which the network stands `key` names one; else it is the one that is no average,
    and the log says so. Tensors without the prefix, such as a loss's weights, are left out.
    """
    some, *_ = expected
    found = [name.removesuffix(some) for name in state if name == some or name.endswith(f".{some}")]
    complete = [one for one in found if sum(f"{one}{name}" in state for name in expected) > len(expected) / 2]
    if key is not None and (named := [one for one in complete if key in one.split(".")]):
        complete = named
    if not complete:
        return state
    prefix = min(complete, key=lambda one: (any(word in one for word in AVERAGES) and key is None, len(one)))
    if others := [one or "no prefix" for one in complete if one != prefix]:
        log.warning(
            "%s: the network behind %r is taken, not behind %s: model.checkpoint_key chooses", path, prefix, others
        )
    if not prefix:
        return state
    mine = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    left = len(state) - len(mine)
    log.info("%s: its names begin with %r%s", path, prefix, f"; {left} others are left out" if left else "")
    return mine


def _check_sums(path: Path) -> None:
    """Refuse an archive of `torch.save` whose tensors are not those that were saved: torch does not look."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise UserError(f"{path}: damaged, {damaged} in it does not have its checksum: copy or save it again")


def _is_state(content: object) -> TypeGuard[Mapping[str, Tensor]]:
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())


def _unwrapped(content: object, path: Path, key: str | None = None) -> object | None:
    """What a training script has put the weights in; the log says which where there are several."""
    if not isinstance(content, Mapping):
        return None
    if key is not None and isinstance(content.get(key), Mapping):
        return content[key]  # type: ignore[no-any-return]
    there = [name for name, value in content.items() if isinstance(value, Mapping) and _holds_state(value)]
    known = [name for name in WRAPPERS if isinstance(content.get(name), Mapping)] or there[:1]
    others = [name for name, value in content.items() if name not in known and _holds_state(value)]
    if not known:
        return None
    if others or len(known) > 1:
        left = ", ".join(map(str, known[1:] + others))
        log.warning("%s: %r is taken, not %s: model.checkpoint_key chooses another", path, known[0], left)
    taken: object = content[known[0]]
    return taken


def _holds_state(value: object) -> bool:
    """Whether something is a state dict, or has one, as averages of weights are kept."""
    inside = value.values() if isinstance(value, Mapping) else ()
    lists = (one for one in (value, *inside) if isinstance(one, list))
    return any(map(_is_state, (value, *inside))) or any(isinstance(part, Tensor) for one in lists for part in one)
