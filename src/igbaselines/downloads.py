"""Files from the web that end up whole or not at all: fetched in as many pieces as it takes, checked, then unpacked.

A download grows in `<name>.part` beside its target, with the server's validator (RFC 9110, section 8.8) in
`<name>.part.validator`: whatever ends a process (Ctrl-C, kill, a full disk), the next one goes on from there.
"""

import hashlib
import logging
import re
import stat
import time
import urllib.request
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from igbaselines.common.errors import UserError
from igbaselines.common.files import replacing, write_text
from igbaselines.common.progress import bar

_CHUNK = 1 << 18  # bytes: a quarter of a MiB, so that the bar moves on slow lines too
_PROGRESS = 1 << 20  # bytes between two failures that make the next one a first failure again
_LONGEST_PAUSE = 30.0  # s
_FOR_NOW = (408, 429, 500, 502, 503, 504)  # answers of a server that may think better of it
_log = logging.getLogger(__name__)


class _BrokenConnectionError(Exception):
    """A failure that another attempt may mend."""


@dataclass
class Patience:
    """How long to try.

    Args:
        attempts: how often in a row without progress.
        pause: seconds before the second attempt, doubled before each further one.
        timeout: seconds without a byte after which a connection counts as broken.
    """

    attempts: int = 5
    pause: float = 1.0
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.pause < 0 or self.timeout <= 0:
            raise UserError(f"at least one attempt, no negative pause and some timeout are needed, got {self}")


def download(url: str, target: Path, checksum: str, size: int | None = None, patience: Patience | None = None) -> None:
    """Fetch a file; one that is there and has the right checksum is not fetched again.

    Args:
        url: http or https address.
        target: the file's path; folders are made.
        checksum: `algorithm:hexadecimal`, by any algorithm of hashlib with a fixed length.
        size: length [bytes], if it is known: a server that offers another one is refused at once.
        patience: how long to try.

    Raises:
        UserError: if the address, the server's answer, the checksum or the disk will not do.
    """
    file_name(url)
    algorithm = checksum_algorithm(checksum)
    part = target.with_name(f"{target.name}.part")
    with _alone(target):
        if target.is_file():
            found = _checksum(target, algorithm)
            if found == checksum.lower():
                return
            _log.warning("%s has checksum %s instead of %s: fetched again", target, found, checksum.lower())
        _log.info("%s is fetched into %s", url, target.parent)
        _fetch(url, part, size, patience or Patience())
        found = _checksum(part, algorithm)
        if found != checksum.lower():
            _forget(part)
            raise UserError(
                f"{url}: checksum {found} instead of {checksum.lower()}: what came is removed, the same command starts "
                "again; if it ends here again, the file on the server is another one"
            )
        with _writing(target):
            part.replace(target)
            _validator_file(part).unlink(missing_ok=True)


def extract(archive: Path, folder: Path, members: Sequence[str], unpacked: int = 1 << 32) -> list[Path]:
    """Unpack a zip file's members; those that are there with the right size are left alone.

    Args:
        archive: the zip file.
        folder: where the members go.
        members: patterns; `*` stands for characters within one step of a path, and each pattern must match something.
        unpacked: what the members may come to at most [bytes].

    Returns:
        The paths of the members, in the archive's order.

    Raises:
        UserError: if the archive is damaged, holds what could be written outside the folder, lacks a member or is too
            large, all before anything is written; or if a member turns out to be damaged, or the disk is full.
    """
    with _alone(archive):
        try:
            with zipfile.ZipFile(archive) as file:
                wanted = _wanted(archive, file, members, unpacked)
                paths = [folder / info.filename for info in wanted]
                _sweep(paths)
                with bar(f"unpacking {archive.name}", len(wanted)) as show:
                    for count, (info, path) in enumerate(zip(wanted, paths, strict=True)):
                        show(count)
                        if not (path.is_file() and path.stat().st_size == info.file_size):
                            _extract_one(file, info, path)
                return paths
        except OSError as error:
            raise UserError(f"{archive}: cannot be read ({error.strerror or error})") from error
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(
                f"{archive}: damaged ({error}): remove it, and the same command fetches it again"
            ) from error


