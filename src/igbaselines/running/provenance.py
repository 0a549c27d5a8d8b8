"""Where a result comes from: code, packages, command, machine, data, time and memory."""

import hashlib
import importlib.metadata
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igbaselines.common.places import COMMAND

if TYPE_CHECKING:
    import torch

PACKAGES = (
    *("igbaselines", "hydra-core", "matplotlib", "mplhep", "numpy", "omegaconf", "pandas", "pyarrow", "safetensors"),
    *("scikit-learn", "scipy", "torch", "torchvision"),
)

SOURCE = Path(__file__).resolve().parents[1]
DRAWING = {"reporting", "launching"}  # folders of code that no measured value depends on


@cache
def code_checksum() -> str:
    """sha256 of the code that measures, in this process: checkpoints of other code are not taken for its own."""
    return _checksum(SOURCE, [path for path in SOURCE.rglob("*.py") if not _draws(path)])


@cache
def judging_checksum(claims_root: Path) -> str:
    """sha256 of what judges rows, the claims files and the code of reports: verdicts of others are not today's."""
    code = _checksum(SOURCE, [path for path in SOURCE.rglob("*.py") if _draws(path)])
    return hashlib.sha256(f"{code} {_checksum(claims_root, claims_root.rglob('*.yaml'))}".encode()).hexdigest()


def _draws(path: Path) -> bool:
    return bool(DRAWING.intersection(path.relative_to(SOURCE).parts))


def _checksum(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def provenance(
    project_root: Path, config: Mapping[str, Any], device: "torch.device", checksums: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """Describe how a run was made, from which data and weights (sha256 by name), in how many seconds of wall time."""
    import torch  # here: whoever asks for the code's checksum needs none of it

    return {
        "git": _git(project_root),
        "code": code_checksum(),
        "command": shlex.join([*COMMAND, *sys.argv[1:]]),
        "seed": config["seed"],
        "python": platform.python_version(),
        "packages": _versions(),
        "machine": {
            "platform": platform.platform(),
            "device": _device_name(device),
            "threads": torch.get_num_threads(),
        },
        "plugins": dict(config.get("plugins", {})),
        "checksums": dict(checksums),
        "wall_time_s": round(seconds, 2),
        "peak_memory_mb": _peak_memory(device),
    }


def _versions() -> dict[str, str]:
    """Of what is installed: each study needs some of the extras."""
    found = {}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _git(project_root: Path) -> dict[str, object]:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(project_root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    if not (project_root / ".git").exists():  # git would speak of the repository that the package is installed into
        return {"commit": None, "dirty": None}
    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}  # an unpacked archive, or no git


def _device_name(device: "torch.device") -> str:
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def _peak_memory(device: "torch.device") -> dict[str, float]:
    """Peak resident memory of this process and of its largest child, and of the GPU's allocator [MB]."""
    per_mb = 1024 * (1024 if sys.platform == "darwin" else 1)  # ru_maxrss is in bytes there, in KiB elsewhere
    peak = {
        "process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb,
        "largest_child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / per_mb,
    }
    if device.type == "cuda":
        import torch

        peak["gpu"] = torch.cuda.max_memory_allocated(device) / 2**20
    return {name: round(value, 1) for name, value in peak.items()}
