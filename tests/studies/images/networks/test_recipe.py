"""Recipes of conf/model/: bounds, files, and that real weights recognise real photographs."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.studies.images.networks.network import ImageNetwork
from igbaselines.studies.images.networks.preprocessing import Preprocessing
from igbaselines.studies.images.networks.recipe import EfficientNetLite, ImageModel, TimmModel, TorchvisionModel

ROOT = Path(__file__).parents[4]
DATA = ROOT.parent / "shared" / "data"
SCHEMAS = {"torchvision_model": TorchvisionModel, "timm_model": TimmModel, "efficientnet_lite": EfficientNetLite}
RESNET = TorchvisionModel("resnet18")
LITE = EfficientNetLite("efficientnet_lite0")


def image_recipes() -> dict[str, tuple[type[ImageModel], dict[str, Any]]]:
    """Schema and values of each YAML file of an image model."""
    recipes = {}
    for path in sorted((ROOT / "conf" / "model").glob("*.yaml")):
        values = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(values, dict)
        schema = str(values.pop("defaults")[0]).removeprefix("/schema/").removesuffix("@_here_")
        if schema in SCHEMAS:
            recipes[path.stem] = SCHEMAS[schema], {str(name): value for name, value in values.items()}
    return recipes


@pytest.mark.parametrize("name", image_recipes())
def test_every_file_makes_its_recipe(name: str) -> None:
    schema, values = image_recipes()[name]
    if values["architecture"] == "???":
        values["architecture"] = "test_resnet"
    recipe = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
    assert isinstance(recipe, schema)
    assert recipe.architecture == (name if schema is not TimmModel else "test_resnet")
    assert recipe.preprocessing == Preprocessing(recipe.size, recipe.short_side, recipe.interpolation)
    assert recipe.short_side is not None
    assert schema is TimmModel or recipe.size / recipe.short_side == pytest.approx(0.875, abs=0.002)


def test_the_paper_s_networks_have_a_file() -> None:
    table = {"densenet121", "mobilenet_v2", "resnet50", "resnet101", "vgg16", "vgg19"}
    assert table <= {name for name, (schema, _) in image_recipes().items() if schema is TorchvisionModel}


def test_imports_without_torch() -> None:
    code = "import igbaselines.studies.images.networks.recipe, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        (RESNET, {"size": 31}, "model.size must be at least 32, got 31"),
        (RESNET, {"short_side": 223}, r"model.short_side must be at least model.size \(224\), or null .*, got 223"),
        (RESNET, {"interpolation": "cubic"}, "model.interpolation must be bilinear, bicubic, lanczos, .*, got cubic"),
        (RESNET, {"mean": [0.5]}, r"model.mean needs three numbers, one a channel, got \[0.5\]"),
        (RESNET, {"std": [1.0, 1.0, float("nan")]}, "model.std needs three numbers"),
        (RESNET, {"std": [1.0, 0.0, 1.0]}, "model.std must be positive"),
        (RESNET, {"minimum_top1": 75.0}, r"model.minimum_top1 must lie in \[0, 1\], got 75"),
        (LITE, {"size": 16}, "model.size must be at least 32"),
        (LITE, {"architecture": "lite0"}, "model.architecture must be efficientnet_lite0, .*, got lite0"),
        (LITE, {"architecture": "efficientnet_lite3"}, "no package has the weights of efficientnet_lite3: give model"),
    ],
)
def test_refuses(recipe: ImageModel, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(recipe, **change)


def test_accepts_its_bounds() -> None:
    replace(RESNET, size=32, short_side=None, minimum_top1=1.0)
    replace(RESNET, size=256, short_side=256, minimum_top1=0.0)
    replace(LITE, architecture="efficientnet_lite4", checkpoint="weights.pth")


def test_every_interpolation_can_be_done() -> None:
    for interpolation in ("bilinear", "bicubic", "lanczos", "nearest"):
        replace(RESNET, interpolation=interpolation).preprocessing.image(Image.new("RGB", (30, 40)))


def test_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights" * 100_000)
    assert replace(RESNET, checkpoint=str(path)).checksum() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert RESNET.checksum() is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path, wrong in ((tmp_path / "weights.pth", "no such file"), (tmp_path, "this is a folder")):
        recipe = replace(RESNET, checkpoint=str(path))
        message = f"{path}: {wrong}, model.checkpoint must name a state dict of resnet18"
        for call in (recipe.checksum, lambda recipe=recipe: recipe.load(torch.device("cpu"))):
            with pytest.raises(UserError) as caught:
                call()
            assert str(caught.value) == message


def test_loads_frozen_and_in_evaluation_mode(device: torch.device, tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(0)
    expected = torchvision.models.squeezenet1_1(weights=None).eval().to(device)
    torch.save(expected.state_dict(), tmp_path / "weights.pth")
    recipe = TorchvisionModel(
        "squeezenet1_1",
        checkpoint=str(tmp_path / "weights.pth"),
        rotated=True,
        mean=[0.1, 0.2, 0.3],
        std=[1.0, 2.0, 3.0],
    )
    network = recipe.load(device)
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert {tensor.device.type for tensor in (*network.parameters(), *network.buffers())} == {device.type}
    x = torch.rand(2, 3, 64, 64, device=device)
    normalised = x.flip(2).flip(3)
    for channel, (mean, std) in enumerate([(0.1, 1.0), (0.2, 2.0), (0.3, 3.0)]):
        normalised[:, channel] = (normalised[:, channel] - mean) / std
    torch.testing.assert_close(network(x), expected(normalised))


def top1(network: ImageNetwork, preprocessing: Preprocessing, photographs: Iterable[tuple[Path, int]]) -> float:
    right = []
    for path, label in photographs:
        with torch.no_grad(), Image.open(path) as photo:
            predicted = network(preprocessing.image(photo.convert("RGB"))[None]).argmax()
        right.append(int(predicted) == label)
    return sum(right) / len(right)


@pytest.mark.skipif(not (DATA / "weights").is_dir(), reason="the project's test data are not beside the repository")
def test_weights_converted_from_tensorflow_see_turned_images() -> None:
    wnids = (files("timm") / "data" / "_info" / "imagenet_synsets.txt").read_text().split()
    label = {wnid: index for index, wnid in enumerate(sorted(wnids))}
    folders = sorted((DATA / "imagenet_photos").iterdir())[::10]
    photographs = [(next(iter(sorted(folder.glob("*.JPEG")))), label[folder.name]) for folder in folders]
    checkpoint = str(DATA / "weights" / "mobilenet_v2_rot180.pth")
    recipe = TorchvisionModel("mobilenet_v2", checkpoint=checkpoint, rotated=True)
    network = recipe.load(torch.device("cpu"))
    turned = top1(network, recipe.preprocessing, photographs)
    network.rotated = False
    assert turned > 0.75
    assert turned > top1(network, recipe.preprocessing, photographs) + 0.1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_packaged_networks_recognise_photographs(number: int) -> None:
    spec = find_spec("foolbox")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip('foolbox has the photographs: pip install "igbaselines[samples]"')
    photographs = sorted((Path(spec.submodule_search_locations[0]) / "data").glob("imagenet_*.jpg"))
    schema, values = image_recipes()[f"efficientnet_lite{number}"]
    recipe = schema(**values)
    network = recipe.load(torch.device("cpu"))
    assert top1(network, recipe.preprocessing, [(file, int(file.stem.split("_")[2])) for file in photographs]) >= 0.8


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (TorchvisionModel("resnet18"), ""),
        (TorchvisionModel("resnet18", short_side=None), ""),
        (TorchvisionModel("resnet18", weights="", short_side=300), ""),
        (TorchvisionModel("resnet50", weights="IMAGENET1K_V2"), "model.short_side=232"),
        (TorchvisionModel("inception_v3"), "model.size=299 model.short_side=342"),
        (TorchvisionModel("resnet18", mean=[0.5] * 3), "model.mean=[0.485, 0.456, 0.406]"),
        (TorchvisionModel("resnet18", interpolation="bicubic"), "model.interpolation=bilinear"),
        (TimmModel("resnet18.a1_in1k"), ""),
        (TimmModel("tf_efficientnet_lite0.in1k"), ""),
        (TimmModel("tf_efficientnet_lite0.in1k", short_side=None), ""),
        (TimmModel("tf_efficientnet_lite0.in1k", mean=[0.4] * 3), "model.mean=[0.5, 0.5, 0.5]"),
        (TimmModel("tf_efficientnet_lite0.in1k", size=192), "model.size=224"),
    ],
    ids=lambda value: getattr(value, "architecture", value),
)
def test_what_weights_were_published_for_is_said(
    recipe: ImageModel, said: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    network = torch.nn.Linear(1, 1)
    if isinstance(recipe, TimmModel):
        published = timm.get_pretrained_cfg(recipe.architecture)
        assert published is not None
        network.pretrained_cfg = published.to_dict()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(type(recipe), "build", lambda _: network)  # its weights are elsewhere
    caplog.set_level("WARNING")
    recipe.load(torch.device("cpu"))
    assert len(caplog.messages) == bool(said)
    assert said in caplog.text


def test_timm_says_what_its_weights_want() -> None:
    own = TimmModel("vit_tiny_patch16_384.augreg_in21k_ft_in1k")
    assert (own.size, own.short_side, own.interpolation, own.mean) == (384, 384, "bicubic", [0.5] * 3)
    given = TimmModel("resnet18.a1_in1k", size=160, interpolation="bilinear")
    assert (given.size, given.short_side, given.interpolation) == (160, 168, "bilinear")  # a crop of 0.95
    with pytest.raises(UserError, match="timm has no network 'resnet19'"):
        TimmModel("resnet19")
