"""The one schema of the frames: which columns there are, of which dtype, and how plain values become them.

The dtypes are given here in full and never left to inference, because pandas 2.0 to 3.x infer differently, and
because the frames of many runs, full or empty, must concatenate to the very same dtypes.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from flowdsl.engine.states import CAUSES, MECHANISMS, TASK_STATES

__all__ = [
    "ATTEMPTS", "EVENTS", "OF_A_RUN", "OF_A_TASK", "TASKS", "UNIT",
    "Column", "build_frame", "columns", "dtype_of", "frame_of_rows", "map_indices",
]  # fmt: skip

# pandas 2.0 keeps microseconds only half way (it goes back to nanoseconds in many places): there the unit is ns.
UNIT = "ns" if pd.__version__.startswith("2.0.") else "us"

_CATEGORIES: Mapping[str, Tuple[str, ...]] = {
    "state": TASK_STATES,  # those of a run and of an attempt are among them
    "cause": tuple(CAUSES),
    "mechanism": tuple(MECHANISMS),
}
# The storage is named, because "string" alone means another dtype wherever pyarrow happens to be installed.
_DTYPES: Dict[str, Any] = {
    "time": pd.DatetimeTZDtype(UNIT, "UTC"),
    "integer": pd.Int64Dtype(),
    "float": np.dtype("float64"),
    "bool": np.dtype("bool"),
    "string": pd.StringDtype("python"),
    **{kind: pd.CategoricalDtype(list(words)) for kind, words in _CATEGORIES.items()},
}


class Column(NamedTuple):
    """A column by its name and the kind of value that it holds."""

    name: str
    kind: str  # a key of _DTYPES


def columns(text: str) -> Tuple[Column, ...]:
    """Columns from `name:kind` words; a name alone is its own kind."""
    return tuple(Column(name, kind or name) for name, _, kind in (word.partition(":") for word in text.split()))


OF_A_RUN = columns("run_id:string flow:string")
OF_A_TASK = columns("run_id:string flow:string task:string map_index:integer")
TASKS = OF_A_TASK + columns(
    "state cause cause_task:string attempts:integer queued_at:time started_at:time ended_at:time"
    " wait_s:float duration_s:float worker:string error:string"
)
ATTEMPTS = OF_A_TASK + columns(
    "attempt:integer state cause mechanism queued_at:time started_at:time ended_at:time wait_s:float duration_s:float"
    " cpu_s:float worker:string pid:integer error_type:string error:string output_bytes:integer"
)
EVENTS = OF_A_TASK + columns("seq:integer at:time attempt:integer event:string state cause cause_task:string")


def dtype_of(column: Column) -> Any:
    """The dtype that the column has in every frame."""
    return _DTYPES[column.kind]


def build_frame(schema: Sequence[Column], values: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A frame with exactly the columns of `schema`, from a sequence of plain values for each of them.

    None is null everywhere, and so is what the kind of the column cannot hold. Times are seconds since the epoch.
    """
    made = {column.name: _MAKERS[column.kind](values[column.name]) for column in schema}
    frame: pd.DataFrame = pd.DataFrame(made, copy=False)
    return frame


def frame_of_rows(schema: Sequence[Column], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """A frame with exactly the columns of `schema`, from rows that have a value for each of them in that order."""
    names = [column.name for column in schema]
    return build_frame(schema, dict(zip(names, zip(*rows))) if rows else dict.fromkeys(names, ()))


def map_indices(names: Sequence[Optional[str]]) -> List[Optional[int]]:
    """The place in its map of each task instance: 3 for "delays[3]", None for what is no instance.

    Names cannot hold brackets otherwise.
    """
    return [_map_index(name) if name is not None and name[-1:] == "]" else None for name in names]


def _map_index(name: str) -> Optional[int]:
    _, bracket, digits = name[:-1].rpartition("[")
    return int(digits) if bracket and digits.isascii() and digits.isdigit() and len(digits) < 19 else None


# ---- one maker a kind; long columns are the normal case, so each is a few passes in C


def _times(seconds: Sequence[Optional[float]]) -> Any:
    array = _floats(seconds)
    known = ~np.isnan(array)
    micros = np.full(len(array), np.iinfo("int64").min, dtype="int64")  # NaT
    micros[known] = np.rint(array[known] * 1e6)
    instants = micros.view("datetime64[us]").astype(f"datetime64[{UNIT}]")
    return pd.DatetimeIndex(instants).tz_localize("UTC")


def _integers(values: Any) -> Any:
    try:
        return pd.array(values if isinstance(values, np.ndarray) else list(values), dtype="Int64")
    except (TypeError, ValueError, OverflowError):  # a journal from elsewhere may say anything
        return pd.array([_whole(value) for value in values], dtype="Int64")


def _whole(value: Any) -> Optional[int]:
    return value if type(value) is int and abs(value) < 2**63 else None


def _floats(values: Sequence[Optional[float]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        array = np.asarray(values, dtype="float64")
    except (TypeError, ValueError, OverflowError):
        array = np.empty((0, 0))
    return array if array.ndim == 1 else np.asarray([_number(value) for value in values], dtype="float64")


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else math.nan


def _strings(values: Sequence[Optional[str]]) -> Any:
    texts = [text if type(text) is str or text is None else str(text) for text in values]
    return pd.array(np.asarray(texts, dtype=object), dtype=_DTYPES["string"])


def _bools(values: Sequence[bool]) -> Any:
    return np.asarray(values, dtype="bool")


def _words(kind: str) -> Callable[[Sequence[str]], Any]:
    code_of = {word: code for code, word in enumerate(_CATEGORIES[kind])}.get

    def make(words: Sequence[str]) -> Any:
        codes = np.fromiter((code_of(word, -1) for word in words), dtype="int8", count=len(words))
        return pd.Categorical.from_codes(codes, dtype=_DTYPES[kind])

    return make


_MAKERS: Dict[str, Callable[[Any], Any]] = {
    "time": _times,
    "integer": _integers,
    "float": _floats,
    "bool": _bools,
    "string": _strings,
    **{kind: _words(kind) for kind in _CATEGORIES},
}
