"""The probe of layouts on CUDA: it asks, says what it found, and leaves everything as it is."""

import logging

import pytest
import torch
from torch import nn

from igbaselines.models import probe
from igbaselines.models.inference import for_gradients


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(256, 5)).eval()


@pytest.mark.usefixtures("unchecked_shapes")  # jaxtyping refuses the proxies of a trace
def test_copies_compute_the_same_in_both_layouts(generator: torch.Generator, device: torch.device) -> None:
    network = for_gradients(small_network().to(device))
    x = torch.rand(2, 3, 8, 8, generator=generator).to(device)
    before = network(x), [parameter.stride() for parameter in network.parameters()]
    for name, strides in {
        "channels_last": ((27, 1, 9, 3), (4, 1, 4, 4)),
        "contiguous": ((27, 9, 3, 1), (4, 1, 1, 1)),
    }.items():
        copied = probe.laid_out(network, probe.LAYOUTS[name])
        torch.testing.assert_close(copied(x), before[0])
        assert tuple(m.weight.stride() for m in copied.modules() if isinstance(m, nn.Conv2d)) == strides
    assert [parameter.stride() for parameter in network.parameters()] == before[1]


def test_a_line_says_what_was_found_and_the_search_is_put_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    searched = []

    class Noting(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            searched.append(torch.backends.cudnn.benchmark)
            return super().forward(x)

    before = torch.backends.cudnn.benchmark
    with caplog.at_level(logging.INFO):
        probe.say_how_fast(Noting(3, 2), torch.zeros(1, 3), 1000)
    passes = 1 + probe.PASSES
    assert searched == 2 * ([False] * passes + [True] * passes)
    assert torch.backends.cudnn.benchmark is before
    assert "ms for 64 gradients, without and with cuDNN's benchmark: channels_last " in caplog.text


def test_no_run_ends_for_a_probe(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)

    class Large(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError(f"{len(x)} points are too many")

    before = torch.backends.cudnn.benchmark
    with caplog.at_level(logging.INFO):
        probe.say_how_fast(Large(3, 2), torch.zeros(1, 3), 2)
    assert "could not be asked: 2 points are too many" in caplog.text
    assert torch.backends.cudnn.benchmark is before
