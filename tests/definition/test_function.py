"""Which callables can be a task, what they are called, and which are coroutine functions."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Iterator

import pytest

from flowdsl import DefinitionError, Flow
from flowdsl.definition.function import check_function, first_line, is_async, name_of


class Model:
    """A model."""

    def fit(self, data: Any) -> Any:
        return data

    def rows(self, data: Any) -> Iterator[Any]:
        yield data

    async def fetch(self, data: Any) -> Any:
        return data

    @staticmethod
    def loose(data: Any) -> Any:
        return data


class Asynchronous:
    async def __call__(self) -> int:
        return 1


class Yielding:
    def __call__(self) -> Iterator[int]:
        yield 1


def generator() -> Iterator[int]:
    yield 1


async def asynchronous_generator() -> Any:
    yield 1


async def coroutine() -> int:
    return 1


def plain() -> int:
    """The first line.

    And more.
    """
    return 1


def make_closure() -> Any:
    def inner(self: Any) -> Any:  # a function that calls its parameter `self`, outside of any class
        return self

    return inner


@pytest.mark.parametrize("value", [3, "clean", None, [plain]])
def test_what_cannot_be_called_is_refused(value: Any) -> None:
    with pytest.raises(DefinitionError, match=r"here: .* cannot be called; put @task above a function"):
        check_function(value, "here")


@pytest.mark.parametrize(
    "function", [generator, asynchronous_generator, Model().rows, Yielding(), functools.partial(generator)], ids=repr
)
def test_a_generator_function_is_refused_with_the_advice_to_return_a_list(function: Any) -> None:
    with pytest.raises(DefinitionError, match="generator function; return a list"):
        check_function(function, "here")


def test_an_undecorated_method_is_refused_with_two_ways_out() -> None:
    with pytest.raises(DefinitionError, match=r"Model.fit is a method.*define it outside the class.*task\(obj.fit\)"):
        check_function(Model.fit, "here")


@pytest.mark.parametrize(
    "function",
    [Model().fit, Model.loose, Model, make_closure(), lambda self: self, functools.partial(Model.fit, None), len],
    ids=repr,
)
def test_bound_methods_classes_closures_and_builtins_are_fine(function: Any) -> None:
    check_function(function, "here")


@pytest.mark.parametrize("function", [coroutine, Model().fetch, Asynchronous(), functools.partial(coroutine)], ids=repr)
def test_a_coroutine_function_of_any_kind_is_known_as_one(function: Any) -> None:
    assert is_async(function)


@pytest.mark.parametrize("function", [plain, Model().fit, Model, Yielding(), functools.partial(plain), len], ids=repr)
def test_a_function_that_is_no_coroutine_function_is_not_taken_for_one(function: Any) -> None:
    assert not is_async(function)


def test_a_task_is_named_after_its_function() -> None:
    assert name_of(plain, "here") == "plain"
    assert name_of(Model().fit, "here") == "fit"
    assert name_of(Model, "here") == "Model"


@pytest.mark.parametrize("function", [lambda: 1, functools.partial(plain), Asynchronous()], ids=repr)
def test_a_callable_without_a_name_of_its_own_has_to_be_given_one(function: Any) -> None:
    with pytest.raises(DefinitionError, match=r'give one: task\(name="..."\)'):
        name_of(function, "here")


def test_the_first_line_of_the_docstring_is_kept() -> None:
    assert first_line(plain) == "The first line."
    assert first_line(functools.partial(plain)) == "The first line."
    assert first_line(coroutine) == ""


@pytest.mark.parametrize("options", [{}, {"timeout": 5}])
def test_a_class_method_is_refused_with_what_to_do(options: Any) -> None:
    def fit(cls: type) -> int:
        return 1

    flow = Flow("methods")
    decorator: Any = flow.task(**options) if options else flow.task
    with pytest.raises(DefinitionError, match=r"fit is a class method.*task\(TheClass.fit\)"):
        decorator(classmethod(fit))


def test_a_static_method_is_a_function(log_dir: Path) -> None:
    flow = Flow("methods", log_dir=log_dir)

    class Place:
        @flow.task
        @staticmethod
        def fit() -> int:
            return 1

    assert flow.run(display=None)["fit"] == 1
