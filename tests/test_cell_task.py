"""Cells that are tasks: their options, their free names, their source, the tasks that they become."""

from __future__ import annotations

import inspect
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl import ConfigError, DefinitionError, Flow
from flowdsl.cell_task import define, free_names, function_source, read


def made(line: str, body: str, **space: Any) -> Any:
    space.setdefault("etl", Flow("etl"))
    return define(read(line + " flow=etl", body), space, "<cell %s>" % line)


@pytest.mark.parametrize(
    ("line", "name", "options"),
    [
        ("clean", "clean", {}),
        ("clean timeout=60", "clean", {"timeout": "60"}),
        ("clean  retries=Retry(3, delay=1) timeout = 2.5", "clean", {"retries": "Retry(3, delay=1)", "timeout": "2.5"}),
        ("c depends_on=[a, 'b'], tags=('x', 'y')", "c", {"depends_on": "[a, 'b']", "tags": "('x', 'y')"}),
        ("\tclean\ttimeout=60", "clean", {"timeout": "60"}),
        ("'the clean one' timeout=60", "the clean one", {"timeout": "60"}),
        ('"clean"', "clean", {}),
        ("c depends_on={'n': 'numbers'} uses='db'", "c", {"depends_on": "{'n': 'numbers'}", "uses": "'db'"}),
    ],
)
def test_the_line_is_a_name_and_options(line: str, name: str, options: Dict[str, str]) -> None:
    cell = read(line, "")
    assert (cell.name, cell.options) == (name, options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "a name comes first"),
        ("timeout=6", "a name comes first"),
        ("a b", "is no option: %%task NAME"),
        ("'the clean one", "a name comes first"),
        ("'clean'timeout=6", "a name comes first"),
        ("a name='b'", "no option 'name'.*the name comes first"),
        ("a depends_on=5", "depends_on=5 is not a dependency"),
        ("a map=5", "map=5 is not a name"),
        ("a timeout=(1", "cannot be read"),
        ("a timout=1", r"no option 'timout'; did you mean 'timeout'\?"),
        ("a timeout=nowhere", "timeout=nowhere cannot be read: NameError"),
        ("a timeout=-1", "timeout=-1"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(line, "1")


def test_free_names_are_those_that_the_compiler_reads_from_outside() -> None:
    body = "import math\nrows = [clean(x) for x in flights]\ndef inner(a):\n    return a + path\nmath.pi + len(rows)"
    assert free_names(body) == ["flights", "len", "clean", "path"] or set(free_names(body)) == {
        "flights", "len", "clean", "path",
    }  # fmt: skip


def test_a_free_name_is_an_edge_a_global_or_an_input() -> None:
    etl = Flow("etl")
    etl.task("flights")(lambda: [1, 2])
    task = made("total", "sum(flights) * factor + more", etl=etl, factor=10, flights="hides nothing")
    assert [(one.name, one.has_default) for one in task.spec.parameters] == [("flights", False), ("more", False)]
    assert etl.run(more=1, display="none")["total"] == 31


def test_a_name_that_is_a_task_only_later_is_an_edge_then() -> None:
    etl = Flow("etl")
    made("total", "sum(flights)", etl=etl)
    made("flights", "[1, 2, 3]", etl=etl)
    assert etl.run(display="none")["total"] == 6


def test_the_task_stands_under_its_name_and_takes_its_options() -> None:
    space: Dict[str, Any] = {"etl": Flow("etl")}
    define(read("total timeout=3 flow=etl", "1"), space, "<cell x>")
    assert space["total"].spec.timeout == 3
    define(read("total flow=etl", "2"), space, "<cell y>")
    assert space["etl"].run(display="none")["total"] == 2


def test_the_names_in_depends_on_are_parameters_even_where_a_global_has_them() -> None:
    etl = Flow("etl")
    etl.task("numbers")(lambda: [3, 4])
    assert made("total", "sum(n)", etl=etl, n=[1], named=1) is not None
    task = made("largest", "max(n)", etl=etl, n=[1])
    assert [one.name for one in task.spec.parameters] == []
    define(read("most depends_on={'n': 'numbers'} flow=etl", "max(n)"), {"etl": etl, "n": [1]}, "<cell z>")
    assert etl.run(display="none")["most"] == 4


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("x = 1\nx + 1", 2),
        ("x = 1", None),
        ("", None),
        ("# only a remark", None),
        ("'''one\ntwo'''", "one\ntwo"),
        ("x = '''a\n  b\n'''\nx", "a\n  b\n"),
        ("if True:\n    y = 5\ny; y + 1", 6),
        ("f'''{1 +\n1}\n x'''", "2\n x"),
        ("return 7", 7),
        ("x = '''a\nb'''; x", "a\nb"),
        ("async def n():\n    yield 1\n[x async for x in n()]", [1]),
        ("len([x for x in (1,)])", 1),
        ("global tally\ntally = 3\ntally", 3),
        ("{'a': [n\n for n in range(2)]}", {"a": [0, 1]}),
        ("é = 3; é * 2", 6),
        ("import asyncio\nawait asyncio.sleep(0)\n9", 9),
    ],
)
def test_the_last_expression_is_the_result(body: str, value: Any) -> None:
    etl = Flow("etl")
    made("it", body, etl=etl)
    assert etl.run(display="none")["it"] == value


@given(some.lists(some.sampled_from(["x = 1", "x = '''\n a\n'''", "if x:\n    y = 2", "# r", "", "z = [\n1,\n2]"])))
def test_the_source_of_the_function_has_the_lines_of_the_cell(parts: Any) -> None:
    body = "\n".join(["x = 0", *parts, "x"])
    lines = function_source("f", [], body).splitlines()
    assert len(lines) == 1 + len(body.split("\n"))
    assert lines[-1] == "    return x"
    compile("\n".join(lines), "<f>", "exec")


def test_what_is_wrong_in_the_code_is_told_with_the_line_of_the_cell() -> None:
    with pytest.raises(DefinitionError, match="%%task broken, line 3"):
        made("broken", "x = 1\ny = = 2")
    for body in ("yield 1", "x = yield 1", "yield from ()"):
        with pytest.raises(DefinitionError, match="generator function; return a list"):
            made("generator", body)


def test_the_source_can_be_looked_at() -> None:
    task = made("shown", "x = 1\nx + 1")
    assert inspect.getsource(task.spec.function) == "def shown():\n    x = 1\n    return x + 1\n"
    assert task.spec.place.line == 1