def file_name(url: str) -> str:
    """The name in which an address ends.

    Raises:
        UserError: if it is no http or https address of a file.
    """
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0  # .port checks the port
    except ValueError:
        is_web = False
    name = PurePosixPath(unquote(parts.path)).name if is_web else ""
    if not url.isascii() or not url.isprintable() or " " in url or name in ("", ".."):
        raise UserError(f"url {url!r} should be http://server/.../file or https://server/.../file")
    return name


def checksum_algorithm(checksum: str) -> str:
    """The algorithm of a checksum.

    Raises:
        UserError: if it is not `algorithm:hexadecimal`, by an algorithm of hashlib that has a fixed length.
    """
    algorithm, _, digest = checksum.lower().partition(":")
    known = sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
    length = 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size if algorithm in known else 0
    if not length or not re.fullmatch(f"[0-9a-f]{{{length}}}", digest):
        raise UserError(
            f"checksum {checksum!r} should be algorithm:hexadecimal digits, the algorithm {', '.join(known)}"
        )
    return algorithm


def _checksum(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    return f"{algorithm}:{digest.hexdigest()}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time at a file: another one waits, and then finds the work done."""
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("%s: another process is at it, waiting for it to end", path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}): with that mended the same command goes on") from error


def _fetch(url: str, part: Path, size: int | None, patience: Patience) -> None:
    """Try until the part is as long as the file."""
    failures = 0
    while True:
        before = _length(part)
        try:
            return _attempt(url, part, size, patience.timeout)
        except _BrokenConnectionError as error:
            reason = str(error)
        failures = 1 if _length(part) - before >= _PROGRESS else failures + 1
        if failures >= patience.attempts:
            raise UserError(f"{url}: {reason}; gave up after {failures} attempts, the same command goes on from here")
        pause = min(patience.pause * 2 ** (failures - 1), _LONGEST_PAUSE)
        _log.info("%s: %s; trying again in %g s (%d of %d)", url, reason, pause, failures + 1, patience.attempts)
        time.sleep(pause)


