"""Photographs of every kind of file become upright 8-bit RGB, and broken ones end in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import UInt8
from PIL import Image, ImageOps, PngImagePlugin

from igbaselines.common.errors import UserError
from igbaselines.studies.images.data.photographs import (
    Photograph,
    checksum_of,
    folder_at,
    image_files,
    names_of,
    shuffled,
)
from igbaselines.studies.images.data.pictures import MIN_SIDE, UnreadablePhotographError, open_photograph, read_frame

ROOT = Path(__file__).parents[4]
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "imagenet_photos"
ORIENTATION = 0x0112


def colours(width: int = 40, height: int = 24) -> UInt8[np.ndarray, "h w 3"]:
    """A picture without any symmetry."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 250, width, dtype=np.uint8)
    pixels[..., 1] = np.linspace(10, 240, height, dtype=np.uint8)[:, None]
    pixels[: height // 2, : width // 2, 2] = 200
    return pixels


def read(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    image = open_photograph(path)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "ppm"])
def test_rgb_is_read_as_it_is(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colours()).save(path, lossless=True)  # what WebP needs to be told
    np.testing.assert_array_equal(read(path), colours())


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bits_of_grey_are_scaled_not_clipped(suffix: str, tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 32 * 20).round().astype(np.uint16).reshape(20, 32)
    path = tmp_path / f"a.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5\n32 20\n65535\n" + (grey * 257).astype(">u2").tobytes())
    else:
        Image.fromarray((grey * 257).astype(np.uint16)).save(path)
    np.testing.assert_array_equal(read(path), np.repeat(grey[..., None], 3, axis=2))


def test_pixels_of_32_bits_are_refused(tmp_path: Path) -> None:
    for dtype in (np.int32, np.float32):
        Image.fromarray(np.ones((20, 20), dtype=dtype)).save(tmp_path / "a.tiff")
        with pytest.raises(UnreadablePhotographError, match="32 bits"):
            open_photograph(tmp_path / "a.tiff")


def test_grey_and_black_and_white(tmp_path: Path) -> None:
    grey = colours()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey > 100).save(tmp_path / "bits.png")
    with Image.open(tmp_path / "bits.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(read(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(read(tmp_path / "bits.png")[..., 1], np.where(grey > 100, 255, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode: str, tmp_path: Path) -> None:
    opaque = Image.fromarray(colours()).convert(mode[:-1])
    alpha = np.zeros((24, 40), dtype=np.uint8)
    alpha[:, 10:20], alpha[:, 20:] = 128, 255
    image = opaque.convert(mode)
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "a.png")
    share = alpha[..., None] / 255
    expected = np.asarray(opaque.convert("RGB")) * share + 255 * (1 - share)
    np.testing.assert_allclose(read(tmp_path / "a.png"), expected, atol=1)


def test_transparent_entries_of_palettes_and_grey_are_white(tmp_path: Path) -> None:
    index = np.zeros((20, 30), dtype=np.uint8)
    index[:, 10:20], index[:, 20:] = 1, 2
    palette = Image.fromarray(index)
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(tmp_path / "one.png", transparency=1)
    palette.save(tmp_path / "bytes.png", transparency=bytes([255, 0, 128]))
    palette.save(tmp_path / "none.png")
    Image.fromarray(index * 100).save(tmp_path / "grey.png", transparency=100)
    row = {name: read(tmp_path / f"{name}.png")[0, [0, 10, 20]].tolist() for name in ("one", "bytes", "none", "grey")}
    assert row["none"] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert row["one"] == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]
    assert row["bytes"][:2] == [[255, 0, 0], [255, 255, 255]]
    assert row["bytes"][2] == pytest.approx([127, 127, 255], abs=1)
    assert row["grey"] == [[0, 0, 0], [255, 255, 255], [200, 200, 200]]


