"""Columns by expressions, `m_jj / H_T` or `sum(jet_pt)`: numexpr evaluates them, and no Python is run.

Arithmetic, comparisons, `&`, `|`, `~`, and numexpr's functions of a value an event: `where(a, b, c)`, `sqrt`, `log`,
`arctan2`. Of a branch with a list an event `count`, `sum`, `mean`, `min` and `max` are the event's. Nothing else is
handed on: numexpr's own sums are over all events, which is never meant here.
"""

import ast
import logging
from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from igbaselines.common.errors import UserError, said_by
from igbaselines.studies.hep.data.ntuple.files import Branch, is_jagged

OVER_LISTS = ("count", "sum", "mean", "min", "max")
OF_AN_EVENT = (  # numexpr's functions of numbers
    *("where", "abs", "sign", "floor", "ceil", "round", "trunc", "fmod", "hypot", "minimum", "maximum", "copysign"),
    *("sqrt", "exp", "expm1", "log", "log10", "log2", "log1p", "isnan", "isinf", "isfinite", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
)
ALLOWED: tuple[type[ast.AST], ...] = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant),
    *(ast.operator, ast.unaryop, ast.cmpop, ast.expr_context),
)


def names_in(key: str, expression: str) -> set[str]:
    """The names of branches in an expression, `key` in the configuration.

    Raises:
        UserError: where it is none.
    """
    tree = _parsed(key, expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def evaluate(key: str, expression: str, branches: Mapping[str, Branch], events: int) -> Shaped[np.ndarray, " n"]:
    """The value of an expression in every event; a number alone is that of all.

    Raises:
        UserError: naming the key, for what numexpr does not know or a branch that is not there.
    """
    import numexpr

    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it tells of its threads
    tree = _parsed(key, expression)
    columns = {name: branch for name, branch in branches.items() if not is_jagged(branch)}
    reduced = _Reduced(f"{key}={expression}", branches, columns)
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
        raise UserError(f"{key}={expression}: numexpr cannot evaluate it ({said_by(error)})") from error
    return np.broadcast_to(found, (events,)).copy() if found.ndim == 0 else found


class _Reduced(ast.NodeTransformer):
    """Puts columns in the place of `sum(jet_pt)` and its like, and lets no other function of lists through."""

    def __init__(self, key: str, branches: Mapping[str, Branch], columns: dict[str, Branch]) -> None:
        self.key, self.branches, self.columns = key, branches, columns

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A column, or the call as it is."""
        called, of = ast.unparse(node.func), node.args[0] if len(node.args) == 1 else None
        if called in OF_AN_EVENT:
            node.args = [self.visit(one) for one in node.args]
            return node
        if called not in OVER_LISTS:
            known = ", ".join((*OVER_LISTS, *OF_AN_EVENT))
            raise UserError(f"{self.key}: {called} is no function here; there are {known}")
        if not isinstance(of, ast.Name) or of.id not in self.branches or not is_jagged(self.branches[of.id]):
            raise UserError(
                f"{self.key}: {ast.unparse(node)}: {called} is of one branch with a list an event, such as "
                f"{called}(jet_pt); of two values it is minimum(a, b) or maximum(a, b)"
            )
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
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{key}={expression}: this is no expression, such as jet_pt_1 / H_T ({error})") from error
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and not isinstance(node.value, int | float)
        if not isinstance(node, ALLOWED) or is_text or getattr(node, "keywords", []):
            raise UserError(f"{key}={expression}: {ast.unparse(node)} is none of numbers, branches, functions, & and |")
    return tree
