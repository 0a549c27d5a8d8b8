"""What a dataclass's fields take, said once, at the fields: checked before anything is built or worked with.

Their types say most: whole numbers are whole and fit 32 bits, numbers are finite, an object is a node with a `_target_`
that has what its protocol asks for. `value` adds what types do not say.
"""

import dataclasses
import math
import numbers
import pkgutil
import re
import types
from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path

TARGET = "_target_"
LISTS, TABLES = (list, Sequence), (dict, Mapping)
LARGEST = 2**31 - 1  # of whole numbers: counts beyond it never end, and libraries count with 32 bits
SEED = f"[0, {2**63 - 1}]"


def value(
    within: str = "",
    *,
    choices: Sequence[str] = (),
    kind: tuple[str, str] | None = None,
    distinct: bool = False,
    file: bool = False,
) -> dict[str, Any]:
    """What is known of a field beside its type: its metadata, `field(metadata=value("[1, )"))`.

    Args:
        within: an interval, such as "[1, )" or "(0, 1]", for each number in it.
        choices: the words that each text in it can be.
        kind: dotted name of the protocol of each object in it, and what that is in words.
        distinct: whether a list may name nothing twice.
        file: whether a text is the path of the user's file or folder.
    """
    return {"within": within, "choices": choices, "kind": kind, "distinct": distinct, "file": file}


def check_values(where: str, kind: type, values: Mapping[str, Any]) -> None:
    """Check the fields of a dataclass, `where` in the configuration: values of a node, or of an object (`vars`).

    Raises:
        UserError: naming the key, what came, and what would do.
    """
    hints = _hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in values:
            _check(
                f"{where}.{field.name}" if where else field.name,
                hints.get(field.name, Any),
                field.metadata,
                values[field.name],
            )


def absolute_files(node: Any) -> None:  # noqa: ANN401 (any YAML)
    """Make the paths of the user's files absolute, in a node and all that are nested in it: a run is known by them."""
    for part in node.values() if isinstance(node, Mapping) else node:
        if isinstance(part, Mapping | Sequence) and not isinstance(part, str):
            absolute_files(part)
    if isinstance(node, MutableMapping) and TARGET in node:
        for field in dataclasses.fields(pkgutil.resolve_name(node[TARGET])):
            text = node.get(field.name)
            if field.metadata.get("file") and isinstance(text, str):
                node[field.name] = str(as_path(text).absolute())