def test_cmyk_jpeg_has_the_right_colours(tmp_path: Path) -> None:
    cmyk = np.zeros((32, 32, 4), dtype=np.uint8)
    cmyk[:16, :16, 0] = 255  # cyan
    cmyk[:16, 16:, 3] = 255  # black
    cmyk[16:, 16:, 1:3] = 255  # magenta and yellow make red
    path = tmp_path / "a.jpg"
    Image.fromarray(cmyk, mode="CMYK").save(path, quality=95)
    assert b"Adobe" in path.read_bytes()  # and so stored inverted
    pixels = read(path).astype(int)
    for (row, column), colour in {
        (4, 4): (0, 255, 255),
        (4, 28): (0, 0, 0),
        (28, 28): (255, 0, 0),
        (28, 4): (255,) * 3,
    }.items():
        assert pixels[row, column] == pytest.approx(colour, abs=3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations(orientation: int, suffix: str, tmp_path: Path) -> None:
    upright = np.kron(np.array([[0, 255, 100], [200, 50, 150]]), np.ones((16, 16))).astype(np.uint8)
    turns: dict[int, Any] = {  # EXIF 2.32: where the stored row 0 and column 0 are in the upright image
        1: lambda image: image,
        2: lambda image: image[:, ::-1],  # top, right
        3: lambda image: image[::-1, ::-1],  # bottom, right
        4: lambda image: image[::-1],  # bottom, left
        5: lambda image: image.T,  # left, top
        6: lambda image: image[:, ::-1].T,  # right, top
        7: lambda image: image[::-1, ::-1].T,  # right, bottom
        8: lambda image: image[::-1].T,  # left, bottom
    }
    stored = np.ascontiguousarray(turns[orientation](upright))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(stored).save(path, exif=exif)
    np.testing.assert_allclose(read(path)[..., 0], upright, atol=4)
    assert ImageOps.exif_transpose(open_photograph(path)).size == (48, 32)  # nobody can turn it twice
    frame = read_frame(path)
    assert (frame.orientation, frame.stored, frame.upright) == (orientation, stored.shape[::-1], (48, 32))
    np.testing.assert_array_equal(frame.turn_upright(stored > 120), upright > 120)


def test_broken_metadata_and_unknown_orientations_do_not_matter(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "broken.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff not a directory")
    exif = Image.Exif()
    exif[ORIENTATION] = 99
    Image.fromarray(colours()).save(tmp_path / "unknown.png", exif=exif)
    for name in ("broken.png", "unknown.png"):
        np.testing.assert_array_equal(read(tmp_path / name), colours())


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read(tmp_path / "a.gif") == [255, 0, 0]).all()


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tiff", "webp", "bmp"])
def test_truncated_files_end_in_one_line(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    for share in (0.02, 0.3, 0.6):
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with pytest.raises(UnreadablePhotographError) as error:
            open_photograph(cut)
        assert str(error.value)
        assert "\n" not in str(error.value)


def test_flipped_bytes_never_crash(tmp_path: Path, rng: np.random.Generator) -> None:
    for suffix in ("jpg", "png", "gif", "tiff", "webp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(colours()).save(path)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(60):
            noisy = whole.copy()
            noisy[rng.integers(0, len(noisy), 8)] = rng.integers(0, 256, 8)
            path.write_bytes(noisy.tobytes())
            try:
                open_photograph(path)
            except UnreadablePhotographError as error:
                assert "\n" not in str(error)  # noqa: PT017 (it may also be readable)


def test_what_is_no_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "folder.jpg").mkdir()
    Image.new("RGB", (1, 300)).save(tmp_path / "narrow.png")
    Image.new("RGB", (MIN_SIDE, MIN_SIDE)).save(tmp_path / "least.png")
    Image.new("RGB", (100, 60)).save(tmp_path / "large.png")
    for name, message in {
        "empty.jpg": "is empty",
        "text.jpg": "is not an image",
        "folder.jpg": "folder.jpg",
        "missing.jpg": "no such file",
        "narrow.png": "1 x 300 pixels are too few, at least 16 on each side",
    }.items():
        with pytest.raises(UnreadablePhotographError, match=message):
            open_photograph(tmp_path / name)
    assert open_photograph(tmp_path / "least.png").size == (MIN_SIDE, MIN_SIDE)
    for limit in (4000, 1000):  # PIL warns above the limit and raises above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UnreadablePhotographError, match="decompression bomb"):
            open_photograph(tmp_path / "large.png")


def test_a_png_whose_text_explodes_is_unreadable(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.fromarray(colours()).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(UnreadablePhotographError, match=r"a\.png: "):
        open_photograph(tmp_path / "a.png")


def test_a_photograph_without_masks_has_none(tmp_path: Path) -> None:
    assert Photograph("a", tmp_path / "a.jpg").mask(3) is None


def test_pixels_in_memory_are_read_like_a_file(tmp_path: Path) -> None:
    in_memory, path = Image.fromarray(colours()), tmp_path / "a.png"
    in_memory.save(path)
    for _ in range(2):  # reading it does not close it
        with open_photograph(in_memory) as picture:
            np.testing.assert_array_equal(np.asarray(picture), read(path))
    assert read_frame(in_memory) == read_frame(path)
    with pytest.raises(UnreadablePhotographError, match="2 x 3 pixels are too few"):
        open_photograph(Image.new("RGB", (2, 3)))
    with pytest.raises(UnreadablePhotographError, match="32 bits"):
        open_photograph(Image.new("F", (20, 20)))


def test_names_lose_their_suffixes_unless_these_tell_them_apart() -> None:
    assert names_of([Path("a.jpg"), Path("b/a.jpg"), Path("b/c.d.png")]) == ["a", "b/a", "b/c.d"]
    assert names_of([Path("a.jpg"), Path("a.png"), Path("b.png")]) == ["a.jpg", "a.png", "b.png"]


def test_image_files_are_sorted_and_not_hidden(tmp_path: Path) -> None:
    for name in ("b.JPEG", "a.png", ".c.png", "._a.png", "d.txt", "e"):
        (tmp_path / name).touch()
    (tmp_path / "f.png").mkdir()
    assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.JPEG"]


def test_shuffling_depends_on_the_seed_alone() -> None:
    items = list(range(50))
    assert shuffled(items, 1) == shuffled(items, 1)
    assert shuffled(items, 1) != shuffled(items, 2)
    assert sorted(shuffled(items, 1)) == items


def test_checksums_see_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12")
    (tmp_path / "b").write_text("3")
    files = {"a": tmp_path / "a", "b": tmp_path / "b"}
    before = [checksum_of(files), checksum_of(files, [tmp_path / "a"]), checksum_of({"a": tmp_path / "a"})]
    assert len(set(before)) == 3
    assert checksum_of(dict(reversed(files.items()))) == before[0]
    (tmp_path / "a").write_text("45")  # of the same size, and within a tick of the clock
    assert checksum_of(files) != before[0]
    assert checksum_of(files, [tmp_path / "a"]) != before[1]
    (tmp_path / "a").write_text("12")
    assert checksum_of(files) == before[0]
    with pytest.raises(UserError, match="missing: cannot be read"):
        checksum_of({"c": tmp_path / "missing"})


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, message in {"none": "no such folder", "file": "this is a file"}.items():
        with pytest.raises(UserError, match=rf"{name}: {message}, dataset\.root must name the folder"):
            folder_at(str(tmp_path / name), "dataset.root", "the folder")


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="no sample photographs in ../shared/data")
def test_real_photographs_are_read_as_pil_does() -> None:
    files = sorted(PHOTOGRAPHS.rglob("*.JPEG"))[:12]
    assert files
    for path in files:
        with Image.open(path) as image:
            np.testing.assert_array_equal(read(path), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "SGI", "PCX", "DDS", "JPEG2000", "ICNS", "MSP", "XBM"])
def test_only_the_formats_that_are_meant_are_opened(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of others PIL starts programs, or readers that nobody looks after; whatever the file is called."""
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was started"))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    mode = "1" if kind in ("MSP", "XBM") else "RGBA" if kind == "ICNS" else "RGB"
    path = tmp_path / "holiday.jpg"
    Image.new(mode, (64, 64)).save(path, format=kind)
    with pytest.raises(UnreadablePhotographError, match=r"holiday.jpg is not an image \(BMP, GIF, JPEG, "):
        open_photograph(path)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP"])
def test_the_formats_that_are_meant_are_opened_whatever_the_suffix(kind: str, tmp_path: Path) -> None:
    more = {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]} if kind == "MPO" else {}
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg", format=kind, **more)
    assert open_photograph(tmp_path / "photo.jpg").size == (64, 48)


@pytest.mark.parametrize("size", [(500_000, 16), (16, 500_000), (1_100, 17), (17, 1_100)])
def test_a_strip_is_left_out_before_its_pixels_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("1", size).save(tmp_path / "strip.png")
    with pytest.raises(UnreadablePhotographError, match=f"{size[0]} x {size[1]} pixels are a strip"):
        open_photograph(tmp_path / "strip.png")
