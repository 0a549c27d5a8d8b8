"""Files that are whole or not there: what is written goes through a temporary name and one rename.

What is kept between attempts is checked before it is believed: a record holds checksums of itself and of the files that
it vouches for.
"""

import errno
import hashlib
import json
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from igbaselines.common.errors import UserError
from igbaselines.common.stopping import stop_here

log = logging.getLogger(__name__)

LONGEST_NAME = 150  # bytes
LARGEST_TEXT = 2**24  # bytes of what is read whole from where anyone could have written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the place of `path` once the block has ended without an error."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")  # unlike a pid, no other node has it
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files can be any bytes


def read_bounded(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """Read what anyone could have put there; an OSError for anything but a file (a FIFO would block), or too large."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is no file", str(path))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most} bytes", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def read_json(path: Path) -> Any:  # noqa: ANN401 (JSON)
    """Read JSON from where anyone could have written; an OSError or a ValueError where it cannot be."""
    try:
        return json.loads(read_bounded(path))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error


def write_record(path: Path, record: Mapping[str, Any], vouched_for: Iterable[Path] = ()) -> None:
    """Write JSON whole, with a checksum: a record that is read back is the one that was written.

    Args:
        path: the file; its name is a part of the checksum, so that no other file's content is taken for this one's.
        record: what it says, by keys other than `files` and `checksum`.
        vouched_for: files beside or below it, written before it, that belong to what it says.
    """
    content = {**record, "files": {file.relative_to(path.parent).as_posix(): sha256(file) for file in vouched_for}}
    write_text(path, json.dumps({**content, "checksum": _checksum(path, content)}))


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record, or return None where there is none, or where it or a file that it vouches for is damaged."""
    try:
        content = read_signed(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        say_damaged(path)
        return None
    for name in damaged_files(path, content):
        say_damaged(path.with_name(name))
        return None
    del content["files"]
    return content


def read_signed(path: Path) -> dict[str, Any]:
    """Read what a record says, `files` included, whatever became of those.

    Raises:
        OSError, ValueError: where it is not there, or damaged.
    """
    try:
        content: dict[str, Any] = read_json(path)
        is_whole = content.pop("checksum") == _checksum(path, content) and isinstance(content["files"], dict)
    except (LookupError, AttributeError, TypeError):  # JSON, and no record
        is_whole = False
    if not is_whole:
        raise ValueError(f"{path.name} is damaged")
    return content


def damaged_files(path: Path, content: Mapping[str, Any]) -> list[str]:
    """The files that a record at `path` vouches for and that are not there any more as they were written."""
    found = []
    for name, expected in content["files"].items():
        file = path.parent / name
        with suppress(OSError):
            if file.is_file() and sha256(file) == expected:
                continue
        found.append(name)
    return found


def say_damaged(path: Path) -> None:
    """Say in the log that what was kept in a file is not believed: it counts as absent."""
    log.warning("%s is damaged: it is made again", path)


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_checksum(path: Path) -> str:
    """Checksum of a file that is asked for often: read again where the file system says that it has changed, or may."""
    status = path.stat()
    if time.time_ns() - status.st_mtime_ns < 2 * 10**9:  # two edits within a tick of its clock look like one
        return sha256(path)
    return _known_checksum(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=2**17)
def _known_checksum(path: Path, *_identity: int) -> str:
    return sha256(path)


def _checksum(path: Path, content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([path.name, content]).encode()).hexdigest()


def as_path(text: str) -> Path:
    """The path that a user typed: `~` and `~name` are folders of users, any other name is taken as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path's raises where there is no such user)


def file_name_of(name: str) -> str:
    """A file name that no other name gets: `a/b` is a__b where it is short and nothing else can be it."""
    parts = name.split("/")
    readable = "__".join(parts)
    is_plain = all(part and "__" not in part for part in parts) and len(readable.encode()) <= LONGEST_NAME
    if is_plain and (len(parts) == 1 or all(part.strip("_") == part for part in parts)):
        return readable
    return f"{readable[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def check_file_name(key: str, name: str) -> None:
    """Refuse a name, `key` in the configuration, that is to be part of a file's and would lead elsewhere."""
    if not re.fullmatch(r"\w[\w.:+-]{0,79}", name):
        raise UserError(f"{key}={name!r} names files: at most 80 letters, digits, and _ . : + - are allowed")


def check_writable(key: str, folder: Path) -> None:
    """Make a folder, `key` in the configuration; a UserError says if nothing can be written or no file locked there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".") as file:
            _check_locks(key, folder, file.name)
    except OSError as error:
        raise UserError(f"{key}={folder} cannot be written: {error.strerror}") from error


def _check_locks(key: str, folder: Path, file: str) -> None:
    try:
        with FileLock(file, timeout=0, fallback_to_soft=False):  # a soft lock would be kept by the dead
            pass
    except OSError as error:
        raise UserError(
            f"{key}={folder} lies on a file system without file locks ({error.strerror}), which keep jobs out of "
            "each other's way: take another one, or have this one mounted with them (Lustre: -o flock)"
        ) from error


@contextmanager
def locked(file: Path, what: Path) -> Iterator[None]:
    """Hold a lock file, which stands for something, while the block lasts; wait for its holder if need be.

    The lock ends with its holder. A StoppedError says that a stop was asked for while it waited.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is at %s: waiting for it", what)
        while not lock.is_locked:
            stop_here()
            with suppress(Timeout):
                lock.acquire(timeout=0.2)
    try:
        yield
    finally:
        lock.release()
