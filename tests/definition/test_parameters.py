"""The parameters of every kind of callable, as `inspect.signature` sees them."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, List

import pytest

from flowdsl.definition.parameters import VAR_KEYWORD, VAR_POSITIONAL, Parameter, as_written, parameters_of


class Scaler:
    def __init__(self, factor: int = 2) -> None:
        self.factor = factor

    def __call__(self, data: Any, *, by: int = 1) -> Any:
        return data * by

    def method(self, data: Any) -> Any:
        return data

    @classmethod
    def made(cls, data: Any) -> Any:
        return cls(data)

    @staticmethod
    def loose(data: Any, more: Any = None) -> Any:
        return data


def several(a: Any, b: Any = 1, *rest: Any, c: Any, d: Any = 2, **more: Any) -> Any:
    return a


def none() -> None: ...


def only_keywords(*, a: Any, b: Any = None) -> None: ...


def defaults_of_none(a: Any = None, b: Any = None) -> None: ...


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


namespace: dict = {}  # type: ignore[type-arg]
exec("def by_place(a, b=3, /, c=4): return a", namespace)

CALLABLES: List[Callable[..., Any]] = [
    several,
    none,
    only_keywords,
    defaults_of_none,
    namespace["by_place"],
    lambda x, y=3: x,
    logged(several),
    logged(logged(only_keywords)),
    functools.partial(several, 1),
    functools.partial(several, b=5),
    functools.partial(functools.partial(several, 1), c=5),
    Scaler(),
    Scaler,
    Scaler().method,
    Scaler.made,
    Scaler.loose,
    len,
    sorted,
]


@pytest.mark.parametrize("function", CALLABLES, ids=repr)
def test_the_parameters_are_those_of_the_signature(function: Callable[..., Any]) -> None:
    expected = [
        Parameter(p.name, int(p.kind), p.default is not p.empty, None if p.default is p.empty else p.default)
        for p in inspect.signature(function).parameters.values()
    ]
    assert list(parameters_of(function)) == expected


def test_functions_with_one_body_share_their_parameters_but_not_their_defaults() -> None:
    plain = [lambda a, b: a for _ in range(2)]
    assert parameters_of(plain[0]) is parameters_of(plain[1])
    with_default = [lambda a, b=number: a for number in range(2)]
    assert [parameters_of(function)[1].default for function in with_default] == [0, 1]


def test_a_callable_that_hides_its_signature_takes_anything() -> None:
    with pytest.raises(ValueError):
        inspect.signature(dict.fromkeys.__self__)  # `dict` itself shows none
    assert [parameter.kind for parameter in parameters_of(dict)] == [VAR_POSITIONAL, VAR_KEYWORD]


@pytest.mark.parametrize(
    "function",
    [
        lambda: None,
        lambda a, b=1: None,
        lambda a, /: None,
        lambda a, b=1, /, c=2, *rest, d, e=3, **more: None,
        lambda a, *, b: None,
        lambda *, b=1, **more: None,
    ],
)
def test_parameters_are_written_as_in_the_signature(function: Callable[..., Any]) -> None:
    assert "(%s)" % ", ".join(as_written(parameters_of(function), repr)) == str(inspect.signature(function))
