"""Which networks a function holds: searched for without computing anything, wherever Python keeps references."""

import gc
import logging
import sys
import sysconfig
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from types import CodeType, FunctionType, ModuleType

from torch import Tensor, nn

MOST_PARTS = 5000  # of a function that are looked at: what it calls of others shows itself by the calls
HOLD_NOTHING = (str, bytes, int, float, complex, Tensor, ModuleType, CodeType, logging.Logger, type(None))
OF_ALL_MODULES = vars(nn.Module()).keys()


def held_by(f: object) -> tuple[list[nn.Module], bool]:
    """Modules within reach of f, the nearest first, those below them left out; and whether torch compiles any of it."""
    held, compiled = list[nn.Module](), False
    todo, seen = deque([f]), dict[int, object]()
    while todo and len(seen) < MOST_PARTS:
        part = todo.popleft()
        if id(part) in seen or isinstance(part, HOLD_NOTHING):
            continue
        seen[id(part)] = part
        if isinstance(part, nn.Module):
            below = list(part.modules())  # the first is itself, even of a weak proxy
            seen |= {id(module): module for module in below}
            held.append(below[0])
            for module in below:
                todo.extend(value for name, value in vars(module).items() if name not in OF_ALL_MODULES)
            todo.extend({kind for kind in map(type, below) if not _is_of_library(kind.__module__)})
        else:
            compiled = compiled or "_torchdynamo_orig_callable" in _attributes(part)
            todo.extend(_parts(part))
    return held, compiled


def _parts(whole: object) -> Iterable[object]:
    """What a function, a class, a container or any other object refers to."""
    if isinstance(whole, type):
        own = [kind for kind in whole.__mro__ if not _is_of_library(kind.__module__)]
        return [value for kind in own for value in vars(kind).values()]
    if isinstance(whole, FunctionType):
        return _parts_of_function(whole)
    if isinstance(whole, weakref.ref):
        return (whole(),)
    if isinstance(whole, ContextVar):
        return (whole.get(None),)
    if str(type(whole).__module__).startswith("torch"):
        return ()  # operators, which refer to much
    # Attributes, slots, keys, values, arguments, and the class; of threads' own values only `__dict__` knows.
    return *gc.get_referents(whole), *_attributes(whole).values()


def _attributes(whole: object) -> Mapping[str, object]:
    with suppress(Exception):  # objects have none, or make them up
        return vars(whole)
    return {}


def _parts_of_function(function: FunctionType) -> Iterator[object]:
    yield function.__defaults__
    yield function.__kwdefaults__
    yield function.__dict__
    closure = dict[str, object]()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not yet filled
            closure[name] = cell.cell_contents
    yield from closure.values()
    if _is_of_library(function.__globals__.get("__name__", "")):
        return
    codes: list[CodeType] = [function.__code__]
    for code in codes:  # grows: comprehensions and inner functions have codes of their own
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    names = {name for code in codes for name in (*code.co_names, *code.co_freevars)}
    # What names may mean, also after an import inside the function; grows by Python modules, of what is named in them.
    spaces = [function.__globals__, closure, sys.modules]
    for space in spaces:
        for value in [space[name] for name in names if name in space]:
            if not isinstance(value, ModuleType):
                yield value
            elif not _is_of_library(value.__name__) and all(vars(value) is not known for known in spaces):
                spaces.append(vars(value))


@cache
def _is_of_library(module: str) -> bool:
    """Whether what a Python module defines is installed, or ours: libraries keep no network of the user's."""
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return module in sys.builtin_module_names
    return file.startswith(sysconfig.get_path("stdlib")) or "site-packages" in file or "dist-packages" in file
