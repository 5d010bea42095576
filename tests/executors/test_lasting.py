"""The bytes of a function are kept only while nothing that it uses can have changed."""

from __future__ import annotations

import math
import sys
import threading
from types import FunctionType, ModuleType
from typing import Any, Dict

import cloudpickle
import pytest

from flowdsl.definition.options import Retry
from flowdsl.engine.policy import ONCE
from flowdsl.executors import pickling


def defined(source: str, **space: Any) -> Dict[str, Any]:
    """The names of a notebook in which this was executed."""
    names: Dict[str, Any] = {"__name__": "__main__", **space}
    exec(source, names)
    return names


def kept(function: Any) -> bool:
    return pickling.dump_policy((function, None, ONCE))[0]


def value(function: Any, *args: Any) -> Any:
    """What it returns in another process, which has seen the function before."""
    return pickling.load_policy(*pickling.dump_policy((function, None, ONCE)))[0](*args)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): return x + 1",
        "f = lambda x, y=3: x * y",
        "k = 3\ndef f(x): return math.sin(x) + k",
        "def g(x): return x\ndef f(x: int) -> float: return [g(y) for y in x]",
        "def f(x): return f(x - 1) if x else 0",
        "async def f(x): return x",
        "def outer(n):\n  return lambda x: x + n\nf = outer(5)",
    ],
)
def test_what_uses_nothing_that_changes_is_kept(source: str) -> None:
    assert kept(defined(source, math=math)["f"])


@pytest.mark.parametrize(
    "source",
    [
        "found = []\ndef f(x): found.append(x)",
        "def f(x, seen=[]): seen.append(x)",
        "def f(x):\n  global count\n  count = x",
        "class A: pass\ndef f(x): return A()",
        "def f(x): return x\nf.note = 1",
        "def outer(n):\n  def inner(x):\n    nonlocal n\n    n = [n]\n  inner(0)\n  return inner\nf = outer(5)",
        "def outer(n):\n  def inner(x):\n    nonlocal n\n    n += 1\n    return n\n  return inner\nf = outer(5)",
        "def g(x): return found\nfound = {}\ndef f(x): return g(x)",
    ],
)
def test_what_uses_something_that_changes_is_pickled_every_time(source: str) -> None:
    assert not kept(defined(source)["f"])


def test_a_global_with_another_value_is_noticed_however_deep_it_is() -> None:
    names = defined("k = 3\ndef g(x): return x * k\ndef f(x): return g(x)")
    assert value(names["f"], 2) == 6
    names["k"] = 5
    assert value(names["f"], 2) == 10
    names["g"] = defined("def g(x): return -x")["g"]
    assert value(names["f"], 2) == -2
    del names["g"]
    with pytest.raises(NameError):
        value(names["f"], 2)


def test_a_name_that_appears_later_is_noticed() -> None:
    names = defined("def f(x): return len(x)")
    assert value(names["f"], "abc") == 3
    names["len"] = defined("def len(x): return 77")["len"]
    assert value(names["f"], "abc") == 77


def test_new_code_new_defaults_and_new_cells_are_noticed() -> None:
    names = defined(
        "def f(x, y=1): return x + y\ndef outer(n):\n  def put(m):\n    nonlocal n\n    n = m\n  return n, put"
    )
    f: FunctionType = names["f"]
    assert value(f, 1) == 2
    f.__defaults__ = (10,)
    assert value(f, 1) == 11
    f.__code__ = defined("def f(x, y=1): return x * y")["f"].__code__
    assert value(f, 3) == 30
    cell = 1
    inner = lambda: cell  # noqa: E731
    assert value(inner) == 1
    cell = 2
    assert value(inner) == 2


def test_a_verify_and_a_retry_of_ones_own_count_too() -> None:
    names = defined("def f(): return 1\ndef good(x): return x\nlimits = [1]\ndef bad(x): return x in limits")
    assert pickling.dump_policy((names["f"], names["good"], ONCE))[0]
    assert not pickling.dump_policy((names["f"], names["bad"], ONCE))[0]
    assert not pickling.dump_policy((names["f"], None, Retry(1, retry_on=OSError)))[0]


def test_what_cannot_be_pickled_is_still_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="lock"):
        pickling.dump_policy((lambda: lock, None, ONCE))


def test_a_module_that_travels_by_value_makes_no_other_change_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    names: Dict[str, Any] = {"__name__": "typed_here", "math": math}
    module = ModuleType("typed_here")
    module.__dict__.update(names)
    exec("k = [1]\ndef f(x): return math.sin(x)\ndef g(x): return k", module.__dict__)
    monkeypatch.setitem(sys.modules, "typed_here", module)
    assert kept(module.f) and kept(module.g)
    pickling.by_value(module)
    try:
        assert kept(module.f) and not kept(module.g)
        assert kept(defined("def f(x): return math.sin(x)", math=math)["f"])
        monkeypatch.delitem(sys.modules, "typed_here")
        assert value(module.f, 0.0) == 0.0
    finally:
        cloudpickle.unregister_pickle_by_value(module)
