"""A data set of the user's by one Python file and one YAML: CIFAR-10, with pictures from arrays and ten classes."""

import hashlib
import importlib.util
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torchvision.datasets import CIFAR10

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import select
from igbaselines.studies.images.networks.network import Probabilities
from igbaselines.studies.images.networks.recipe import ImageModel

FILE = '''
from dataclasses import dataclass

from PIL import Image
from torchvision.datasets import CIFAR10

from igbaselines.studies.images.data.photographs import Photograph, Photographs, shuffled


@dataclass
class Cifar10:
    """Test pictures of CIFAR-10 (Krizhevsky 2009)."""

    root: str
    n_images: int | None = None
    only_correct: bool = True
    seed: int = 0

    def checksum(self) -> str:
        return CIFAR10.test_list[0][1]

    def photographs(self) -> Photographs:
        found = CIFAR10(self.root, train=False)
        pictures = [
            Photograph(f"test_{index:05}", Image.fromarray(pixels), label)
            for index, (pixels, label) in enumerate(zip(found.data, found.targets))
        ]
        return Photographs(shuffled(pictures, self.seed), self.n_images, self.only_correct, class_names=found.classes)
'''
YAML = """
_target_: cifar.Cifar10
root: {root}
n_images: 6
only_correct: true
seed: 3
"""
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass
class Brightness(ImageModel):
    """A network of as many classes as asked for, which tells apart how bright a picture is."""

    outputs: int = 10

    def build(self) -> nn.Module:
        steps, linear = torch.arange(self.outputs) / 10, nn.Linear(3, self.outputs)
        with torch.no_grad():  # logits -(brightness - step)^2, up to what is common to them
            linear.weight.copy_(2 * steps[:, None].expand(-1, 3) / 3)
            linear.bias.copy_(-(steps**2))
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as torchvision has it: 20 pictures, two of each class, as bright as its number; two are too bright."""
    folder = tmp_path / "data" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    labels = [index % 10 for index in range(20)]
    levels = np.array([25 * label + (40 if index < 2 else 2) for index, label in enumerate(labels)], dtype=np.uint8)
    batch = {"data": np.repeat(levels[:, None], 3072, axis=1), "labels": labels}
    files = {"test_batch": batch, "batches.meta": {"label_names": CLASSES}}
    checksums = {}
    for name, content in files.items():
        (folder / name).write_bytes(pickle.dumps(content))
        checksums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": checksums["batches.meta"]})
    return tmp_path / "data"


@pytest.fixture
def dataset(root: Path, tmp_path: Path) -> PhotographDataset:
    """What the file defines, with the values of the YAML."""
    (tmp_path / "cifar.py").write_text(FILE)
    (tmp_path / "cifar.yaml").write_text(YAML.format(root=root))
    values = yaml.safe_load((tmp_path / "cifar.yaml").read_text())
    module_name, _, class_name = values.pop("_target_").rpartition(".")
    spec = importlib.util.spec_from_file_location(module_name, tmp_path / f"{module_name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built: PhotographDataset = getattr(module, class_name)(**values)
    return built


def small(outputs: int) -> PhotographClassifier:
    model = Brightness("brightness", size=32, short_side=None, mean=[0.0] * 3, std=[1.0] * 3, outputs=outputs)
    network = model.load(torch.device("cpu"))
    return PhotographClassifier(
        explained=network,
        scored=Probabilities(network),
        predicting=Probabilities(network),
        centre=torch.zeros(3, 1, 1),
        preprocessing=model.preprocessing,
        minimum_top1=0.5,
        max_batch=4,
        device=torch.device("cpu"),
    )


def test_pictures_from_arrays_are_chosen_and_named_by_the_data_sets_classes(dataset: PhotographDataset) -> None:
    assert isinstance(dataset, PhotographDataset)
    found = dataset.photographs()
    assert len(found.candidates) == 20
    selection = select(found, small(10))
    assert len(selection.chosen) == 6
    assert selection.correct == 6
    for chosen in selection.chosen:
        assert chosen.predicted == chosen.photograph.label == int(chosen.photograph.name.removeprefix("test_")) % 10
        assert chosen.label == CLASSES[chosen.predicted]


def test_a_network_of_other_classes_ends_in_one_line(dataset: PhotographDataset) -> None:
    message = r"the dataset has 10 classes \(airplane, \.\.\.\), the network 1000: give a network that was trained"
    with pytest.raises(UserError, match=message):
        select(dataset.photographs(), small(1000))
