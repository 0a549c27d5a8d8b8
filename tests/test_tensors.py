"""Tensors in files come back, or their work is done again."""

from pathlib import Path

import torch

from igbaselines.tensors import load_tensors, save_tensors


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


def test_no_file_gives_none(tmp_path: Path) -> None:
    assert load_tensors(tmp_path / "none.safetensors") is None


def test_a_damaged_file_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"x": torch.arange(1000)})
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"\0" * 8,
        whole[:5],
        whole[:40],
        whole[:-1],
        whole + b"x",
        b"x" + whole,
        b"x" * 4000,
    ):
        path.write_bytes(damaged)
        assert load_tensors(path) is None, damaged[:20]
    path.write_bytes(whole)
    assert load_tensors(path) is not None
