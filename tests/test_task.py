"""`@task` and the Task it leaves: still the function, checked when it is defined, replaced when it is defined again."""

from __future__ import annotations

import functools
import inspect
import pickle
import sys
import types
import warnings
from typing import Any, Dict, Iterator, List

import pytest

import flowdsl
from flowdsl import ConfigError, CycleError, DefinitionError, Flow, Retry, Task, current_flow, task
from flowdsl.definition.options import INHERIT


@pytest.fixture(autouse=True)
def empty_module_flow() -> Iterator[Flow]:
    """The flow of this very module, without tasks."""
    flow = current_flow()
    for name in list(flow):
        del flow[name]
    yield flow


@pytest.fixture
def etl() -> Flow:
    return Flow("etl")


# ---- it stays the function


def test_a_task_can_be_called_like_its_function(etl: Flow) -> None:
    @etl.task
    def add(a: int, b: int = 1, *rest: int, c: int = 0) -> int:
        return a + b + sum(rest) + c

    assert add(1) == 2
    assert add(1, 2, 3, c=4) == 10


def test_a_task_has_the_name_the_documentation_and_the_signature_of_its_function(etl: Flow) -> None:
    def clean(flights: List[int], *, level: int = 1) -> List[int]:
        """Drop what is not known.

        In place of nothing.
        """
        return flights

    clean.author = "me"  # type: ignore[attr-defined]
    made = etl.task(clean)
    assert made.__wrapped__ is clean
    assert (made.__name__, made.__qualname__, made.__module__) == (clean.__name__, clean.__qualname__, __name__)
    assert made.__doc__ == clean.__doc__
    assert inspect.signature(made) == inspect.signature(clean)
    assert made.author == "me"
    assert made.spec.doc == "Drop what is not known."


def test_attributes_of_the_function_do_not_hide_those_of_the_task(etl: Flow) -> None:
    def clean() -> None: ...

    clean.name = clean.flow = clean.spec = "mine"  # type: ignore[attr-defined]
    made = etl.task(clean)
    assert made.name == "clean"
    assert made.flow is etl
    assert made.spec.function is clean


def test_a_coroutine_function_stays_one_when_called(etl: Flow) -> None:
    @etl.task
    async def fetch() -> int:
        return 3

    assert fetch.spec.is_async
    waiting = fetch()
    with pytest.raises(StopIteration) as stopped:
        waiting.send(None)
    assert stopped.value.value == 3


def test_a_task_is_no_sequence_although_its_items_can_be_named(etl: Flow) -> None:
    made = etl.task("split")(dict)
    with pytest.raises(TypeError, match="not iterable"):
        list(made)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        assert "train" in made  # type: ignore[operator]
    with pytest.raises(TypeError, match="not iterable"):
        list(made["train"])  # type: ignore[call-overload]
    assert repr(made["train"][0]) == "split['train'][0]"


def test_a_task_says_what_it_is(etl: Flow) -> None:
    assert repr(etl.task("split")(dict)) == "<task 'split' of flow 'etl'>"


# ---- where it goes


def test_bare_task_goes_into_the_flow_of_the_module_that_calls_it() -> None:
    @task
    def clean() -> int:
        return 1

    assert clean.flow is current_flow()
    assert current_flow().name == __name__
    assert list(current_flow()) == ["clean"]


def test_a_decorator_made_in_one_module_belongs_to_the_module_that_applies_it() -> None:
    space: Dict[str, Any] = {"__name__": "some.module"}
    exec("from flowdsl import task, current_flow\nsturdy = task(retries=5)\nits_flow = current_flow()", space)

    sturdy = space["sturdy"]

    @sturdy
    def clean() -> int:
        return 1

    assert clean.flow is current_flow()
    assert clean.spec.retries == Retry(5)
    assert space["its_flow"].name == "some.module"
    assert list(space["its_flow"]) == []


