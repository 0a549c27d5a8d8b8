"""Downloads against a real server on loopback that does what servers do wrong, and zip files made to do harm."""

import hashlib
import json
import logging
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from igbaselines import downloads
from igbaselines.common.errors import UserError
from igbaselines.downloads import download, extract, file_name

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "download_coco.py"
CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
OTHER = CONTENT[::-1]
HALF = 256_000


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


@dataclass
class Site:
    """What a server has, how it misbehaves, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=lambda: {"/file.bin": CONTENT})
    breaks_after: list[int] = field(default_factory=list)  # bytes of the first answers; then all of them
    statuses: list[int] = field(default_factory=list)  # of the first answers
    length_lie: int = 0  # added to Content-Length
    says_length: bool = True
    knows_ranges: bool = True
    hold: threading.Event | None = None  # where an answer breaks it waits for this, instead of hanging up
    ranges: list[str | None] = field(default_factory=list)  # asked for
    port: int = 0

    def url(self, path: str = "/file.bin") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site, asked = self.server.site, self.headers["Range"]  # type: ignore[attr-defined]
        site.ranges.append(asked)
        status = site.statuses.pop(0) if site.statuses else 200
        if status != 200 or self.path not in site.files:
            self.send_error(status if status != 200 else 404)
            return
        content = site.files[self.path]
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and site.knows_ranges else 0
        self.send_response(206 if first else 200)
        if site.says_length:
            self.send_header("Content-Length", str(len(content) - first + site.length_lie))
        self.end_headers()
        end = first + site.breaks_after.pop(0) if site.breaks_after else None
        self.wfile.write(content[first:end])
        if end is not None and site.hold:
            site.hold.wait(30)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Nothing: the site records what matters."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)  # clients that are killed
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = server.site = Site(port=server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield site
        if site.hold:
            site.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "file.bin"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "ATTEMPTS", 3)
    monkeypatch.setattr(downloads, "PAUSE", 0.01)


def fetch(site: Site, target: Path, content: bytes = CONTENT) -> None:
    download(site.url(), target, md5(content), len(content))


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def expect_only(target: Path) -> None:
    """The file is whole, and nothing but its lock is beside it."""
    assert target.read_bytes() == CONTENT
    assert {path.name for path in target.parent.iterdir()} <= {target.name, f".{target.name}.lock"}


# Downloads


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_fetches_once(site: Site, target: Path, algorithm: str) -> None:
    checksum = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest().upper()}"
    for _ in range(2):
        download(site.url(), target, checksum, len(CONTENT))
    expect_only(target)
    assert site.ranges == [None]


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_goes_on_where_the_connection_broke(site: Site, target: Path, says_length: bool, knows_ranges: bool) -> None:
    site.breaks_after, site.says_length, site.knows_ranges = [100_000, 156_000], says_length, knows_ranges
    fetch(site, target)
    expect_only(target)
    assert site.ranges == [None, "bytes=100000-", f"bytes={HALF if knows_ranges else 156_000}-"]


def test_the_next_call_goes_on_where_the_last_gave_up(site: Site, target: Path) -> None:
    site.breaks_after = [HALF, 0, 0]
    with pytest.raises(UserError, match=f"ended after {HALF} of {len(CONTENT)} bytes; gave up after 3 attempts"):
        fetch(site, target)
    assert part_of(target).read_bytes() == CONTENT[:HALF]
    assert not target.exists()
    site.ranges.clear()
    fetch(site, target)
    expect_only(target)
    assert site.ranges == [f"bytes={HALF}-"]


def test_progress_makes_attempts_count_anew(site: Site, target: Path) -> None:
    content, step = CONTENT * 16, 5 << 18  # more than a MiB
    site.files["/file.bin"], site.breaks_after = content, [step] * 5  # more often than would be borne in a row
    fetch(site, target, content)
    assert site.ranges == [None, *(f"bytes={step * i}-" for i in range(1, 6))]


@pytest.mark.parametrize(("there", "ranges"), [(CONTENT, []), (OTHER + b"more", [None])])
def test_a_part_that_is_whole_or_too_long(site: Site, target: Path, there: bytes, ranges: list[str | None]) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(there)
    fetch(site, target)
    expect_only(target)
    assert site.ranges == ranges


@pytest.mark.parametrize("lie", [-1000, 1000])
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_another_length_is_refused_at_once(site: Site, target: Path, lie: int, knows_ranges: bool) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:HALF])
    site.length_lie, site.knows_ranges = lie, knows_ranges
    with pytest.raises(UserError, match=f"offers {len(CONTENT) + lie} bytes instead of {len(CONTENT)}"):
        fetch(site, target)
    assert part_of(target).stat().st_size == HALF  # a proxy's page costs nothing of what is there


@pytest.mark.parametrize("content", [OTHER, OTHER * 20])
def test_a_wrong_checksum_names_both_and_leaves_nothing(site: Site, target: Path, content: bytes) -> None:
    site.files["/file.bin"], site.says_length = content, False
    with pytest.raises(UserError) as error:
        fetch(site, target)
    assert md5(OTHER) in str(error.value)  # no more is taken than there should be
    assert md5(CONTENT) in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in target.parent.iterdir() if path.suffix != ".lock"] == []


def test_a_file_with_a_wrong_checksum_stays_until_the_right_one_is_there(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(OTHER)
    site.statuses = [404]
    with pytest.raises(UserError, match="404"):
        fetch(site, target)
    assert target.read_bytes() == OTHER
    fetch(site, target)
    expect_only(target)


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_only_what_may_pass_is_tried_again(
    site: Site, target: Path, status: int, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    site.statuses = [status] * 10
    with caplog.at_level(logging.INFO, "igbaselines"), pytest.raises(UserError, match=f"answers {status}"):
        fetch(site, target)
    assert len(site.ranges) == attempts
    waits = [message.rpartition("in ")[2] for message in caplog.messages if "trying again" in message]
    assert waits == ["0.01 s (2 of 3)", "0.02 s (3 of 3)"][: attempts - 1]


def test_a_closed_port(target: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(UserError, match="refused; gave up after 3 attempts"):
        fetch(Site(port=port), target)


def test_a_server_that_falls_silent(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    site.breaks_after, site.hold = [HALF], threading.Event()
    fetch(site, target)
    expect_only(target)
    assert site.ranges == [None, f"bytes={HALF}-"]


def test_a_full_disk_is_told_and_not_tried_again(site: Site, small_disk: Path) -> None:
    target = small_disk / "file.bin"
    with pytest.raises(UserError, match=r"file\.bin\.part: cannot be used \(No space left on device\)"):
        fetch(site, target)
    assert len(site.ranges) == 1
    there = part_of(target).read_bytes()
    assert len(there) > HALF
    assert CONTENT.startswith(there)
    with pytest.raises(UserError, match=r"part: cannot be used"):
        fetch(site, part_of(target) / "file.bin")  # no folder can be made there


def test_two_at_once_fetch_once(site: Site, target: Path) -> None:
    site.breaks_after, site.hold = [HALF], threading.Event()
    threads = [threading.Thread(target=fetch, args=(site, target)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: part_of(target).is_file() and part_of(target).stat().st_size == HALF)
    site.hold.set()
    for thread in threads:
        thread.join()
    expect_only(target)
    assert site.ranges == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a/b", "http:///b", "http://a/", "http://a/b/..", "http://a/..%2Fb"),
        *("http://a/.b", "http://a:x/b", "http://[/b", "http://a/b c", "http://a/b\n"),
    ],
)
def test_addresses_that_will_not_do(tmp_path: Path, url: str) -> None:
    assert file_name("https://server:8080/zips/val2017.zip?version=1") == "val2017.zip"
    with pytest.raises(UserError, match="should be http://"):
        download(url, tmp_path / "file", md5(b""), 1)


@pytest.mark.parametrize("checksum", ["", "d41d8cd98f00b204e9800998ecf8427e", "md5:d41d", "crc32:00000000"])
def test_checksums_that_will_not_do(tmp_path: Path, checksum: str) -> None:
    with pytest.raises(UserError, match=r"should be algorithm:hexadecimal"):
        download("http://127.0.0.1/file", tmp_path / "file", checksum, 1)


# Archives


def zipped(members: dict[str, bytes | str], path: Path) -> Path:
    """A zip file; members whose content is text are symbolic links to it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name  # as it stands: the constructor would mend some names
            kind = stat.S_IFLNK if isinstance(content, str) else stat.S_IFREG
            info.external_attr = (kind | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return path


COCO: dict[str, bytes | str] = {
    "val2017/000000000001.jpg": b"first" * 1000,
    "val2017/000000000002.jpg": b"second" * 1000,
    "val2017/readme.txt": b"not wanted",
    "val2017/deeper/000000000003.jpg": b"not wanted",
    "other/000000000004.jpg": b"not wanted",
}
WANTED = ["val2017/000000000001.jpg", "val2017/000000000002.jpg"]


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_unpacks_only_what_is_wanted(tmp_path: Path, out: Path) -> None:
    paths = extract(zipped(COCO, tmp_path / "a.zip"), out, ["val2017/*.jpg"])
    assert paths == [out / name for name in WANTED]
    assert files_in(out) == WANTED
    assert [path.read_bytes() for path in paths] == [COCO[name] for name in WANTED]


def test_unpacking_is_taken_up_again(tmp_path: Path, out: Path) -> None:
    archive = zipped(COCO, tmp_path / "a.zip")
    first, second = extract(archive, out, ["val2017/*.jpg"])
    written = first.stat().st_mtime_ns
    second.write_bytes(b"half")
    extract(archive, out, ["val2017/*.jpg"])
    assert first.stat().st_mtime_ns == written
    assert second.read_bytes() == COCO[WANTED[1]]
    assert files_in(out) == WANTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, b"x") for name in ("../evil.jpg", "val2017/../../evil.jpg", "/tmp/evil.jpg", "C:/evil.jpg")),
        *((name, b"x") for name in ("c:evil.jpg", "..\\evil.jpg", "\\\\server\\evil.jpg")),
        *(("val2017/evil.jpg", link) for link in ("/etc/passwd", "000000000001.jpg")),
    ],
)
def test_what_would_leave_the_folder_is_refused_before_anything_is_written(
    tmp_path: Path, out: Path, name: str, content: bytes | str
) -> None:
    archive = zipped({**COCO, name: content}, tmp_path / "a.zip")
    before = files_in(tmp_path)
    with pytest.raises(UserError, match=re.escape(repr(name))):
        extract(archive, out, ["val2017/*.jpg"])
    assert [file for file in files_in(tmp_path) if file != ".a.zip.lock"] == before


