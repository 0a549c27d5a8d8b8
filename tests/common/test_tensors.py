"""Tensors in files come back, or their work is done again."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from igbaselines.common.tensors import load_tensors, save_tensors
from tests.damage import EVERY_DAMAGE, damage, say_damaged


def test_tensors_come_back(tmp_path: Path, device: torch.device) -> None:
    path = tmp_path / "new" / "folder" / "t.safetensors"
    tensors = {
        "transposed": torch.arange(6.0).view(2, 3).T.to(device),
        "scalar": torch.tensor(3, device=device),
        "mask": torch.tensor([True, False], device=device),
        "empty": torch.zeros(0, 4, device=device),
    }
    save_tensors(path, tensors)
    assert list(path.parent.iterdir()) == [path]
    for where in (device, str(device)):
        loaded = load_tensors(path, where)
        assert loaded is not None
        assert set(loaded) == set(tensors)
        for name, tensor in tensors.items():
            assert loaded[name].device.type == device.type
            assert torch.equal(loaded[name], tensor)


def test_no_file_gives_none_and_nothing_to_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_tensors(tmp_path / "none.safetensors") is None
    assert caplog.messages == []


@pytest.mark.parametrize("kind", EVERY_DAMAGE)
def test_a_damaged_file_gives_none_and_is_told(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, other = (tmp_path / f"{name}.safetensors" for name in "ab")
    save_tensors(path, {"x": torch.arange(100.0)})
    save_tensors(other, {"x": torch.arange(100.0) + 1})
    damage(path, kind, other)
    assert load_tensors(path) is None
    assert caplog.messages == [say_damaged(path)]
    assert load_tensors(other) is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"x": torch.tensor([1.0, 2.0, 4.0])},
        {"y": torch.tensor([1.0, 2.0, 3.0])},
        {"x": torch.tensor([[1.0, 2.0, 3.0]])},
        {"x": torch.tensor([1.0, 2.0, 3.0]).view(torch.int32)},
        {"x": torch.tensor([1.0, 2.0, 3.0]), "y": torch.zeros(0)},
        {},
    ],
)
@pytest.mark.parametrize("keeps_checksum", [True, False])
def test_whole_files_with_other_tensors_are_not_believed(
    changed: dict[str, torch.Tensor], keeps_checksum: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"x": torch.tensor([1.0, 2.0, 3.0])})
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(changed, path, metadata if keeps_checksum else None)
    assert load_tensors(path) is None


def test_no_bit_of_a_file_goes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"x": torch.tensor([1.0]), "mask": torch.tensor([True])})
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        assert load_tensors(path) is None, bit
