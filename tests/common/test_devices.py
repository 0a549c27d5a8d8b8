"""What a GPU is told, and that it is taken back."""

from contextlib import suppress

import torch

from igbaselines.common.devices import TF32, fetched, float32_proper, has_tf32, sent, tf32


def flags() -> list[object]:
    return [getattr(of, name) for of, name, *_ in TF32]


def test_float32_is_float32_while_the_block_lasts() -> None:
    before, legacy = flags(), (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    with suppress(KeyError), float32_proper():
        assert flags() == [no for *_, no, _ in TF32] != before
        raise KeyError
    assert flags() == before
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == legacy


def test_float32_is_tf32_while_the_block_lasts() -> None:
    before = flags()
    with suppress(KeyError), float32_proper():
        with tf32():
            assert flags() == [yes for *_, yes in TF32]
        assert flags() == [no for *_, no, _ in TF32]
        with tf32():
            raise KeyError
    assert flags() == before


def test_a_cpu_has_no_tf32() -> None:
    assert not has_tf32(torch.device("cpu"))


def test_what_is_sent_arrives(device: torch.device) -> None:
    tensor = torch.arange(6.0).view(2, 3)
    there = sent(tensor.T, device)
    assert there.device.type == device.type
    assert torch.equal(there.cpu(), tensor.T)
    assert sent(there, there.device) is there


def test_tensors_are_fetched_as_they_are(device: torch.device) -> None:
    there = {
        "a": torch.arange(6.0, device=device).view(2, 3).t(),
        "b": torch.tensor([1, 2], device=device),
        "empty": torch.zeros(0, 2, device=device),
        "scalar": torch.tensor(3.0, device=device, requires_grad=True),
        "here": torch.tensor(7.0),
    }
    found = fetched(there)
    assert list(found) == list(there)
    for name, tensor in there.items():
        assert found[name].device.type == "cpu"
        torch.testing.assert_close(found[name], tensor.detach().cpu(), rtol=0, atol=0)
