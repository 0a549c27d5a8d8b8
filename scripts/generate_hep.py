"""Generate collisions with Pythia ahead of a run, in parallel processes; a second start goes on where one was ended.

    python scripts/generate_hep.py dataset.n_events=100000 workers=8
    python scripts/generate_hep.py --sample data/hep_pythia_sample.parquet

The overrides are those of `python run.py experiment=hep_baselines dataset=hep_pythia`, which then finds the events if
it is given the same ones.
With --sample they are also written to one small file, at 11 bits of mantissa (a relative error of at most 1 in 4096),
with a .json of their cutflows and cross-sections: that is how `dataset=hep_pythia_sample` was made.
"""

import argparse
import importlib.metadata
import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from igbaselines.common.errors import UserError
from igbaselines.common.files import replacing, sha256, write_text
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import one_line, register
from igbaselines.running.targets import instantiate
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.pythia.dataset import HepPythia
from igbaselines.studies.hep.data.pythia.shards import EXTRA, Shard, read_shard, shard_weights
from igbaselines.studies.hep.data.table import read_events

_DROPPED_BITS = 12  # of the 23 bits of a float32's mantissa


def main() -> None:
    """Generate what the command line asks for; the exit code says whether it worked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="as in dataset.n_events=100000 workers=8")
    parser.add_argument("--sample", type=Path, help="also write all events to this parquet file")
    options = parser.parse_intermixed_args()  # overrides may stand on both sides of --sample
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        _generate(options.overrides, options.sample)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {error.filename or 'the data folder'}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _generate(overrides: Sequence[str], sample: Path | None) -> None:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["dataset=hep_pythia", *overrides])
    if config.workers < 0:
        raise UserError(f"workers must be at least 0, got {config.workers}")
    if sample is not None and not sample.parent.is_dir():
        raise UserError(f"--sample {sample}: there is no folder {sample.parent}")
    dataset: HepPythia = instantiate(config.dataset)
    cache = Path(config.data_root).expanduser() / "cache"
    workers = config.workers or os.cpu_count() or 1
    events = dataset.events_file(cache, workers)
    shards = [read_shard(recipe, events.parent) for recipe in dataset.recipes()]
    for line in summary(shards):
        print(line)
    print(f"all events: {events}")
    if sample is not None:
        write_sample(events, sample, shards)
        print(f"sample: {sample}, {sample.stat().st_size / 1e6:.1f} MB")


def summary(shards: Sequence[Shard]) -> list[str]:
    """Events, cross-section and cost of each process, as lines of a table."""
    lines = [f"{'process':<8} {'events':>8} {'N_eff':>8} {'cross-section [fb]':>19} {'events per CPU s':>17}"]
    for name, of_process in _by_process(shards).items():
        weight = np.concatenate(shard_weights(of_process))
        n_eff = weight.sum() ** 2 / (weight**2).sum()
        rate = len(weight) / max(sum(shard.cpu_seconds for shard in of_process), 1e-9)
        lines.append(f"{name:<8} {len(weight):>8} {n_eff:>8.0f} {weight.sum():>19.4g} {rate:>17.1f}")
    return lines


def write_sample(events: Path, sample: Path, shards: Sequence[Shard]) -> None:
    """Write the events at reduced precision, and beside them how they came about."""
    table = pq.read_table(events)
    columns = {name: table[name] for name in ("process", "label", "weight")}
    columns |= {name: pa.array(rounded(table[name].to_numpy())) for name in FEATURE_NAMES}
    reduced = pa.table(columns, metadata=table.schema.metadata)
    with replacing(sample) as temporary:
        pq.write_table(
            reduced,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=["process", "weight"],
            use_byte_stream_split=list(FEATURE_NAMES),
        )
    read_events(sample)  # it can be read, or it is not worth keeping
    record = {
        "sha256": sha256(sample),
        "command": shlex.join(["python", "scripts/generate_hep.py", *sys.argv[1:]]),
        "versions": {name: importlib.metadata.version(name) for name in EXTRA},
        "processes": {name: _cutflow(of_process) for name, of_process in _by_process(shards).items()},
    }
    write_text(sample.with_suffix(".json"), json.dumps(record, indent=1) + "\n")


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 values rounded to the nearest of 11 bits of mantissa: what is left compresses."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    half, kept = 1 << (_DROPPED_BITS - 1), ~np.uint64((1 << _DROPPED_BITS) - 1)
    return ((bits + half) & kept).astype(np.uint32).view(np.float32)


def _by_process(shards: Sequence[Shard]) -> dict[str, list[Shard]]:
    processes: dict[str, list[Shard]] = {}
    for shard in shards:
        processes.setdefault(shard.recipe.process, []).append(shard)
    return processes


def _cutflow(shards: Sequence[Shard]) -> list[dict[str, object]]:
    """Each range of pTHat of a process: what Pythia made of it, and what was selected."""
    ranges: dict[int, list[Shard]] = {}
    for shard in shards:
        ranges.setdefault(shard.recipe.place, []).append(shard)
    lines: list[dict[str, object]] = []
    for members in ranges.values():
        weight = np.concatenate(shard_weights(members))
        low, high = members[0].recipe.pt_hat
        steps = members[0].cutflow
        lines.append(
            {
                "pt_hat": [low, high if np.isfinite(high) else None],
                "shards": len(members),
                "cutflow": {step: sum(shard.cutflow[step] for shard in members) for step in steps},
                "cross_section_fb": float(weight.sum()),
                "counting_error_fb": float(np.sqrt((weight**2).sum())),
                "luminosity_per_fb": sum(shard.luminosity for shard in members),
                "cpu_seconds": round(sum(shard.cpu_seconds for shard in members), 1),
            }
        )
    return lines


if __name__ == "__main__":
    main()
