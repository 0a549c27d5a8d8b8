"""Files from the web that end up whole or not at all: fetched in as many pieces as it takes, checked, then unpacked.

A download grows in `<name>.part` beside its target: whatever ends a process (Ctrl-C, kill, a full disk), the next one
goes on from there. Of a server only bytes are believed, and those only with the right length and checksum.
"""

import hashlib
import logging
import re
import stat
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from urllib.error import HTTPError

from igbaselines.common.errors import UserError
from igbaselines.common.files import locked, replacing
from igbaselines.common.progress import bar

ATTEMPTS = 5  # in a row without progress
PAUSE = 1.0  # s before the second attempt, doubled before each further one
TIMEOUT = 30.0  # s without a byte, after which a connection counts as broken
_CHUNK = 1 << 18  # bytes: a quarter of a MiB, so that the bar moves on slow lines too
_PROGRESS = 1 << 20  # bytes between two failures that make the next one a first failure again
_FOR_NOW = (408, 429, 500, 502, 503, 504)  # answers of a server that may think better of it
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_log = logging.getLogger(__name__)


class _BrokenConnectionError(Exception):
    """A failure that another attempt may mend."""


def download(url: str, target: Path, checksum: str, size: int) -> None:
    """Fetch a file; one that is there and has the right checksum is not fetched again.

    Args:
        url: http or https address.
        target: the file's path; folders are made.
        checksum: `algorithm:hexadecimal`.
        size: length [bytes]: a server that offers another one is refused at once.

    Raises:
        UserError: if the address, the server's answer, the checksum or the disk will not do.
    """
    file_name(url)
    algorithm, expected = checksum_algorithm(checksum), checksum.lower()
    part = target.with_name(f"{target.name}.part")
    with _telling_the_disks(part), locked(target.with_name(f".{target.name}.lock"), target):
        if target.is_file():
            found = _checksum(target, algorithm)
            if found == expected:
                return
            _log.warning("%s has checksum %s instead of %s: fetched again", target, found, expected)
        _log.info("%s is fetched into %s", url, target.parent)
        _fetch(url, part, size)
        found = _checksum(part, algorithm)
        if found != expected:
            part.unlink()
            raise UserError(
                f"{url}: checksum {found} instead of {expected}: what came is removed, the same command starts again; "
                "if it ends here again, the file on the server is another one"
            )
        part.replace(target)


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
    lock = locked(archive.with_name(f".{archive.name}.lock"), archive)
    try:
        with _telling_the_disks(folder), lock, zipfile.ZipFile(archive) as file:
            wanted = _wanted(archive, file, members, unpacked)
            paths = [folder / info.filename for info in wanted]
            with bar(f"unpacking {archive.name}", len(wanted)) as show:
                for count, (info, path) in enumerate(zip(wanted, paths, strict=True)):
                    show(count)
                    if not (path.is_file() and path.stat().st_size == info.file_size):
                        path.parent.mkdir(parents=True, exist_ok=True)
                        with file.open(info) as source, replacing(path) as temporary, temporary.open("wb") as target:
                            copyfileobj(source, target)  # no more than the declared size, and checks the CRC
            return paths
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{archive}: damaged ({error}): remove it, and the same command fetches it again") from error


def file_name(url: str) -> str:
    """The name in which an address ends; a UserError where it is no plain word, or the address not http(s)."""
    address = re.fullmatch(r"https?://[\w.-]+(:\d+)?/([!-~]*/)?(\w[\w.+-]*)(\?[!-~]*)?", url, re.ASCII)
    if not address:
        raise UserError(f"url {url!r} should be http://server/.../file or https://server/.../file")
    return address[3]


def checksum_algorithm(checksum: str) -> str:
    """The algorithm of a checksum; a UserError says that it is not `algorithm:hexadecimal`."""
    algorithm, _, digest = checksum.lower().partition(":")
    if not re.fullmatch("[0-9a-f]+", digest) or len(digest) != _DIGITS.get(algorithm):
        known = ", ".join(_DIGITS)
        raise UserError(f"checksum {checksum!r} should be algorithm:hexadecimal digits, the algorithm {known}")
    return algorithm


def _checksum(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


@contextmanager
def _telling_the_disks(path: Path) -> Iterator[None]:
    """An OSError is a disk's, since `_network` has told its own."""
    try:
        yield
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        raise UserError(f"{where}: cannot be used ({reason}): with that mended the same command goes on") from error


@contextmanager
def _network(url: str) -> Iterator[None]:
    """Tell what another attempt may mend from what it will not."""
    try:
        yield
    except HTTPError as error:
        error.close()
        said = f"the server answers {error.code} {error.reason}".rstrip()
        if error.code in _FOR_NOW:
            raise _BrokenConnectionError(said) from error
        raise UserError(f"{url}: {said}: is the address right?") from error
    except (OSError, HTTPException) as error:
        raise _BrokenConnectionError(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _fetch(url: str, part: Path, size: int) -> None:
    """Try until the part is as long as the file."""
    failures = 0
    while (before := _length(part)) != size:
        try:
            _attempt(url, part, size)
        except _BrokenConnectionError as error:
            failures = 1 if _length(part) - before >= _PROGRESS else failures + 1
            if failures >= ATTEMPTS:
                said = f"{url}: {error}; gave up after {failures} attempts"
                raise UserError(f"{said}, the same command goes on from here") from error
            pause = PAUSE * 2 ** (failures - 1)
            _log.info("%s: %s; trying again in %g s (%d of %d)", url, error, pause, failures + 1, ATTEMPTS)
            time.sleep(pause)


def _attempt(url: str, part: Path, size: int) -> None:
    """One request for what is missing."""
    have = _length(part)
    wanted = {"Range": f"bytes={have}-"} if 0 < have < size else {}  # too long: of another file
    request = urllib.request.Request(url, headers={"User-Agent": "igbaselines"} | wanted)
    with _network(url):
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    with response:
        if response.status != 206:  # the file from its beginning
            have = 0
        if response.length is not None and have + response.length != size:  # a proxy's page: what is there stays
            raise UserError(f"{url}: the server offers {have + response.length} bytes instead of {size}: another file")
        with part.open("ab" if have else "wb") as file, bar(f"{part.stem} [MiB]", size >> 20) as show:
            while have < size:
                with _network(url):
                    chunk = response.read1(min(_CHUNK, size - have))
                if not chunk:
                    raise _BrokenConnectionError(f"the connection ended after {have} of {size} bytes")
                file.write(chunk)
                have += len(chunk)
                show(have >> 20)


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _wanted(archive: Path, file: zipfile.ZipFile, members: Sequence[str], unpacked: int) -> list[zipfile.ZipInfo]:
    """The entries to unpack, once the archive as a whole has been found harmless."""
    for info in file.infolist():
        if reason := _harm(info):
            raise UserError(f"{archive}: refused, {info.orig_filename!r} {reason}; nothing is unpacked")
    files = [info for info in file.infolist() if not info.is_dir()]
    for pattern in members:
        if not any(_matches(info.filename, pattern) for info in files):
            raise UserError(f"{archive}: holds nothing that matches {pattern!r}")
    wanted = [info for info in files if any(_matches(info.filename, pattern) for pattern in members)]
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
