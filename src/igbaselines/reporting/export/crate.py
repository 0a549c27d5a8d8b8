"""A run as one archive with metadata that machines read: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1).

The same run gives the same bytes. Networks and maps of single inputs stay in the run's folder: they may be large.
"""

import json
import mimetypes
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igbaselines.common.files import read_json, replacing, sha256
from igbaselines.reporting.page.runs import ReportedRun

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
METADATA = "ro-crate-metadata.json"
SOFTWARE = "#igbaselines"
KEPT = ("config.yaml", "rows.parquet", "names.json", "claims.json", "provenance.json", "tables/*", "figures/*")
TYPES = {".parquet": "application/vnd.apache.parquet", ".yaml": "application/yaml", ".md": "text/markdown"}
WHAT = {
    "config.yaml": "The whole configuration",
    "rows.parquet": "Every measured value: a row each",
    "names.json": "How methods and metrics are printed, and which direction of a metric is better",
    "claims.json": "Verdicts on what the paper says",
    "provenance.json": "Code, packages, machine, command, and checksums of data and weights",
}


def write_crate(run: ReportedRun, archive: Path) -> Path:
    """Write the archive of a complete run; returns its path."""
    files = sorted(file for pattern in KEPT for file in run.folder.glob(pattern) if file.is_file())
    archive.parent.mkdir(parents=True, exist_ok=True)
    with replacing(archive) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as opened:
        metadata = json.dumps(described(run, files), indent=1, ensure_ascii=False)
        for name, content in (
            (METADATA, metadata.encode()),
            *((_place(run, file), file.read_bytes()) for file in files),
        ):
            opened.writestr(zipfile.ZipInfo(f"{run.label}/{name}"), content, zipfile.ZIP_DEFLATED)
    return archive


def described(run: ReportedRun, files: Sequence[Path]) -> dict[str, Any]:
    """The metadata of a run's files, in JSON-LD."""
    record = read_json(run.folder / "provenance.json")
    names = [_place(run, file) for file in files]
    captions = {f"figures/{figure.path.name}": figure.caption for figure in run.figures} | WHAT
    parts = [
        {
            "@id": name,
            "@type": "File",
            "name": Path(name).name,
            "description": captions.get(name, ""),
            "encodingFormat": TYPES.get(file.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
            "contentSize": str(file.stat().st_size),
            "sha256": sha256(file),
        }
        for name, file in zip(names, files, strict=True)
    ]
    about = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": SPECIFICATION}}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{run.experiment}: {run.label}",
        "description": f"A run of igbaselines: {record['command']}",
        "datePublished": run.ended,
        "license": "Results of whoever made the run; of the software: MIT",
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": "#run"},
    }
    made = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": record["command"],
        "endTime": run.ended,
        "instrument": {"@id": SOFTWARE},
        "result": [{"@id": name} for name in names],
    }
    software = {
        "@id": SOFTWARE,
        "@type": "SoftwareApplication",
        "name": "igbaselines",
        "version": record["packages"].get("igbaselines", ""),
        "softwareRequirements": [f"{name} {version}" for name, version in record["packages"].items()],
        "identifier": record["git"]["commit"] or record["code"],
    }
    return {"@context": f"{SPECIFICATION}/context", "@graph": [about, root, made, software, *parts]}


def _place(run: ReportedRun, file: Path) -> str:
    return file.relative_to(run.folder).as_posix()