def test_the_name_may_be_given_by_place_or_by_keyword(etl: Flow) -> None:
    assert etl.task("a")(lambda: 1).name == "a"
    assert etl.task(name="b")(lambda: 1).name == "b"
    assert list(etl) == ["a", "b"]


def test_a_function_may_be_given_with_its_options_in_one_call(etl: Flow) -> None:
    def clean() -> int:
        return 1

    made = etl.task(clean, retries=2)
    assert isinstance(made, Task)
    assert made.spec.retries == Retry(2)


def test_one_decorator_makes_many_tasks(etl: Flow) -> None:
    sturdy = etl.task(retries=2, tags="io")

    @sturdy
    def load() -> int:
        return 1

    @sturdy
    def save() -> int:
        return 2

    assert list(etl) == ["load", "save"]
    assert load.spec.retries is save.spec.retries
    assert load.spec.tags == ("io",)


def test_a_task_of_another_flow_is_taken_as_its_function(etl: Flow) -> None:
    clean = Flow("other").task("clean")(lambda: 1)
    copied = etl.task(clean)
    assert (copied.name, copied.flow) == ("clean", etl)
    assert copied.spec.function is clean.spec.function


class Model:
    def fit(self, data: Any) -> Any:
        return [self, data]

    def __call__(self, data: Any) -> Any:
        return data


def test_bound_methods_partials_objects_classes_and_builtins_can_be_tasks(etl: Flow) -> None:
    model = Model()
    etl.task(model.fit)
    etl.task("data")(functools.partial(int, "7"))
    etl.task("called", depends_on={"data": "data"})(model)
    etl.task("made")(Model)
    etl.task("total", depends_on=["data", "called"])(max)
    graph = etl.graph()
    assert graph.upstream("fit") == ("data",)
    assert graph.upstream("total") == ("data", "called")
    assert [edge.parameter for edge in graph.edges["total"]] == ["*args", "*args"]


# ---- what it stores


def test_a_task_that_says_nothing_inherits_everything(etl: Flow) -> None:
    spec = etl.task("a")(lambda: 1).spec
    assert (spec.retries, spec.timeout, spec.isolation) == (INHERIT, INHERIT, INHERIT)
    assert (spec.run_when, spec.verify, spec.uses, spec.priority) == ("all_succeeded", None, (), None)
    assert (spec.tags, spec.type, spec.map, spec.cache, spec.is_async, spec.doc) == ((), "task", (), False, False, "")


def test_a_task_knows_the_line_that_defines_it(etl: Flow) -> None:
    line = inspect.currentframe().f_lineno  # type: ignore[union-attr]

    @etl.task(retries=1)
    def clean() -> int:
        return 1

    assert clean.spec.place == (__file__, line + 2)
    elsewhere = etl.task("join")(functools.reduce)
    assert elsewhere.spec.place == (__file__, line + 7)
    assert str(elsewhere.spec.place) == f"{__file__}, line {line + 7}"


def test_a_specification_can_be_pickled_with_its_function() -> None:
    spec = Flow("etl").task("a", retries=2)(module_level).spec
    copied = pickle.loads(pickle.dumps(spec))
    assert (copied.name, copied.function, copied.retries) == ("a", module_level, Retry(2))


def module_level() -> int:
    return 1


# ---- what is refused, when it is said