def test_a_name_cut_by_a_zero_byte_is_refused(tmp_path: Path, out: Path) -> None:
    archive = zipped({"val2017/1.jpg": b"x", "val2017/2.jpg_.exe": b"x"}, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes().replace(b"2.jpg_.exe", b"2.jpg\0.exe"))
    with pytest.raises(UserError, match="outside the folder"):
        extract(archive, out, ["val2017/*.jpg"])
    assert not out.exists()


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, out: Path) -> None:
    archive = zipped({"zeros.jpg": bytes(1 << 22), "not wanted": bytes(1 << 22)}, tmp_path / "a.zip")
    assert archive.stat().st_size < 1 << 14
    with pytest.raises(UserError, match=f"unpack to {1 << 22} bytes, at most {(1 << 22) - 1}"):
        extract(archive, out, ["*.jpg"], (1 << 22) - 1)
    assert not out.exists()
    extract(archive, out, ["*.jpg"], 1 << 22)
    assert files_in(out) == ["zeros.jpg"]


def test_an_archive_that_declares_less_than_it_holds(tmp_path: Path, out: Path) -> None:
    archive = zipped({"zeros.jpg": bytes(1 << 20)}, tmp_path / "a.zip")
    size, lie = (1 << 20).to_bytes(4, "little"), (1 << 10).to_bytes(4, "little")
    assert archive.read_bytes().count(size) == 2
    archive.write_bytes(archive.read_bytes().replace(size, lie))
    with pytest.raises(UserError, match="damaged"):
        extract(archive, out, ["*.jpg"], 1 << 10)
    assert files_in(out) == []


