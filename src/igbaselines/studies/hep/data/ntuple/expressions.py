"""Columns by expressions, `m_jj / H_T` or `sum(jet_pt)`: numexpr evaluates them, and no Python is run.

What numexpr knows: arithmetic, comparisons, `&`, `|`, `~`, `where(a, b, c)`, and functions such as `sqrt`, `log`,
`sin`, `arctan2`. Of a branch with a list an event `count`, `sum`, `mean`, `min` and `max` are the event's.
"""

import ast
import logging
from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.ntuple.files import Branch, is_jagged

OVER_LISTS = ("count", "sum", "mean", "min", "max")


def names_in(key: str, expression: str) -> set[str]:
    """The names of branches in an expression, `key` in the configuration.

    Raises:
        UserError: where it is none.
    """
    return {
        node.id
        for node in ast.walk(_parsed(key, expression))
        if isinstance(node, ast.Name) and not _is_called(node, _parsed(key, expression))
    }


def evaluate(key: str, expression: str, branches: Mapping[str, Branch], events: int) -> Shaped[np.ndarray, " n"]:
    """The value of an expression in every event; a number alone is that of all.

    Raises:
        UserError: naming the key, for what numexpr does not know or a branch that is not there.
    """
    import numexpr

    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it tells of its threads
    tree = _parsed(key, expression)
    columns = {name: branch for name, branch in branches.items() if not is_jagged(branch)}
    reduced = _Reduced(key, branches, columns)
    written = ast.unparse(ast.fix_missing_locations(reduced.visit(tree)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & columns.keys()
    for name in used:
        if columns[name].dtype.kind not in "biuf":
            raise UserError(f"{key}={expression}: {name} holds texts, expressions are of numbers")
    unknown = names_in(key, written) - columns.keys() - {"True", "False"}
    for name in sorted(unknown):
        lists = name in branches
        known = f"a list an event: {name}_1, sum({name}), ..." if lists else "no branch"
        raise UserError(f"{key}={expression}: {name} is {known}")
    try:
        with np.errstate(all="ignore"):
            found = numexpr.evaluate(written, {name: columns[name] for name in used}, {})
    except (ValueError, TypeError, NotImplementedError, KeyError, SyntaxError, AttributeError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{key}={expression}: numexpr cannot evaluate it ({said})") from error
    return np.broadcast_to(found, (events,)).copy() if found.ndim == 0 else found


class _Reduced(ast.NodeTransformer):
    """Puts columns in the place of `sum(jet_pt)` and its like."""

    def __init__(self, key: str, branches: Mapping[str, Branch], columns: dict[str, Branch]) -> None:
        self.key, self.branches, self.columns = key, branches, columns

    def visit_Call(self, node: ast.Call) -> ast.AST:
        of = node.args[0] if len(node.args) == 1 else None
        called = getattr(node.func, "id", "")
        if called not in OVER_LISTS or not isinstance(of, ast.Name) or of.id not in self.branches:
            return self.generic_visit(node)
        if not is_jagged(self.branches[of.id]):
            raise UserError(f"{self.key}: {called}({of.id}) is of branches with a list an event, {of.id} has a value")
        name = f"{called}_of_{of.id}"
        self.columns[name] = _reduced(called, self.branches[of.id])
        return ast.Name(name, ast.Load())


def _reduced(called: str, branch: Branch) -> Shaped[np.ndarray, " n"]:
    """One value an event; NaN of an empty list that has none."""
    import awkward as ak

    if called == "count":
        return np.asarray(ak.to_numpy(ak.num(branch)))
    found = getattr(ak, called)(ak.values_astype(branch, np.float64), axis=1)
    return np.asarray(ak.to_numpy(ak.fill_none(found, np.nan)))


def _parsed(key: str, expression: str) -> ast.Expression:
    try:
        return ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{key}={expression}: this is no expression, such as jet_pt_1 / H_T ({error})") from error


def _is_called(name: ast.Name, tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name.id
        for node in ast.walk(tree)
    )
