"""The versions that an attempt depended on: Python, flowdsl, and the packages that its code uses."""

from __future__ import annotations

import dis
import importlib.util
import os
import platform
import sys
import sysconfig
from functools import lru_cache
from importlib import metadata
from types import CodeType, ModuleType
from typing import Any, Dict, Iterable, Iterator, Set

import flowdsl
from flowdsl.orchestrator.capsule_code import names_in
from flowdsl.views.users_line import is_foreign

__all__ = ["environment_of"]

_STANDARD = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))


def environment_of(functions: Iterable[Any], types: Iterable[str] = ()) -> Dict[str, str]:
    """Versions by name: "python", "platform", "flowdsl", and each installed package that the functions use.

    `types` are names of types, `pandas.DataFrame`, whose packages count as used.
    """
    found = {"python": platform.python_version(), "platform": platform.platform(), "flowdsl": flowdsl.__version__}
    used: Set[str] = {name.partition(".")[0] for name in types if "." in name}
    for function in functions:
        used.update(_modules(function))
    for package in sorted(used - {"flowdsl", "__main__", "builtins"}):
        version = _version(package)
        if version:
            found[package] = version
    return found


def _modules(function: Any) -> Iterator[str]:
    """The top-level names of the modules that a function imports or reaches by name."""
    for _, value in names_in(function):
        module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(module, str):
            yield module.partition(".")[0]
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        yield from _imported(code)


@lru_cache(maxsize=4096)
def _imported(code: CodeType) -> Iterable[str]:
    own = [one.argval for one in dis.get_instructions(code) if one.opname == "IMPORT_NAME" and one.argval]
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _imported(const)]
    return tuple(dict.fromkeys([str(name).partition(".")[0] for name in own] + inner))


@lru_cache(maxsize=1024)
def _version(package: str) -> str:
    """The version of an installed package; empty for the standard library and for the user's own modules."""
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None) if module is not None else _origin(package)
    if not isinstance(file, str) or not is_foreign(file) or _is_standard(file):
        return ""
    said = getattr(module, "__version__", None)
    if isinstance(said, str):
        return said
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _is_standard(file: str) -> bool:
    return file.startswith(_STANDARD) and "site-packages" not in file and "dist-packages" not in file


def _origin(package: str) -> Any:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None
