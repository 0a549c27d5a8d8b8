"""Photographs on their way from the disk to a network: each is decoded once, and for a GPU ahead of its turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from igbaselines.common.devices import sent
from igbaselines.common.signals import left_to_parent
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.data.pictures import UnreadablePhotographError, open_photograph
from igbaselines.studies.images.networks.preprocessing import Preprocessing

KEPT_BYTES = 2**28  # that are kept on the host: some 400 photographs of 224 px

Pixels = Float[Tensor, "3 h w"]


@dataclass
class Reader:
    """Reads photographs as a network takes them, and keeps what may be asked for again, as far as there is room.

    Args:
        preprocessing: from a photograph to pixels.
        device: where the pixels are wanted.
        processes: that decode ahead; 0: none does.
    """

    preprocessing: Preprocessing
    device: torch.device
    processes: int = 0
    _kept: dict[object, dict[int | None, Tensor | None]] = field(default_factory=dict, init=False, repr=False)
    _bytes: int = field(default=0, init=False, repr=False)

    def pixels(self, photograph: Photograph) -> Pixels:
        """Read a photograph, in pixel space.

        Raises:
            UnreadablePhotographError: if it is broken.
        """
        (found,) = self.ahead([photograph])
        if isinstance(found, UnreadablePhotographError):
            raise found
        return found

    def mask(self, photograph: Photograph, predicted: int) -> Bool[Tensor, "h w"] | None:
        """Read the mask of the class's object in the frame of the pixels; None where nothing of it is there.

        Raises:
            UnreadablePhotographError: if it is broken.
        """
        kept = self._kept.get(_key(photograph), {})
        if predicted in kept:
            mask = kept[predicted]
        else:
            found = photograph.mask(predicted)
            mask = None if found is None else self.preprocessing.mask(found)
            mask = mask if mask is not None and mask.any() else None
            self._keep(photograph, predicted, mask)
        return None if mask is None else sent(mask, self.device)

    def ahead(self, photographs: Sequence[Photograph]) -> Iterator[Pixels | UnreadablePhotographError]:
        """Read photographs in their order, or say why one cannot be read; whoever has enough closes the iterator."""
        known = [self._kept.get(_key(photograph), {}).get(None) for photograph in photographs]
        decoded = self._decoded([one for one, pixels in zip(photographs, known, strict=True) if pixels is None])
        for photograph, kept in zip(photographs, known, strict=True):
            pixels = next(decoded) if kept is None else kept
            if isinstance(pixels, str):
                yield UnreadablePhotographError(pixels)
                continue
            self._keep(photograph, None, pixels)
            yield sent(pixels, self.device)

    def forget(self, photograph: Photograph) -> None:
        """Make room: nothing of it will be asked for again."""
        self._bytes -= sum(map(_size, self._kept.pop(_key(photograph), {}).values()))

    def _keep(self, photograph: Photograph, what: int | None, found: Tensor | None) -> None:
        """Keep the pixels (None) or the mask of a class, if there is room."""
        kept = self._kept.setdefault(_key(photograph), {})
        if what not in kept and self._bytes + _size(found) <= KEPT_BYTES:
            kept[what] = found
            self._bytes += _size(found)

    def _decoded(self, photographs: Sequence[Photograph]) -> Iterator[Pixels | str]:
        """Pixels on the host, or what is wrong with a photograph."""
        files = _Decoded(photographs, self.preprocessing)
        processes = min(self.processes, len(photographs) - 1)  # a single one is not worth a process
        if processes < 1:
            yield from map(files.__getitem__, range(len(photographs)))
            return
        with left_to_parent():
            seeds = torch.Generator()  # not the global one, which others draw from
            loaded = iter(DataLoader(files, batch_size=None, num_workers=processes, generator=seeds))
        yield from loaded


@dataclass(frozen=True)
class _Decoded(Dataset[Tensor | str]):
    photographs: Sequence[Photograph]
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, place: int) -> Pixels | str:
        try:
            with open_photograph(self.photographs[place].picture) as picture:
                return self.preprocessing.image(picture)
        except UnreadablePhotographError as error:
            return str(error)


def _key(photograph: Photograph) -> object:
    picture = photograph.picture
    return photograph.name, picture if isinstance(picture, Path) else id(picture)


def _size(found: Tensor | None) -> int:
    return 0 if found is None else found.numel() * found.element_size()
