"""Digests of values: what tells whether an input is the one that it was, without keeping it.

Equal digests mean equal values. Different ones mean different values for numbers, text, containers of
those, frames and arrays; for other objects they may also come from another order of pickling.
"""

from __future__ import annotations

import sys
from typing import Any

from flowdsl.storage.sealed import digest, pickled

__all__ = ["type_name", "value_digest"]


def type_name(value: Any) -> str:
    """The name of the value's type, with its module unless it is a builtin; with its shape where it has one."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    shape = getattr(value, "shape", None)
    return "%s %s" % (name, "×".join(map(str, shape))) if type(shape) is tuple and shape else name


def value_digest(value: Any) -> str:
    """A digest of the value under the user's key; empty for what cannot be pickled."""
    try:
        return digest(type_name(value).encode() + b"\0" + _content(value))
    except Exception:  # whatever the value's own code raises: a digest is never worth an error
        return ""


def _content(value: Any) -> bytes:
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")  # if it is one of theirs, they are there
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        return _of_frame(pandas, value)
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype != object:
        return str(value.dtype).encode() + bytes(numpy.ascontiguousarray(value).tobytes())
    try:
        return _plain(value).encode("utf-8", "surrogatepass")
    except (TypeError, RecursionError):
        return pickled(value)


def _plain(value: Any) -> str:
    """A text that says the value; TypeError where it is more than builtin types."""
    kind = type(value)
    if kind in (type(None), bool, int, float, str, bytes):
        return repr(value)
    if kind in (list, tuple):
        return "%s(%s)" % (kind.__name__, ",".join(map(_plain, value)))
    if kind in (set, frozenset):
        return "%s(%s)" % (kind.__name__, ",".join(sorted(map(_plain, value))))
    if kind is dict:
        return "dict(%s)" % ",".join(sorted("%s:%s" % (_plain(key), _plain(one)) for key, one in value.items()))
    raise TypeError(kind)


def _of_frame(pandas: Any, frame: Any) -> bytes:
    try:
        hashes = pandas.util.hash_pandas_object(frame).to_numpy().tobytes()
    except TypeError:  # cells that cannot be hashed
        return pickled(frame)
    names = list(frame.columns) if hasattr(frame, "columns") else [frame.name]
    dtypes = list(frame.dtypes) if hasattr(frame, "columns") else [frame.dtype]
    return repr((names, list(map(str, dtypes)), str(frame.index.dtype))).encode() + bytes(hashes)