def test_a_misspelt_option_is_refused_with_the_nearest_before_any_function_is_there() -> None:
    with pytest.raises(ConfigError, match="there is no option 'retrys'; did you mean 'retries'"):
        task(retrys=3)
    with pytest.raises(ConfigError, match="there is no option 'dependson'; did you mean 'depends_on'"):
        Flow("etl").task("clean", dependson="a")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", True),
        ("timeout", "60"),
        ("retries", -1),
        ("retries", True),
        ("retries", 2.5),
        ("retries", "3"),
        ("run_when", "allways"),
        ("verify", "x > 0"),
        ("priority", "high"),
        ("isolation", "proces"),
        ("map", 3),
        ("cache", True),
        ("uses", 3),
        ("tags", 3),
        ("type", ""),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_when_it_is_said_with_the_line(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^@task \\({__file__}, line [0-9]+\\): {option}="):
        task(**{option: value})


def test_a_refusal_names_the_task_where_its_name_was_said() -> None:
    with pytest.raises(ConfigError, match=f"^task 'clean' \\({__file__}, line [0-9]+\\): timeout=0"):
        task("clean", timeout=0)


@pytest.mark.parametrize("name", ["", "a/b", "a[0]", "x" * 201, "a\nb", 3, b"a"])
def test_a_name_beyond_the_limits_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="name="):
        task(name=name)


def test_a_function_that_is_given_at_once_may_be_named(etl: Flow) -> None:
    def double(x: int) -> int:
        return 2 * x

    made = task(double, name="twice", retries=2)
    assert (made.name, made.flow.name, made(4)) == ("twice", __name__, 8)
    assert etl.task(lambda x: x, name="same", tags="io").spec.tags == ("io",)
    assert list(etl) == ["same"]
    assert etl.task(made, name="again").spec.function is double


def test_arguments_of_task_that_say_too_much_are_refused_with_what_to_write(etl: Flow) -> None:
    for given in ((define_clean, "x"), ("x", define_clean), (1, 2, 3)):
        with pytest.raises(ConfigError, match=r"one argument without a name.* write task\(function, name='x'\)"):
            etl.task(*given)  # type: ignore[call-overload]
        with pytest.raises(ConfigError, match="one argument without a name"):
            task(*given)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="the name is given twice, 'x' and name='y'; leave one out"):
        task("x", name="y")  # type: ignore[call-overload]


def test_what_is_refused_defines_nothing_and_replaces_nothing(etl: Flow) -> None:
    first = etl.task("a")(lambda: 1)
    with pytest.raises(ConfigError):
        etl.task("a", depends_on={"x": "b"})(lambda: 2)
    with pytest.raises(CycleError, match="task 'a' depends on itself"):
        etl.task("a", depends_on="a")(lambda: 3)
    with pytest.raises(CycleError):
        etl.task("a", depends_on=first)(lambda: 3)
    assert etl["a"] is first


def test_a_lambda_without_a_name_is_refused_with_the_fix() -> None:
    with pytest.raises(DefinitionError, match=r'a lambda has no name for its task; give one: task\(name="..."\)\('):
        task(lambda: 1)


def test_a_partial_without_a_name_is_refused_with_the_fix() -> None:
    with pytest.raises(DefinitionError, match=r'functools.partial.* has no name .* task\(name="..."\)'):
        task(functools.partial(int, "7"))


def test_a_generator_function_is_refused_with_the_fix() -> None:
    with pytest.raises(DefinitionError, match=r"task 'rows' .* generator function; return a list"):

        @task
        def rows() -> Iterator[int]:
            yield 1


def test_an_undecorated_method_is_refused_with_the_fix() -> None:
    with pytest.raises(DefinitionError, match="define it outside the class, or make a task of the bound method"):

        class Pipeline:
            @task
            def clean(self, flights: Any) -> Any:
                return flights

    assert list(current_flow()) == []


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(DefinitionError, match="cannot be called"):
        task(retries=1)(3)  # type: ignore[type-var]


# ---- replacing


def define_clean(flow: Flow, value: int) -> Task[[], int]:
    @flow.task
    def clean() -> int:
        return value

    return clean


