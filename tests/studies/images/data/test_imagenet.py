"""ImageNet folders: labels from the wnids, an order that depends on the seed alone, and errors in one line."""

from pathlib import Path

import pytest
from torchvision.models import ResNet50_Weights

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.imagenet import Imagenet, read_wnids
from igbaselines.studies.images.data.pictures import open_photograph

ROOT = Path(__file__).parents[4]
WNIDS = ROOT / "data" / "imagenet_wnids.txt"
REAL = ROOT.parent / "shared" / "data" / "imagenet_photos"


def dataset(root: Path, n_images: int | None = None, seed: int = 0) -> Imagenet:
    return Imagenet(str(root), str(WNIDS), n_images=n_images, seed=seed)


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"only listed")
    return root


def test_labels_are_positions_in_the_list_of_all_classes(tmp_path: Path) -> None:
    root = make(tmp_path, "val/n01440764/a.JPEG", "val/n15075141/b.jpg", "val/n02123045/c.PNG", "val/n02123045/.d.png")
    found = dataset(root, 2).photographs()
    assert {photograph.name: photograph.label for photograph in found.candidates} == {
        "n01440764/a": 0,  # tench
        "n02123045/c": 281,  # tabby
        "n15075141/b": 999,  # toilet tissue
    }
    assert (found.wanted, found.only_correct, found.mask_required) == (2, True, False)
    assert all(photograph.mask(0) is None for photograph in found.candidates)


def test_folders_without_val_and_names_that_differ_in_their_suffix(tmp_path: Path) -> None:
    root = make(tmp_path, "n01440764/a.JPEG", "n01440764/a.png", "n02123045/a.JPEG", "README.txt", ".hidden/a.JPEG")
    names = {photograph.name for photograph in dataset(root).photographs().candidates}
    assert names == {"n01440764/a.JPEG", "n01440764/a.png", "n02123045/a"}


def test_the_order_depends_on_the_seed_and_not_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{wnid}/{index}.JPEG" for wnid in ("n01440764", "n01443537", "n02123045") for index in range(5)]
    root = make(tmp_path, *names)

    def order(seed: int) -> list[str]:
        return [photograph.name for photograph in dataset(root, seed=seed).photographs().candidates]

    first, checksum = order(0), dataset(root).checksum()
    assert sorted(first) == sorted(name.removesuffix(".JPEG") for name in names)
    assert first != sorted(first)
    assert order(1) != first
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), reverse=True)))
    assert order(0) == first
    assert dataset(root).checksum() == checksum


def test_the_checksum_sees_images_that_come_or_change(tmp_path: Path) -> None:
    root = make(tmp_path, "n01440764/a.JPEG")
    before = dataset(root).checksum()
    make(tmp_path, "n01440764/b.JPEG")
    more = dataset(root).checksum()
    (root / "n01440764" / "a.JPEG").write_bytes(b"of another size")
    assert len({before, more, dataset(root).checksum()}) == 3


def test_errors_end_in_one_line(tmp_path: Path) -> None:
    cases = {
        "missing": ([], "no such folder, dataset.root must name the folder that holds val/<wnid>"),
        "flat": (["val/ILSVRC2012_val_00000001.JPEG"], "no folders of classes"),
        "official": (["train/n01440764/a.JPEG"], r"train: no class of .*imagenet_wnids\.txt"),
        "names": (["n01440764/a.JPEG", "tench/a.JPEG"], "tench: no class of"),
        "empty": (["n01440764/readme.txt"], "no images in the folders of 1 classes"),
    }
    for name, (files, message) in cases.items():
        make(tmp_path / name, *(f"{file}" for file in files))
        with pytest.raises(UserError, match=message) as error:
            dataset(tmp_path / name).photographs()
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"dataset\.n_images must be at least 1, or null for all, got 0"):
        dataset(tmp_path, 0)
    with pytest.raises(UserError, match=r"dataset\.seed must be at least 0, got -1"):
        dataset(tmp_path, seed=-1)


def test_lists_of_classes_that_would_give_wrong_labels(tmp_path: Path) -> None:
    good = WNIDS.read_text().split()
    path = tmp_path / "wnids.txt"
    for lines in (good[:100], [*good[1:], good[0]], [good[0], *good[:-1]], [*good[:-1], "tench"]):
        path.write_text("\n".join(lines))
        with pytest.raises(UserError, match="must name a list of 1000 sorted wnids"):
            read_wnids(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_wnids(tmp_path / "missing.txt")


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample photographs in ../shared/data")
def test_real_photographs_have_the_labels_that_their_file_names_say() -> None:
    names = [name.lower() for name in ResNet50_Weights.IMAGENET1K_V1.meta["categories"]]
    candidates = dataset(REAL).photographs().candidates
    assert len(candidates) == 400
    named = 0
    for photograph in candidates:
        assert photograph.label is not None
        assert isinstance(photograph.picture, Path)
        name = photograph.picture.stem.replace("_", " ").lower()
        if name in names and names.count(name) == 1:
            assert names[photograph.label] == name
            named += 1
    assert named > 300
    assert open_photograph(candidates[0].picture).mode == "RGB"
