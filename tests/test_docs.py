"""Every example in the README and in the pages is executed, page by page, and must print what the page says."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import linecache
import re
import runpy
import shlex
import sys
import types
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import pytest

import flowdsl

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?P<fence>```+)(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^(?P=fence)\s*$", re.MULTILINE | re.DOTALL)
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Example(NamedTuple):
    """A block of code of a page."""

    line: int  # of its first line of code
    code: str
    shown: bool  # whether the value of its last expression is displayed, as in a notebook
    raises: bool  # whether the page says that it raises
    prints: Optional[str]  # what the page says that it prints


def examples(text: str) -> List[Example]:
    """The blocks marked `python` or `{code-cell}`, each with the block `text` that follows directly."""
    blocks = list(FENCE.finditer(text))
    found = []
    for block, following in zip(blocks, [*blocks[1:], None]):
        if block["kind"] not in ("python", "{code-cell}"):
            continue
        cell = block["kind"] == "{code-cell}"
        options = re.match(r"(?::.*\n)*", block["body"])
        head = options.group() if cell and options else ""
        output = following if following and following["kind"] == "text" else None
        near = output if output and not text[block.end() : output.start()].strip() else None
        found.append(
            Example(
                line=text.count("\n", 0, block.start("body")) + head.count("\n") + 1,
                code=block["body"][len(head) :],
                shown=cell,
                raises="raises-exception" in head,
                prints=near["body"] if near else None,
            )
        )
    return found


def execute(code: str, file: str, line: int, namespace: Dict[str, Any], shown: bool) -> None:
    """Run one block; its last expression is displayed where `shown`; `await` is allowed, as in a notebook."""
    tree = ast.parse(code, file)
    ast.increment_lineno(tree, line - 1)
    last = tree.body.pop() if shown and tree.body and isinstance(tree.body[-1], ast.Expr) else None
    run_compiled(compile(tree, file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
    if isinstance(last, ast.Expr):
        expression = ast.Expression(last.value)
        display(run_compiled(compile(expression, file, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace))


def run_compiled(code: types.CodeType, namespace: Dict[str, Any]) -> Any:
    value = eval(code, namespace)
    return asyncio.run(value) if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE else value


def display(value: Any) -> None:
    """What a notebook does with the value of a cell's last line."""
    if value is None:
        return
    for method in ("_repr_mimebundle_", "_repr_html_", "_repr_svg_"):
        getattr(value, method, lambda: None)()
    print(repr(value))


@pytest.mark.parametrize("page", [pytest.param(p, id=p.stem) for p in PAGES if examples(p.read_text(encoding="utf-8"))])
def test_every_example_of_a_page_does_what_the_page_says(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(flowdsl.options, "stable_repr", flowdsl.options.stable_repr)  # a page may set it
    linecache.cache[str(page)] = (len(text), None, text.splitlines(True), str(page))
    for example in examples(text):
        said = io.StringIO()
        raised = pytest.raises(Exception) if example.raises else contextlib.nullcontext()
        with contextlib.redirect_stdout(said), raised:
            execute(example.code, str(page), example.line, module.__dict__, example.shown)
        if example.prints is not None:
            place = f"{page.name}:{example.line}"
            matched = doctest.OutputChecker().check_output(example.prints, said.getvalue(), LIKE)
            assert matched, f"{place} says\n{example.prints}\nand it printed\n{said.getvalue()}"


def test_the_examples_of_the_readme_and_the_tutorial_are_found() -> None:
    for page in (REPOSITORY / "README.md", REPOSITORY / "docs" / "tutorial.md"):
        assert examples(page.read_text(encoding="utf-8")), page


def test_an_example_that_prints_something_else_is_noticed() -> None:
    (example,) = examples("```python\nprint(6 * 7)\n```\n\n```text\n41\n```\n")
    assert example.code == "print(6 * 7)\n"
    assert not doctest.OutputChecker().check_output(example.prints or "", "42\n", LIKE)


def test_the_options_of_a_cell_are_not_code() -> None:
    (example,) = examples("one\n```{code-cell} python\n:tags: [raises-exception]\n1 / 0\n```\n")
    assert (example.code, example.raises, example.shown, example.line) == ("1 / 0\n", True, True, 4)


def test_try_it_holds_exactly_two_command_lines() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    _, _, after = text.partition("\n## Try it\n")
    section = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = [block for block in FENCE.finditer(section) if block["kind"] == "sh"]
    assert len(blocks) == 2
    for block in blocks:
        assert len(block["body"].strip().splitlines()) == 1
        assert shlex.split(block["body"])[:3] == ["python3", "-m", "venv"]


def test_every_page_is_in_a_table_of_contents_and_is_there() -> None:
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    contents = re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
    listed = {line for toc in contents for line in toc.splitlines() if line and not line.startswith(":")}
    pages = {page.stem for page in (REPOSITORY / "docs").iterdir() if page.suffix in (".md", ".ipynb")}
    assert pages == {"index", *listed}


def test_the_picture_of_the_readme_shows_the_tasks_of_its_example() -> None:
    (example,) = examples((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    picture = (REPOSITORY / "docs" / "images" / "readme.svg").read_text(encoding="utf-8")
    tasks = [node.name for node in ast.parse(example.code).body if isinstance(node, ast.FunctionDef)]
    assert tasks
    assert [name for name in tasks if f">{name}</text>" not in picture] == [], "python docs/readme_picture.py draws it"


def test_the_diagram_of_the_states_is_that_of_the_table() -> None:
    diagram = runpy.run_path(str(REPOSITORY / "docs" / "state_diagram.py"))
    assert diagram["is_current"](), "python docs/state_diagram.py draws it again"


def test_the_diagram_of_the_states_notices_another_table(monkeypatch: pytest.MonkeyPatch) -> None:
    diagram = runpy.run_path(str(REPOSITORY / "docs" / "state_diagram.py"))
    monkeypatch.setitem(diagram["st"].TRANSITIONS, ("ready", "verify_failed"), "failed")
    assert not diagram["is_current"]()