def test_a_second_definition_replaces_the_first_silently(etl: Flow) -> None:
    define_clean(etl, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = define_clean(etl, 2)
    assert list(etl) == ["clean"]
    assert etl["clean"] is second


def test_a_replaced_task_keeps_its_place_in_the_order(etl: Flow) -> None:
    define_clean(etl, 1)
    etl.task("other")(lambda: 1)
    define_clean(etl, 2)
    assert list(etl) == ["clean", "other"]


def test_defining_one_name_in_a_loop_warns_and_says_to_give_names(etl: Flow) -> None:
    with pytest.warns(UserWarning, match="task 'clean' of flow 'etl'.*same line: in a loop.*name="):
        for number in range(2):

            @etl.task
            def clean(number: int = number) -> int:
                return number


def test_a_loop_that_gives_names_does_not_warn(etl: Flow) -> None:
    for number in range(2):

        @etl.task(f"clean {number}")
        def clean() -> int:
            return 1

    assert list(etl) == ["clean 0", "clean 1"]


def test_a_definition_from_another_file_warns_and_names_both(etl: Flow) -> None:
    define_clean(etl, 1)
    code = compile("@etl.task\ndef clean():\n    return 2\n", "other_file.py", "exec")
    with pytest.warns(
        UserWarning, match=f"'clean' .* defined in other_file.py, line 1, replaces the one in {__file__}"
    ):
        exec(code, {"etl": etl, "__name__": "other"})
    assert etl["clean"]() == 2


@pytest.mark.parametrize("names", [["<stdin>", "<python-input-3>"], ["<stdin>", "<stdin>"]])
def test_what_is_typed_in_replaces_silently_whatever_it_is_called(
    etl: Flow, names: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = types.ModuleType("typed")
    monkeypatch.setitem(sys.modules, "typed", typed)
    typed.etl = etl  # type: ignore[attr-defined]
    for name in names:
        exec(compile("@etl.task\ndef clean():\n    return 2\n", name, "exec"), typed.__dict__)
    assert list(etl) == ["clean"]


def test_a_module_that_is_loaded_again_replaces_its_tasks_silently(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "reloaded_tasks.py").write_text("from flowdsl import task\n@task\ndef clean():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    module = importlib.import_module("reloaded_tasks")
    first = module.clean
    again = importlib.reload(module)
    assert again.clean is not first
    assert again.clean.flow["clean"] is again.clean


# ---- what a graph of it is


def test_the_graph_of_a_task_is_everything_upstream_of_it(etl: Flow) -> None:
    etl.task("raw")(lambda: 1)
    clean = etl.task("clean")(lambda raw: raw)
    etl.task("report")(lambda clean: clean)
    assert list(clean.graph()) == ["raw", "clean"]
    assert clean.graph().targets == ("clean",)


def test_a_task_cannot_be_told_another_target(etl: Flow) -> None:
    clean = etl.task("clean")(lambda: 1)
    for run in (clean.run, clean.start):
        with pytest.raises(ConfigError, match=r"targets='raw' does not belong here.*use flow.run"):
            run(targets="raw")


def test_a_task_that_was_replaced_stands_for_the_new_one(etl: Flow) -> None:
    old = define_clean(etl, 1)
    define_clean(etl, 2)
    user = etl.task("use", depends_on=old)(lambda clean: clean)
    assert etl.graph()["clean"].function() == 2
    assert user.spec.depends_on[0].owner is None


def test_the_signature_of_task_is_the_documented_one() -> None:
    shown = inspect.signature(flowdsl.task).parameters
    documented = [
        "name",
        "depends_on",
        "map",
        "retries",
        "timeout",
        "isolation",
        "run_when",
        "verify",
        "uses",
        "priority",
        "cache",
        "tags",
        "type",
    ]
    assert [name for name in shown if name != "unknown"] == documented
    assert {name: shown[name].default for name in documented} == {
        "name": None,
        "depends_on": None,
        "map": None,
        "retries": INHERIT,
        "timeout": INHERIT,
        "isolation": INHERIT,
        "run_when": "all_succeeded",
        "verify": None,
        "uses": None,
        "priority": None,
        "cache": False,
        "tags": (),
        "type": "task",
    }
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in documented[1:])
    assert list(inspect.signature(Flow.task).parameters)[1:] == list(shown)