@pytest.mark.parametrize("harm", ["no zip", "cut", "changed"])
def test_a_damaged_archive(tmp_path: Path, out: Path, harm: str) -> None:
    archive = zipped({"a.jpg": os.urandom(5000)}, tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    if harm == "changed":
        content[2000] ^= 1
    archive.write_bytes({"no zip": b"<html>", "cut": bytes(content[:3000]), "changed": bytes(content)}[harm])
    with pytest.raises(UserError, match=r"a\.zip: damaged .*: remove it") as error:
        extract(archive, out, ["*.jpg"])
    assert "\n" not in str(error.value)
    assert files_in(out) == [] if out.exists() else True


def test_a_member_that_is_not_there(tmp_path: Path, out: Path) -> None:
    with pytest.raises(UserError, match=r"nothing that matches 'val2014/\*\.jpg'"):
        extract(zipped(COCO, tmp_path / "a.zip"), out, ["val2017/*.jpg", "val2014/*.jpg"])
    assert not out.exists()


def test_no_archive_and_no_folder(tmp_path: Path, out: Path) -> None:
    with pytest.raises(UserError, match=r"a\.zip: cannot be used \(No such file"):
        extract(tmp_path / "a.zip", out, ["*"])
    out.write_text("in the way")
    with pytest.raises(UserError, match="cannot be used"):
        extract(zipped(COCO, tmp_path / "a.zip"), out, ["val2017/*.jpg"])


# The script


@dataclass
class Shop:
    """A tiny COCO on the site, and the script that fetches it."""

    site: Site
    config: Path
    root: Path

    def arguments(self) -> list[str]:
        return [sys.executable, str(SCRIPT), "--root", str(self.root), "--config", str(self.config)]

    def run(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.arguments(), capture_output=True, text=True, timeout=60, check=False)

    def expect_complete(self, result: "subprocess.CompletedProcess[str]") -> None:
        assert result.returncode == 0, result.stderr
        images = [f"val2017/{i:012}.jpg" for i in range(1, 5)]
        archives = ["annotations/instances_val2017.json", "annotations_trainval2017.zip", "val2017.zip"]
        assert [name for name in files_in(self.root) if not name.endswith(".lock")] == [*archives, *images]
        assert json.loads((self.root / "annotations/instances_val2017.json").read_text()) == {"images": []}
        run = f"python run.py experiment=weighted_gradients dataset=coco dataset.root={self.root} model=resnet50"
        assert result.stdout.splitlines()[-1] == run


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Shop:
    images: dict[str, bytes | str] = {f"val2017/{i:012}.jpg": os.urandom(50_000) for i in range(1, 5)}
    annotations: dict[str, bytes | str] = {
        f"annotations/{name}_val2017.json": b'{"images": []}' for name in ("instances", "captions")
    }
    site.files = {
        "/zips/val2017.zip": zipped(images, tmp_path / "images.zip").read_bytes(),
        "/annotations/annotations_trainval2017.zip": zipped(annotations, tmp_path / "annotations.zip").read_bytes(),
    }
    members = (["val2017/*.jpg"], ["annotations/instances_val2017.json"])
    archives = [
        {"url": site.url(path), "size": len(content), "checksum": md5(content), "members": wanted, "unpacked": 1 << 20}
        for (path, content), wanted in zip(site.files.items(), members, strict=True)
    ]
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({"archives": archives}))
    return Shop(site, config, tmp_path / "coco")


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "nothing happened within 30 s"
        time.sleep(0.01)


