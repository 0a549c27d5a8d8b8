"""A network of the user's: its inputs by name, its scaler, its classes; and one line for what cannot be explained."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.common.errors import UserError
from igbaselines.running.plugins import name_network
from igbaselines.studies.hep.networks.own import OwnNetwork, OwnNetworkFile

NAMES = ("met", "meff", "ht")
CPU = torch.device("cpu")


def network(outputs: int) -> nn.Module:
    torch.manual_seed(outputs)
    return nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, outputs)).eval()


def saved(folder: Path, module: nn.Module, kind: str) -> str:
    path = folder / f"network{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == ".pt2":
            batch = torch.export.Dim("batch", min=1)
            torch.export.save(torch.export.export(module, (torch.rand(2, 3),), dynamic_shapes=({0: batch},)), path)
        else:
            torch.jit.save(torch.jit.trace(module, torch.rand(2, 3)), path)
    name_network(str(path))
    return str(path)


@pytest.mark.parametrize("kind", [".pt", ".pt2"])
def test_a_saved_network_is_explained_as_it_is(kind: str, tmp_path: Path) -> None:
    """Values and completeness: the sum of its attributions is the change of its own logit."""
    module = network(1)
    (tmp_path / "scaler.json").write_text(json.dumps({"mean": {n: i for i, n in enumerate(NAMES)}, "scale": [2, 3, 4]}))
    own = OwnNetworkFile(network_file=saved(tmp_path, module, kind), scaler=str(tmp_path / "scaler.json"))
    found, x = own.classifier(NAMES, CPU), 5 * torch.rand(6, 3)
    scaled = (x - torch.tensor([0.0, 1, 2])) / torch.tensor([2.0, 3, 4])
    torch.testing.assert_close(found(x), module(scaled)[:, 0])
    explained = path_attribution(found, x, torch.zeros(1, 3), rule=GaussLegendre(32))
    change = (found(x) - found(torch.zeros(1, 3))).detach()
    torch.testing.assert_close(explained.attributions.sum(dim=1), change, rtol=1e-4, atol=1e-5)
    assert own.checksum() != OwnNetworkFile(network_file=own.network_file).checksum()


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_a_class_is_explained_against_others(outputs: str, tmp_path: Path) -> None:
    module = network(4)
    inside = module if outputs == "logits" else nn.Sequential(module, nn.Softmax(dim=1))
    file, x = saved(tmp_path, inside, ".pt"), torch.rand(5, 3)
    p = module(x).softmax(dim=1)

    def logit(**keys: Any) -> torch.Tensor:
        found: torch.Tensor = OwnNetworkFile(network_file=file, outputs=outputs, **keys).classifier(NAMES, CPU)(x)
        return found

    torch.testing.assert_close(logit(signal=[2]), torch.logit(p[:, 2]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logit(signal=[0], against=[3]), (p[:, 0] / p[:, 3]).log(), rtol=1e-4, atol=1e-5)
    two = p[:, [0, 1]].sum(dim=1)
    torch.testing.assert_close(logit(signal=[0, 1]), torch.logit(two), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "keys", "line"),
    [
        (NAMES[:2], {}, r"does not take 2 inputs of 3 events .* model.inputs names the features"),
        (NAMES, {"signal": [4]}, r"model.signal=\[4\] model.against=\[\]: it has classes 0 to 3"),
        (NAMES, {"signal": [0, 1, 2, 3]}, "are all classes"),
        (NAMES, {"scaler": "scaler.json"}, r"mean of model.scaler has 2 numbers for 3 inputs \(model.inputs\)"),
        (NAMES, {"scaler": "none.json"}, "model.scaler cannot be read as JSON"),
        (NAMES, {"network_file": "none.pt"}, "no such file, model.network_file must name"),
        (
            NAMES,
            {"network_file": "scaler.json"},
            "neither TorchScript nor .* of a state dict nobody knows",
        ),
    ],
)
def test_each_refusal_names_its_key(names: tuple[str, ...], keys: dict[str, Any], line: str, tmp_path: Path) -> None:
    (tmp_path / "scaler.json").write_text(json.dumps({"mean": [0, 1], "scale": [1, 1]}))
    paths = {name: str(tmp_path / one) for name, one in keys.items() if name in ("scaler", "network_file")}
    if "network_file" in paths:
        name_network(paths["network_file"])
    with pytest.raises(UserError, match=line):
        OwnNetworkFile(**({"network_file": saved(tmp_path, network(4), ".pt")} | keys | paths)).classifier(names, CPU)


def test_the_command_line_alone_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"names code: it can stand on the command line alone"):
        OwnNetworkFile(network_file=str(tmp_path / "network.pt"))


def test_what_is_explained_cannot_be_what_it_is_told_from() -> None:
    with pytest.raises(UserError, match=r"model\.against has 1, which is explained"):
        OwnNetworkFile(network_file="x.pt", signal=[1], against=[1])


def test_a_network_in_python_says_how_it_is_built() -> None:
    """What `plugins=[...]` brings: a dataclass with `build`."""

    @dataclass(kw_only=True)
    class Mine(OwnNetwork):
        width: int = 3

        def build(self) -> nn.Module:
            return network(self.width)

    x = torch.rand(4, 3)
    found = Mine(width=2, signal=[1]).classifier(NAMES, CPU)(x)
    torch.testing.assert_close(found, network(2)(x).diff(dim=1)[:, 0])
    assert Mine().checksum() is None
