"""Networks saved whole, with their code: loaded as they were, and named on the command line alone."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.running.command import run_command
from igbaselines.running.plugins import name_network
from igbaselines.running.runner import prepare
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.networks.recipe import ImageModel, NetworkFile
from igbaselines.studies.images.networks.saved import network_of_pictures
from tests import prepared

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
BATCH = ({0: torch.export.Dim.DYNAMIC},)


def small() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(16, 5)).eval()


def script(network: nn.Module, path: Path) -> None:
    torch.jit.save(torch.jit.script(network), path)


def exported(network: nn.Module, path: Path) -> None:
    torch.export.save(torch.export.export(network, (torch.zeros(2, 3, 32, 32),), dynamic_shapes=BATCH), path)


@pytest.mark.parametrize(("save", "name"), [(script, "network.pt"), (exported, "network.pt2")])
def test_it_computes_what_it_was_saved_for(
    save: Callable[[nn.Module, Path], None], name: str, tmp_path: Path, device: torch.device
) -> None:
    network, path = small(), tmp_path / name
    save(network, path)
    name_network(str(path))
    recipe = NetworkFile(network_file=str(path), size=32, short_side=None)
    loaded, pixels = recipe.load(device), torch.rand(4, 3, 32, 32, device=device, requires_grad=True)
    normalised = (pixels - loaded.mean) / loaded.std
    expected = network.to(device)(normalised)
    torch.testing.assert_close(loaded(pixels), expected)
    (found,) = torch.autograd.grad(loaded(pixels)[:, 1].sum(), pixels)
    torch.testing.assert_close(found, torch.autograd.grad(expected[:, 1].sum(), pixels)[0])
    assert recipe.checksum() is not None


def test_what_cannot_be_taken_is_said(tmp_path: Path) -> None:
    network = small()
    torch.save(network.state_dict(), tmp_path / "state.pth")
    with pytest.raises(UserError, match=r"neither TorchScript nor a torch.export file .*of a state dict nobody knows"):
        network_of_pictures(tmp_path / "state.pth", 32)
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 32, 32),)), tmp_path / "one.pt2")
    with pytest.raises(UserError, match=r"does not take 3 pictures of 32 px .*dynamic_shapes"):
        network_of_pictures(tmp_path / "one.pt2", 32)
    name_network(str(tmp_path / "nowhere.pt"))
    with pytest.raises(UserError, match=r"nowhere.pt: no such file, model.network_file must name"):
        NetworkFile(network_file=str(tmp_path / "nowhere.pt")).build()


@pytest.mark.usefixtures("hydra_as_it_was")
def test_no_configuration_file_can_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, own = tmp_path / "unnamed.pt", tmp_path / "model" / "mine.yaml"
    script(small(), file)
    with pytest.raises(UserError, match="names code: it can stand on the command line alone"):
        NetworkFile(network_file=str(file))
    own.parent.mkdir()
    swept = f"hydra: {{sweeper: {{params: {{model.network_file: '{file}'}}}}}}\n"
    words = ["experiment=explain", "dataset.path=x", "model=mine", f"output_root={tmp_path / 'outputs'}"]
    texts = {
        "names": f"defaults: [network_file, _self_]\nnetwork_file: {file}\n",
        "sweeps": f"# @package _global_\n{swept}",
    }
    for text in texts.values():
        own.write_text(text)
        assert run_command([*words, f"--config-dir={tmp_path}"], prepare) == 2
        assert "names code: it can stand on the command line alone" in capsys.readouterr().err


def test_ones_own_way_from_photographs_to_pixels() -> None:
    def corner(photo: Image.Image) -> Tensor:
        cut = photo.crop((0, 0, 32, 32))
        return torch.tensor(list(cut.getdata())).view(32, 32, 3).permute(2, 0, 1) / 255

    photo = Image.new("RGB", (50, 40), (255, 0, 51))
    found = Preprocessing(32, None, "bilinear", corner).image(photo)
    assert found[:, 5, 5].tolist() == pytest.approx([1, 0, 0.2])
    mask = torch.zeros(40, 50, dtype=torch.bool)
    mask[:16, :8] = True
    kept = Preprocessing(32, None, "bilinear", corner).mask(mask.numpy())
    assert torch.equal(kept, mask[:32, :32])
    with pytest.raises(UserError, match=r"preprocess must give pixels \(3, 64, 64\) in \[0, 1\], got \(3, 32, 32\)"):
        Preprocessing(64, None, "bilinear", corner).image(photo)
    with pytest.raises(UserError, match=r"in \[0, 1\], got .* in \[-1, "):
        Preprocessing(32, None, "bilinear", lambda photo: 2 * corner(photo) - 1).image(photo)


@dataclass
class Cropped(ImageModel):
    """A network of one's own, which says itself how photographs come in."""

    architecture: str = "cropped"
    size: int = 32

    def build(self) -> nn.Module:
        return small()

    def preprocess(self, photo: Image.Image) -> Tensor:
        return torch.ones(3, self.size, self.size) * photo.getpixel((0, 0))[0] / 255  # type: ignore[index]


def test_a_network_s_own_way_is_taken() -> None:
    own = Cropped()
    assert own.preprocessing == own.preprocessing
    found = own.preprocessing.image(Image.new("RGB", (50, 40), (51, 0, 0)))
    assert found.unique().tolist() == pytest.approx([0.2])
    assert own.load(torch.device("cpu"))(found[None]).shape == (1, 5)


@pytest.mark.slow
def test_a_photograph_is_explained_by_an_exported_network(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), (200, 30, 40)).save(tmp_path / "photo.png")
    exported(small(), tmp_path / "network.pt2")
    words = [f"dataset.path={tmp_path / 'photo.png'}", f"model.network_file={tmp_path / 'network.pt2'}"]
    words += ["model=network_file", "model.size=32", "model.short_side=null", "model.architecture=mine"]
    words += ["attribution=ig", f"output_root={tmp_path / 'outputs'}", f"data_root={tmp_path}"]
    result = prepared.run([sys.executable, str(prepared.ROOT / "run.py"), "experiment=explain", *words])
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "outputs" / "explain").glob("image_folder-mine-demo-*/status.json")
    rows = pd.read_parquet(run.with_name("rows.parquet"))
    assert set(rows["label"].dropna()) <= {f"class {index}" for index in range(5)}
    checksums = json.loads(run.with_name("provenance.json").read_text())["checksums"]
    assert checksums["checkpoint"] == sha256(tmp_path / "network.pt2")