def _attempt(url: str, part: Path, size: int | None, timeout: float) -> None:
    """One request for what is missing."""
    have = _length(part)
    if have and have == size:
        return
    if size is not None and have > size:  # the beginning of another file
        _forget(part)
        have = 0
    request = urllib.request.Request(url, headers={"User-Agent": "igbaselines"} | _range(part, have))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            _receive(response, url, part, have, size)
    except HTTPError as error:
        with error:
            _refused(error, url, part, have, size)
    except (OSError, HTTPException) as error:  # disks' errors are the user's by now: these are the network's
        raise _BrokenConnectionError(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _range(part: Path, have: int) -> dict[str, str]:
    """Ask for the bytes from `have` on, and for all of them in case the file has changed since."""
    if not have:
        return {}
    validator = _remembered(part)
    return {"Range": f"bytes={have}-"} | ({"If-Range": validator} if validator else {})


def _receive(response: HTTPResponse, url: str, part: Path, have: int, size: int | None) -> None:
    """Write what comes behind what is there, or in its place if the server sends the file from its beginning."""
    first, total = _extent(response)
    _check_size(url, total, size)
    validator, remembered = _validator(response.headers), _remembered(part)
    has_changed = validator and remembered and validator != remembered
    if first and (first != have or has_changed):
        _forget(part)
        raise _BrokenConnectionError("the file has changed on the server, or it sends what was not asked for")
    if not first:
        if have:
            _log.info("%s: the server sends it from the beginning", url)
        _forget(part)
        if validator:
            with _writing(part):
                write_text(_validator_file(part), validator)
    end = size if total is None else total
    have = _copy(response, part, first, end)
    if end is not None and have < end:
        raise _BrokenConnectionError(f"the connection ended after {have} of {end} bytes")
    if end is not None and have > end:
        _forget(part)
        raise UserError(f"{url}: the server sends more than the {end} bytes that the file should have")


def _copy(response: HTTPResponse, part: Path, have: int, end: int | None) -> int:
    """Append to the part file, and return its length; at most a chunk more than there should be."""
    with _writing(part):
        file = part.open("ab", buffering=0)  # a buffer would keep for itself what a full disk refuses
    with file, bar(f"{part.stem} [MiB]", (end or 0) >> 20) as show:
        while (end is None or have <= end) and (chunk := memoryview(response.read1(_CHUNK))):
            while chunk:
                with _writing(part):
                    written = file.write(chunk) or 0
                chunk, have = chunk[written:], have + written
            show(have >> 20)
    return have


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """The first byte that is sent, and the length of the whole file if the server says it."""
    if response.status != 206:
        return 0, response.length
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not content_range:
        raise _BrokenConnectionError("the server sends a part without saying which")
    first, total = content_range.groups()
    return int(first), None if total == "*" else int(total)


def _refused(error: HTTPError, url: str, part: Path, have: int, size: int | None) -> None:
    """What to make of an HTTP error; returns if it means that all is there."""
    said = f"the server answers {error.code} {error.reason}".rstrip()
    if error.code == 416 and have:
        total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if total:
            _check_size(url, int(total[1]), size)
            if int(total[1]) == have:
                return
        _forget(part)
        raise _BrokenConnectionError(f"{said}: what is there is not the beginning of that file")
    if error.code in _FOR_NOW:
        raise _BrokenConnectionError(said)
    raise UserError(f"{url}: {said}: is the address right?")


def _check_size(url: str, total: int | None, size: int | None) -> None:
    """Refuse before anything is touched: a page of a proxy must not take the place of half a gigabyte."""
    if None not in (total, size) and total != size:
        raise UserError(f"{url}: the server offers {total} bytes instead of {size}: that is not the file")


def _validator(headers: Message) -> str | None:
    """What tells one version of a file from another; weak ETags do not hold for parts (RFC 9110, section 13.1.5)."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.validator")


def _remembered(part: Path) -> str | None:
    file = _validator_file(part)
    text = file.read_text(encoding="latin-1").strip() if file.is_file() else ""
    return text if text.isascii() and text.isprintable() and text else None


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _forget(part: Path) -> None:
    with _writing(part):
        part.unlink(missing_ok=True)
        _validator_file(part).unlink(missing_ok=True)


def _wanted(archive: Path, file: zipfile.ZipFile, members: Sequence[str], unpacked: int) -> list[zipfile.ZipInfo]:
    """The entries to unpack, once the archive as a whole has been found harmless."""
    for info in file.infolist():
        if reason := _harm(info):
            raise UserError(f"{archive}: refused, {info.orig_filename!r} {reason}; nothing is unpacked")
    files = [info for info in file.infolist() if not info.is_dir()]
    wanted = [info for info in files if any(_matches(info.filename, pattern) for pattern in members)]
    for pattern in members:
        if not any(_matches(info.filename, pattern) for info in wanted):
            raise UserError(f"{archive}: holds nothing that matches {pattern!r}")
    (name, count), *_ = Counter(info.filename for info in wanted).most_common(1) or [("", 0)]
    if count > 1:
        raise UserError(f"{archive}: refused, holds {name!r} {count} times; nothing is unpacked")
    total = sum(info.file_size for info in wanted)
    if total > unpacked:
        raise UserError(f"{archive}: would unpack to {total} bytes, at most {unpacked} are expected")
    return wanted


def _harm(info: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry, as the archive's author wrote it: zipfile would quietly mend some of it."""
    path, kind = PurePosixPath(info.orig_filename), stat.S_IFMT(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or re.search(r"[\\\0]|^[A-Za-z]:", info.orig_filename):
        return "points outside the folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is encrypted, or packed in an unusual way"
    return None


def _matches(name: str, pattern: str) -> bool:
    steps, patterns = PurePosixPath(name).parts, PurePosixPath(pattern).parts
    return len(steps) == len(patterns) and all(map(fnmatchcase, steps, patterns))


def _sweep(paths: Sequence[Path]) -> None:
    """Remove what a process that was killed has left half written."""
    names = {path.name for path in paths}
    for folder in {path.parent for path in paths}:
        for temporary in folder.glob(".*.tmp"):
            if temporary.name[1:].rsplit(".", 2)[0] in names:
                temporary.unlink()


def _extract_one(file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            with file.open(info) as source, temporary.open("wb") as target:
                copyfileobj(source, target)  # zipfile never hands out more than the declared size, and checks the CRC
            if temporary.stat().st_size != info.file_size:
                raise zipfile.BadZipFile(f"{info.filename!r} is shorter than declared")
