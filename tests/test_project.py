"""The project as a whole: what an import costs, what lies where, and that the contracts can fail."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest

import flowdsl

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "flowdsl", "notebooks", "tests", "docs"}
HEAVY = {"pandas", "numpy", "anywidget", "ipywidgets", "graphviz", "IPython", "matplotlib", "asyncio", "click"}


@pytest.fixture(scope="module")
def project(repository: Path) -> Dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def tracked_files(repository: Path) -> List[str]:
    """What git knows of; skips outside a clone (the tests may be run beside an installed wheel)."""
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        pytest.skip("not a git clone, or no git here")
    listing = subprocess.run([git, "ls-files", "-z"], cwd=str(repository), stdout=subprocess.PIPE, check=True)
    return [name for name in listing.stdout.decode().split("\0") if name]


def python_files(repository: Path) -> List[Path]:
    return [repository / name for name in tracked_files(repository) if name.endswith(".py")]


def imported_by(statement: str) -> Set[str]:
    """The top-level names of all modules that a fresh interpreter loads for one statement."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", statement], stderr=subprocess.PIPE, check=True)
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}


def test_importing_flowdsl_loads_nothing_heavy() -> None:
    loaded = imported_by("import flowdsl")
    assert "flowdsl" in loaded
    assert not loaded & HEAVY


def test_the_measure_of_imports_can_see_a_heavy_one() -> None:
    assert "click" in imported_by("import click")


def test_every_public_name_can_be_had() -> None:
    assert len(set(flowdsl.__all__)) == len(flowdsl.__all__)
    assert [name for name in flowdsl.__all__ if not hasattr(flowdsl, name)] == []


def test_the_api_page_documents_every_public_name_and_no_other(repository: Path) -> None:
    page = (repository / "docs" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"auto(?:function|class|exception|data):: flowdsl\.(?!orchestrator\.)(\w+)\b", page)
    assert sorted(documented) == sorted(name for name in flowdsl.__all__ if name != "__version__")


def test_the_version_is_the_one_of_the_project(project: Dict[str, Any]) -> None:
    assert flowdsl.__version__ == project["project"]["version"]


def test_the_changelog_speaks_of_this_version(repository: Path, project: Dict[str, Any]) -> None:
    changelog = (repository / "docs" / "changelog.md").read_text(encoding="utf-8")
    assert f"## {project['project']['version']}" in changelog


def test_the_supported_pythons_are_one_unbroken_range(project: Dict[str, Any]) -> None:
    classifiers = project["project"]["classifiers"]
    minors = [int(m.group(1)) for m in (re.search(r":: Python :: 3\.(\d+)$", c) for c in classifiers) if m]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert project["project"]["requires-python"] == f">=3.{minors[0]}"
    assert project["tool"]["ruff"]["target-version"] == f"py3{minors[0]}"
    assert sys.version_info[0] == 3
    assert minors[0] <= sys.version_info[1]


def test_the_top_level_holds_what_the_design_names_and_nothing_else(repository: Path) -> None:
    seen = {name.partition("/")[0] for name in tracked_files(repository)}
    assert {name for name in seen if not name.startswith(".")} == TOP_LEVEL


def test_every_python_file_opens_by_saying_what_it_owns(repository: Path) -> None:
    without = [p for p in python_files(repository) if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert without == []


def test_every_test_name_is_a_sentence(repository: Path) -> None:
    tests = repository.joinpath("tests").rglob("test_*.py")
    names = [
        f"{path.relative_to(repository)}: {node.name}"
        for path in tests
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    ]
    assert names
    assert [name for name in names if name.count("_") < 3] == []


# ---- a contract that cannot break holds nothing: plant a violation of each

PLANTED = {
    "floors": ("engine/states.py", "from flowdsl.storage import journal"),
    "pure": ("definition/spec.py", "import threading"),
    "machine": ("engine/events.py", "import os"),
    "frames": ("storage/journal.py", "import pandas"),
    "pictures": ("analysis/frames.py", "import graphviz"),
    "kernel": ("runtime/driver.py", "import IPython"),
    "payload": ("runtime/driver.py", "import cloudpickle"),
}


def break_contract(contract: str, source: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Plant the violation in a copy of the package, and judge the copy by that one contract."""
    file, statement = PLANTED[contract]
    shutil.copytree(str(source / "flowdsl"), str(tmp_path / "flowdsl"), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(str(source / "pyproject.toml"), str(tmp_path))
    planted = tmp_path / "flowdsl" / file
    planted.write_text(f"{planted.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run(
        [*command, "--no-cache", "--contract", contract],
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("contract", sorted(PLANTED))
def test_a_planted_import_breaks_its_contract(contract: str, repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is in the extra `dev`")
    if not (repository / "flowdsl").is_dir():
        pytest.skip("the sources are not beside the tests")
    judged = break_contract(contract, repository, tmp_path)
    assert judged.returncode == 1, judged.stdout
    assert "1 broken" in judged.stdout


def test_every_import_contract_has_a_planted_violation(project: Dict[str, Any]) -> None:
    assert {c["id"] for c in project["tool"]["importlinter"]["contracts"]} == set(PLANTED)


def test_the_package_says_that_it_is_typed() -> None:
    spec = importlib.util.find_spec("flowdsl")
    assert spec is not None and spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").is_file()


def test_the_orchestrators_are_at_hand_at_the_top_too_and_loaded_only_then() -> None:
    code = (
        "import sys, flowdsl\n"
        "assert 'flowdsl.orchestrator' not in sys.modules\n"
        "from flowdsl import DebugOrchestrator, DocumentationOrchestrator, LogOrchestrator, TaskOrchestrator\n"
        "assert TaskOrchestrator is flowdsl.orchestrator.TaskOrchestrator\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_suite_meets_ipykernel_6_on_the_oldest_python_and_the_latest_on_the_newest(project: Dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    for extra in ("test", "data", "notebook"):
        asked = dict(one.split("; ")[::-1] for one in extras[extra] if one.startswith("ipykernel"))
        assert asked["python_version < '3.9'"].startswith("ipykernel==6.")
        assert (
            asked["python_version >= '3.9'"].startswith("ipykernel>=") and "," not in asked["python_version >= '3.9'"]
        )
