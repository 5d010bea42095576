"""Renderers: where they are found, and how they are survived."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import psutil
import pytest

from flowdsl.views import renderer
from flowdsl.views.renderer import find_dot, find_renderers, render

posix = pytest.mark.skipif(os.name != "posix", reason="the renderers of these tests are shell scripts")


def script(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `dot` on PATH, no wheel beside the interpreter, nothing remembered."""
    monkeypatch.delenv("FLOWDSL_DOT", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if not Path("/usr/bin/dot").exists() else str(tmp_path))
    monkeypatch.setattr(renderer, "_script_folders", lambda: [str(tmp_path / "scripts")])
    monkeypatch.setattr(renderer, "_hung", set())


def test_without_any_renderer_there_is_none() -> None:
    assert find_dot() is None


@posix
def test_the_variable_goes_before_the_path_and_that_before_the_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = script(tmp_path / "scripts", "graphviz-pure", "")
    assert find_renderers() == [wheel]
    dot = script(tmp_path / "bin", "dot", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_renderers() == [dot, wheel]
    own = script(tmp_path, "mine", "")
    monkeypatch.setenv("FLOWDSL_DOT", own)
    assert find_renderers() == [own, dot, wheel]
    assert find_dot() == own


@posix
def test_a_variable_that_names_nothing_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWDSL_DOT", str(tmp_path / "missing"))
    assert find_dot() is None


def test_the_wheel_is_looked_for_beside_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert str(Path(sys.executable).parent) in renderer._script_folders()


@posix
def test_a_renderer_gets_the_source_and_the_kind(tmp_path: Path) -> None:
    echo = script(tmp_path, "echo", 'echo "$1"; cat')
    assert render(echo, "digraph {}", "png") == b"-Tpng\ndigraph {}"


@posix
@pytest.mark.parametrize("text", ["exit 3", "echo half a picture; exit 3", "", "kill -9 $$"])
def test_a_renderer_that_fails_or_says_nothing_gives_nothing(tmp_path: Path, text: str) -> None:
    assert render(script(tmp_path, "bad", text), "digraph {}") is None


def test_a_renderer_that_cannot_be_started_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "noexec"
    path.write_text("")
    assert render(str(path), "digraph {}") is None


@posix
def test_a_renderer_that_reads_nothing_is_no_problem(tmp_path: Path) -> None:
    assert render(script(tmp_path, "deaf", "echo picture"), "x" * 1_000_000) == b"picture\n"


@posix
def test_a_renderer_that_floods_us_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "MOST_BYTES", 1 << 20)
    assert render(script(tmp_path, "flood", "exec yes picture"), "digraph {}") is None


@posix
@pytest.mark.slow
def test_a_renderer_that_hangs_is_killed_with_its_children_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = script(tmp_path, "slow", f"sleep 987 &\necho $! > {tmp_path}/pid\nwait")
    monkeypatch.setenv("FLOWDSL_DOT", slow)
    assert find_dot() == slow
    assert render(slow, "digraph {}", patience=0.3) is None
    assert find_dot() is None
    child = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not alive(child):
            return
        time.sleep(0.1)
    pytest.fail("its child is still alive")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