def _check(key: str, hint: Any, limits: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401
    if (origin := get_origin(hint)) in (Union, types.UnionType):
        _check_any(key, get_args(hint), limits, value)
    elif (origin or hint) in LISTS:
        _check_list(key, hint, limits, value)
    elif (origin or hint) in TABLES:
        _check_table(key, hint, limits, value)
    elif hint in (int, float):
        _check_number(key, hint, limits.get("within", ""), value)
    elif hint in (str, bool):
        if not isinstance(value, hint):
            raise UserError(f"{key} must be {'true or false' if hint is bool else 'a text'}, got {_told(value)}")
        if limits.get("choices") and value not in limits["choices"]:
            raise UserError(f"{key}={value} is unknown: {' or '.join(limits['choices'])}")
    elif hint is Any and not limits.get("kind"):
        _check_nested(key, value)
    elif isinstance(hint, type) or hint is Any:
        protocol, example = limits.get("kind") or ("", "")
        _check_object(key, pkgutil.resolve_name(protocol) if protocol else hint, example, value)


def _check_any(key: str, hints: Sequence[Any], limits: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401
    """One of the types of a union will do; the first says what is wrong."""
    if value is None and type(None) in hints:
        return None
    errors = []
    for hint in (hint for hint in hints if hint is not type(None)):
        try:
            return _check(key, hint, limits, value)
        except UserError as error:
            errors.append(str(error))
    or_null = ", or null" if type(None) in hints else ""
    raise UserError(errors[0].replace(", got", f"{or_null}, got", 1))


def _check_list(key: str, hint: Any, limits: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401
    if not isinstance(value, list | tuple):
        raise UserError(f"{key} must be a list, such as [1, 2], got {_told(value)}")
    for part in value:
        _check(key, (get_args(hint) or (Any,))[0], limits, part)
        if limits.get("distinct") and value.count(part) > 1:
            raise UserError(f"{key} has {part} {value.count(part)} times, once is enough")


def _check_table(key: str, hint: Any, limits: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise UserError(f"{key} must be a table of names, got {_told(value)}")
    for name, part in value.items():
        _check(f"{key}.{name}", (get_args(hint) or (Any,))[-1], limits, part)


def _check_number(key: str, hint: type, within: str, value: Any) -> None:  # noqa: ANN401
    is_one = isinstance(value, numbers.Integral if hint is int else numbers.Real) and not isinstance(value, bool)
    if not is_one:
        raise UserError(f"{key} must be a {'whole ' if hint is int else ''}number, got {_told(value)}")
    if not abs(value) < math.inf:
        raise UserError(f"{key} must be a finite number, got {value}")
    ends = re.fullmatch(r"([\[(])\s*(\S*?)\s*,\s*(\S*?)\s*([\])])", within or "[,]")
    assert ends is not None, within
    least, most = float(ends[2] or -math.inf), float(ends[3] or math.inf)
    if hint is int and not ends[3] and abs(value) > LARGEST:
        raise UserError(f"{key} must lie in [{ends[2] or -LARGEST}, {LARGEST}], got {value}")
    is_above = value > least or (value == least and ends[1] == "[")
    is_below = value < most or (value == most and ends[4] == "]")
    if not (is_above and is_below):
        raise UserError(f"{key} must {_words(ends, hint, is_above)}, got {value}")


def _words(ends: "re.Match[str]", hint: type, is_above: bool) -> str:
    """Say an interval, of whole numbers the end that matters."""
    if ends[2] and ends[3] and hint is float:
        return f"lie in {ends[0]}"
    if is_above:
        return f"be at most {ends[3]}"
    return "be positive" if (ends[1], ends[2]) == ("(", "0") else f"be at least {ends[2]}"


def _check_object(key: str, kind: type, example: str, value: Any) -> None:  # noqa: ANN401
    """A node that builds what has the members of a protocol, or an object that has them."""
    found = value
    if isinstance(value, Mapping):
        if TARGET not in value and dataclasses.is_dataclass(kind):
            return check_values(key, kind, value)
        found = pkgutil.resolve_name(value[TARGET]) if TARGET in value else None
        _check_nested(key, value)
    if not _is_one(found, kind):
        what = example or f"a {kind.__name__}"
        raise UserError(f"{key} must be a node with the _target_ of {what}, got {_told(value)}")
    return None


def _is_one(found: Any, kind: type) -> bool:  # noqa: ANN401
    """Whether a class, or an object, is of a kind: by its members where that is a protocol."""
    if found is None or isinstance(found, str | int | float | list):
        return False
    if getattr(kind, "_is_protocol", False):
        return all(hasattr(found, name) for name in vars(kind) if not name.startswith("_"))
    return issubclass(found if isinstance(found, type) else type(found), kind)


def _check_nested(key: str, value: Any) -> None:  # noqa: ANN401
    """Check the nodes in a value of which no more is known."""
    if isinstance(value, Mapping):
        if TARGET in value:
            return check_values(key, pkgutil.resolve_name(value[TARGET]), value)
        for name, part in value.items():
            _check_nested(f"{key}.{name}", part)
    elif isinstance(value, list):
        for part in value:
            _check_nested(key, part)
    return None


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of the fields; those that only a type checker imports are not looked at."""
    try:
        return get_type_hints(kind)
    except NameError:
        return {field.name: Any if isinstance(field.type, str) else field.type for field in dataclasses.fields(kind)}


def _told(value: Any) -> str:  # noqa: ANN401
    """A value as YAML has it, in a line that is not long."""
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    text = text or (f"the node of {value[TARGET]}" if isinstance(value, Mapping) and TARGET in value else str(value))
    return " ".join(text.split())[:120] or "nothing"