def test_the_script_from_end_to_end(shop: Shop) -> None:
    shop.expect_complete(shop.run())
    assert shop.site.ranges == [None, None]
    (shop.root / "val2017" / f"{3:012}.jpg").unlink()
    shop.expect_complete(shop.run())
    assert len(shop.site.ranges) == 2  # what is there is not fetched again


def test_the_command_to_run_next_survives_shell_and_hydra(shop: Shop) -> None:
    shop.root = shop.root / "it's a=1,b=(2)"
    (*_, root, _) = shlex.split(shop.run().stdout.splitlines()[-1])
    (override,) = OverridesParser.create().parse_overrides([root])
    assert override.key_or_group == "dataset.root"
    assert override.value() == str(shop.root)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_script_goes_on_after_its_end_in_the_middle(shop: Shop, how: signal.Signals) -> None:
    shop.site.breaks_after, shop.site.hold = [120_000], threading.Event()
    part = shop.root / "val2017.zip.part"
    process = subprocess.Popen(shop.arguments(), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: part.is_file() and part.stat().st_size == 120_000)
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1] == "interrupted: the same command goes on from here"
        assert "Traceback" not in said
    assert not (shop.root / "val2017.zip").exists()
    shop.site.ranges.clear()
    shop.expect_complete(shop.run())
    assert shop.site.ranges == ["bytes=120000-", None]


def expect_one_line(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert result.returncode == 2, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert errors == result.stderr.splitlines()[-1:], result.stderr
    assert "Traceback" not in result.stderr
    assert all(word in errors[0] for word in words), errors[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("archives: [", ["tiny.yaml"]),
        ("- a list", ["tiny.yaml", "archives"]),
        ("{}", ["tiny.yaml", "archives"]),
        ("archives: [{url: http://a/b}]", ["tiny.yaml", "size"]),
        ("archives: [{uri: http://a/b}]", ["tiny.yaml", "uri"]),
        ("archives: [{url: http://a/b, size: big}]", ["tiny.yaml", "size", "big"]),
        ("archives: [{url: /a/b, size: 1, checksum: x, members: [a], unpacked: 1}]", ["/a/b", "http"]),
        ("archives: [{url: http://a/b, size: 1, checksum: x, members: [a], unpacked: 1}]", ["checksum 'x'"]),
        (None, ["tiny.yaml", "No such file"]),
    ],
)
def test_a_configuration_that_will_not_do(shop: Shop, text: str | None, words: list[str]) -> None:
    shop.config.unlink()
    if text is not None:
        shop.config.write_text(text)
    expect_one_line(shop.run(), *words)
    assert shop.site.ranges == []
    assert not shop.root.exists()


def test_a_mistake_on_the_command_line(shop: Shop) -> None:
    shop.config = Path("--rot")
    expect_one_line(shop.run(), "--config")


def test_the_configuration_of_coco_is_whole() -> None:
    config = OmegaConf.load(ROOT / "conf" / "downloads" / "coco.yaml")
    images, annotations = config.archives
    assert file_name(images.url) == "val2017.zip"
    assert file_name(annotations.url) == "annotations_trainval2017.zip"
    assert re.fullmatch("sha256:[0-9a-f]{64}", images.checksum)
    assert re.fullmatch("sha256:[0-9a-f]{64}", annotations.checksum)
    assert images.size < images.unpacked  # photographs do not shrink when they are packed
