"""Fetch COCO val2017 for 2505.03201 at paper scale: 1.07 GB, then 0.84 GB of files; what is there is not fetched again.

    python scripts/download_coco.py [--root data/downloads/coco] [--config conf/downloads/coco.yaml]

Ends with the command to run next. Exit code: 0, 2 for what the user can mend (one line says what), 130 for Ctrl-C.
"""

import argparse
import logging
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.downloads import checksum_algorithm, download, extract, file_name
from igbaselines.running.config import one_line


@dataclass
class Archive:
    """A zip file on the web, and what is wanted of it.

    Args:
        url: http or https address.
        size: length of the archive [bytes].
        checksum: `algorithm:hexadecimal`.
        members: patterns of the members wanted.
        unpacked: what these members may come to at most [bytes].
    """

    url: str = MISSING
    size: int = MISSING
    checksum: str = MISSING
    members: list[str] = MISSING
    unpacked: int = MISSING


@dataclass
class Downloads:
    """The content of a file in conf/downloads."""

    archives: list[Archive] = MISSING

    def fetch(self, root: Path) -> list[Path]:
        """Download every archive into `root`, unpack it there, and return the paths of the members."""
        paths = []
        for archive in self.archives:
            target = root / file_name(archive.url)
            download(archive.url, target, archive.checksum, archive.size)
            paths += extract(target, root, archive.members, archive.unpacked)
        return paths


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def main() -> int:
    """Do what the command line asks for and return the exit code."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("igbaselines").setLevel(logging.INFO)
    try:
        arguments = _parser().parse_args()
        root = arguments.root.expanduser().absolute()
        downloads = read_downloads(arguments.config)
        paths = downloads.fetch(root)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    names = " and ".join(file_name(archive.url) for archive in downloads.archives)
    print(f"{len(paths)} files are in {root} ({names} there may be removed). Now run")
    overrides = ["experiment=weighted_gradients", "dataset=coco", f"dataset.root={_hydra(root)}", "model=resnet50"]
    print(shlex.join(["python", "run.py", *overrides]))
    return 0


def _hydra(path: Path) -> str:
    """A path as a value of Hydra's command line, where commas, brackets and = mean something unless they are quoted."""
    text = str(path)
    if re.fullmatch(r"[\w./ -]+", text, re.ASCII):
        return text
    return "'" + text.replace("'", r"\'") + "'"


def read_downloads(path: Path) -> Downloads:
    """Read a file of conf/downloads.

    Raises:
        UserError: if it is missing, no YAML, or a key, a type or a value is wrong.
    """
    try:
        found = OmegaConf.load(path)
        if not OmegaConf.is_dict(found):
            raise UserError(f"{path}: a mapping with the key archives is needed")
        downloads = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Downloads), found))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: {one_line(error)}") from error
    assert isinstance(downloads, Downloads)
    for archive in downloads.archives:  # all of them before the first gigabyte
        file_name(archive.url)
        checksum_algorithm(archive.checksum)
    return downloads


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(description="Fetch COCO val2017 images and instances (1.07 GB) and unpack them.")
    root, config = PROJECT_ROOT / "data/downloads/coco", PROJECT_ROOT / "conf/downloads/coco.yaml"
    parser.add_argument("--root", type=Path, default=root, help="where COCO goes (%(default)s)")
    parser.add_argument("--config", type=Path, default=config, help="what is fetched, from where (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
