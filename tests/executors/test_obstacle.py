"""What an error says of a call or a result that cannot be pickled: which variable it was, and what to do."""

from __future__ import annotations

import threading
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl.definition.options import Retry
from flowdsl.executors import obstacle, payload
from flowdsl.executors.outcome import Call

CELL = """
import threading
lock = threading.Lock()
class Holder:
    def __init__(self): self.inner = {"a": [1, lock]}
    def work(self): return 1
class Locked:
    guard = lock
holder = Holder()
class Unused:
    lock = None
def direct(unused=Unused): return unused.lock, lock
def other(unused=Unused): return unused.lock
def helper(): return direct()
def inner(): return [lock for _ in range(2)]
def default(x, y=lock): pass
def keyword(x, *, y=lock): pass
def nested(): return holder
def classed(): return Locked
def lists(): return many
def again(): return again, lock
many = [lock]
marked = lambda: 1
marked.note = lock
"""


@pytest.fixture
def cell() -> Dict[str, Any]:
    """What a cell of a notebook defines."""
    names: Dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, names)
    return names


def refused(function: Any, *args: Any, verify: Any = None, retry: Any = None, **kwargs: Any) -> str:
    with pytest.raises(payload.Unpicklable) as told:
        payload.pack("t", 1, Call(function, args, kwargs, verify, retry or Retry(0)))
    return str(told.value)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("direct", "global 'lock' (lock) of its function"),
        ("helper", "global 'lock' (lock) of global 'direct' of its function"),
        ("inner", "global 'lock' (lock) of its function"),
        ("default", "default of parameter 'y' (lock) of its function"),
        ("keyword", "default of parameter 'y' (lock) of its function"),
        ("nested", "item 1 (lock) of item 'a' (list) of attribute 'inner' (dict) of global 'holder' (Holder) of"),
        ("classed", "attribute 'guard' (lock) of global 'Locked' (type) of its function"),
        ("lists", "item 0 (lock) of global 'many' (list) of its function"),
        ("again", "global 'lock' (lock) of its function"),
        ("marked", "attribute 'note' (lock) of its function"),
    ],
)
def test_what_a_function_uses_is_named_with_its_type_and_what_to_do(
    name: str, where: str, cell: Dict[str, Any]
) -> None:
    said = refused(cell[name])
    assert said.startswith("task 't' cannot be sent to another process: %s" % where)
    why = "cannot be pickled: cannot pickle '_thread.lock' object; "
    assert said.endswith(why + "make it inside the function, or run the task in a thread")


def test_an_attribute_of_the_name_of_a_global_is_not_taken_for_it(cell: Dict[str, Any]) -> None:
    assert payload.pack("t", 1, Call(cell["other"], (), {}))


def test_a_variable_of_the_function_around_it_is_named(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        assert "outer variable 'file' (TextIOWrapper) of its function cannot" in refused(lambda: file.write("x"))


def test_other_callables_are_looked_into(cell: Dict[str, Any]) -> None:
    lock = cell["lock"]
    assert "argument 1 (lock) of its function (partial)" in refused(partial(print, lock))
    assert "argument 'end' (lock) of its function (partial)" in refused(partial(print, end=lock))
    assert "of the object (Holder) of its function (method)" in refused(cell["holder"].work)
    assert "global 'lock' (lock) of the function of its function" in refused(lru_cache(None)(cell["direct"]))


def test_verify_and_the_classes_to_retry_are_parts_of_a_call(cell: Dict[str, Any]) -> None:
    assert "global 'lock' (lock) of verify cannot" in refused(print, verify=cell["direct"])
    error = type("Error", (Exception,), {"__module__": "__main__", "guard": cell["lock"]})
    assert "attribute 'guard' (lock) of retry_on (type) cannot" in refused(print, retry=Retry(1, retry_on=error))


def test_an_argument_is_named_as_the_parameter_that_takes_it() -> None:
    def takes(one: Any, two: Any = 0, *more: Any) -> None: ...

    lock = threading.Lock()
    assert ": argument 'two' (lock) cannot be pickled" in refused(takes, 1, lock)
    assert ": item 'k' (lock) of argument 'one' (dict) cannot be pickled" in refused(takes, {"k": lock})
    assert ": argument 3 (lock) cannot be pickled" in refused(takes, 1, 2, lock)
    assert ": argument 'x' (lock) cannot be pickled" in refused(print, x=lock)
    assert "(lock) cannot be pickled" in refused(dict.get, {}, lock)


def test_a_part_of_a_result_is_named() -> None:
    answer = payload.unpack(payload.work(payload.pack("t", 1, Call(lambda: {"a": threading.Lock()}, (), {}))))
    assert answer.outcome.error.startswith("item 'a' (lock) of the result, of type dict, cannot be pickled: ")


def test_what_is_nested_without_end_ends_the_search() -> None:
    deep: List[Any] = []
    for _ in range(100_000):
        deep = [deep]
    found = obstacle.of_value("it", deep)
    assert found is not None and found.where == "it"
    loop: List[Any] = [threading.Lock()]
    loop.insert(0, loop)
    found = obstacle.of_value("it", loop)
    assert found is not None and found.where == "item 1 (lock) of it"


def test_an_object_that_pickles_itself_is_answered_for_as_a_whole() -> None:
    class Own:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __reduce__(self) -> Any:
            raise ValueError("not now")

    assert "argument 'x' (%s) cannot be pickled: not now;" % Own.__qualname__ in refused(print, x=Own())


def test_the_cause_begins_at_the_users_line() -> None:
    class Own:
        def __reduce__(self) -> Any:
            raise ValueError("not now")

    with pytest.raises(payload.Unpicklable) as told:
        payload.pack("t", 1, Call(print, (Own(),), {}))
    trace = told.value.__cause__.__traceback__  # type: ignore[union-attr]
    assert trace is not None and trace.tb_frame.f_code.co_name == "__reduce__"
