"""Whether two definitions are taken for the same."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from flowdsl import Flow
from flowdsl.definition.alike import alike


def spec_of(function: Callable[..., Any]) -> Any:
    return Flow("one").task("x")(function).spec


def made(source: str) -> Any:
    space: Any = {}
    exec(source, space)
    return spec_of(space["x"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def x(a, b=1): return a + b", "\n\n# moved\ndef x(a, b=1):\n    return a + b  # and remarked"),
        ("def x(): return [n for n in range(3)]", "\ndef x(): return [n for n in range(3)]"),
        ("def x(f=lambda: 1): return f", "def x(f=lambda: 1): return f"),
    ],
)
def test_code_that_only_moved_is_the_same(one: str, other: str) -> None:
    assert alike(made(one), made(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def x(): return 1", "def x(): return True"),
        ("def x(): return 0.0", "def x(): return -0.0"),
        ("def x(a): return a.b", "def x(a): return a.c"),
        ("def x(a=1): return a", "def x(a=2): return a"),
        ("def x(*, a=1): return a", "def x(*, a=1.0): return a"),
        ("def x(a=[1]): return a", "def x(a=[1]): return a"),
        ("def x(): return [n for n in range(3)]", "def x(): return [n + 1 for n in range(3)]"),
        ("def x(): pass", "async def x(): pass"),
        ("def x(f=lambda: 1): return f", "def x(f=lambda: 2): return f"),
        ("def x():\n try: a(); b()\n except E: c()", "def x():\n a()\n try: b()\n except E: c()"),
    ],
)
def test_code_that_may_do_something_else_is_not(one: str, other: str) -> None:
    assert not alike(made(one), made(other))


def test_a_task_that_is_mapped_does_not_what_it_does_unmapped() -> None:
    def x(a: Any) -> Any:
        return a

    flow = Flow("one")
    assert not alike(flow.task(name="x", map="a")(x).spec, flow.task(name="y")(x).spec)
    assert alike(flow.task(name="x", map="a")(x).spec, flow.task(name="y", map=["a"])(x).spec)


def test_what_a_function_closes_over_counts() -> None:
    def maker(n: Any) -> Any:
        return spec_of(lambda: n)

    assert alike(maker(1), maker(1))
    assert not alike(maker(1), maker(2))
    assert not alike(maker([]), maker([]))


def test_callables_without_code_are_the_same_only_as_the_same_object() -> None:
    from functools import partial

    one = partial(print, 1)
    assert alike(spec_of(one), spec_of(one))
    assert not alike(spec_of(one), spec_of(partial(print, 1)))
