"""Branches of files: ROOT's TTree and RNTuple (uproot), parquet and CSV, all as arrays by name.

A branch is a numpy array of numbers, booleans or texts, or, with a list an event, an array of awkward's. Names become
names that an expression can hold: Delphes' `Jet.PT` is `Jet_PT`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from igbaselines.common.columns import check_distinct, delimiter, open_parquet, reading_as, row_labels, some
from igbaselines.common.errors import UserError

# A value an event (numpy), or a list an event (awkward.Array, which has no types).
Branch: TypeAlias = Any
Branches: TypeAlias = dict[str, Branch]

KINDS = {".root": "ROOT", ".parquet": "parquet", ".csv": "CSV", ".tsv": "CSV"}
TREES = ("TTree", "ROOT::RNTuple")


def find_files(folder: Path, patterns: Sequence[str], key: str) -> list[Path]:
    """The files that patterns such as `ttbar_*.root` name in a folder, each once, in order of their names.

    Raises:
        UserError: naming the key, for a pattern without any file or a file of another kind.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        root, relative = (
            (Path(path.anchor), str(path.relative_to(path.anchor))) if path.is_absolute() else (folder, pattern)
        )
        files = sorted(one for one in root.glob(relative) if one.is_file())
        if not files:
            raise UserError(f"{key}: there is no file {root / relative}")
        found |= dict.fromkeys(files)
    for path in found:
        if path.suffix.lower() not in KINDS:
            raise UserError(f"{key}: {path} is none of {', '.join(KINDS)}")
    return list(found)


def is_jagged(branch: Branch) -> bool:
    """Whether a branch has a list an event."""
    return not isinstance(branch, np.ndarray)


def plain_name(name: str) -> str:
    """A branch's name as expressions, tables and files can hold it."""
    return re.sub(r"\W+", "_", name).strip("_")


def branch_names(path: Path, tree: str | None) -> dict[str, str]:
    """What the branches of a file are called here, each with its name in the file.

    Raises:
        UserError: where the file cannot be read, or has no such tree.
    """
    with _opened(path, tree) as source:
        names = source.names()
    plain = {plain_name(name): name for name in names}
    if len(plain) < len(names):
        taken = next(name for name in names if plain[plain_name(name)] != name)
        raise UserError(
            f"{path}: {taken!r} and {plain[plain_name(taken)]!r} are both called {plain_name(taken)!r} here"
        )
    return plain


def read_branches(path: Path, tree: str | None, names: Mapping[str, str]) -> Branches:
    """Read the branches of these names, here -> in the file.

    Raises:
        UserError: where the file cannot be read, or a branch is neither numbers, texts nor lists of numbers.
    """
    with _opened(path, tree) as source:
        return {name: _checked(path, name, source.branch(there)) for name, there in names.items()}


def _checked(path: Path, name: str, branch: Branch) -> Branch:
    if is_jagged(branch):
        import awkward as ak

        if branch.ndim != 2 or not np.issubdtype(np.dtype(ak.to_numpy(ak.flatten(branch)).dtype), np.number):
            raise UserError(f"{path}: branch {name!r} holds {branch.type}, not numbers: dataset.exclude=[{name}]")
    elif branch.ndim != 1 or branch.dtype.kind not in "biufUOT":
        raise UserError(f"{path}: branch {name!r} holds {branch.dtype}, not numbers: dataset.exclude=[{name}]")
    return branch


class _Root:
    """A tree of a ROOT file."""

    def __init__(self, path: Path, tree: str | None) -> None:
        import uproot

        self.file: Any = uproot.open(path)
        kinds = self.file.classnames(cycle=False)
        trees = [name for name, kind in kinds.items() if kind in TREES]
        if tree is None and len(trees) == 1:
            tree = trees[0]
        if tree not in trees:
            asked = "" if tree is None else f"dataset.tree={tree} is not there: "
            raise UserError(f"{path}: {asked}dataset.tree must name one of its trees, {some(trees)}")
        self.tree = self.file[tree]
        self.is_ntuple = kinds[tree] == "ROOT::RNTuple"

    def names(self) -> list[str]:
        if self.is_ntuple:
            return list(self.tree.keys(recursive=False))
        every = self.tree.iteritems(recursive=True, full_paths=False)
        return list(dict.fromkeys(name for name, branch in every if not branch.branches))

    def branch(self, name: str) -> Branch:
        import awkward as ak

        # By the tree: a branch of an RNTuple alone can have fewer ways to be read.
        found = self.tree[name].array(library="ak")
        if found.ndim == 1 and not isinstance(ak.type(found).content, ak.types.ListType):
            return np.asarray(found.to_numpy() if ak.type(found).content != "string" else found.to_list())
        return found

    def close(self) -> None:
        self.file.close()


class _Parquet:
    """A parquet file."""

    def __init__(self, path: Path, tree: str | None) -> None:
        self.path, self.file = path, open_parquet(path)

    def names(self) -> list[str]:
        schema = self.file.schema_arrow
        check_distinct(self.path, schema.names)
        return [name for name in schema.names if name not in row_labels(schema)]

    def branch(self, name: str) -> Branch:
        return _of_arrow(pq.read_table(self.path, columns=[name])[name])

    def close(self) -> None:
        self.file.close()


class _Csv:
    """A table as text; a file is read once."""

    def __init__(self, path: Path, tree: str | None) -> None:
        self.table = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter(path)))
        check_distinct(path, self.table.column_names)

    def names(self) -> list[str]:
        return list(self.table.column_names)

    def branch(self, name: str) -> Branch:
        return _of_arrow(self.table[name])

    def close(self) -> None:
        pass


SOURCES: Mapping[str, type[_Root] | type[_Parquet] | type[_Csv]] = {"ROOT": _Root, "parquet": _Parquet, "CSV": _Csv}


@contextmanager
def _opened(path: Path, tree: str | None) -> "Iterator[_Root | _Parquet | _Csv]":
    kind = KINDS[path.suffix.lower()]
    with reading_as(kind, path):
        try:
            source = SOURCES[kind](path, tree)
        except (ValueError, KeyError, NotImplementedError) as error:  # uproot's, of a file that is damaged
            raise UserError(f"{path}: cannot be read as {kind} ({str(error).strip().splitlines()[0]})") from error
        try:
            yield source
        finally:
            source.close()


def _of_arrow(column: pa.ChunkedArray) -> Branch:
    if isinstance(column.type, pa.BaseExtensionType):  # awkward's own files
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        import awkward as ak

        filled = ak.fill_none(ak.from_arrow(column), [], axis=0)  # no list is an empty one
        return ak.fill_none(filled, np.nan, axis=1)
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    return column.to_numpy()
