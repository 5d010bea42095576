"""The directive `flowdsl` of Sphinx: the page of a flow inside a page of documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx comes with the extra `docs`")

MODULE = """
from flowdsl import Flow, task
flow = Flow("<b>nice")
@flow.task
def one(x="<img src=x onerror=alert(1)>"):
    "First, *and* <i>only</i>."
@flow.task
def two(one): pass
@task
def bare(): pass
"""
CONF = """
import sys
sys.path.insert(0, %r)
extensions = ["flowdsl.orchestrator.documentation_sphinx"]
html_theme = "basic"
"""


def build(tmp_path: Path, directive: str, builder: str = "html") -> subprocess.CompletedProcess[str]:
    (tmp_path / "source").mkdir(exist_ok=True)
    (tmp_path / "source" / "documented.py").write_text(MODULE)
    (tmp_path / "source" / "conf.py").write_text(CONF % str(tmp_path / "source"))
    (tmp_path / "source" / "index.rst").write_text("Docs\n====\n\n%s\n" % directive)
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", builder, "source", "out"]
    return subprocess.run(command, cwd=str(tmp_path), capture_output=True, text=True)


@pytest.mark.slow
def test_a_flow_is_a_part_of_the_page_with_links_that_lead_somewhere(tmp_path: Path) -> None:
    done = build(tmp_path, ".. flowdsl:: documented:flow")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]+)"', page))
    body = page[page.index("<svg") : page.index("States of a task")]
    links = re.findall(r'href="#([^"]+)"', body)
    assert len(links) >= 4 and set(links) <= ids
    assert "<img src=x" not in page and "<i>only" not in page and "<b>nice" not in page
    assert "First, *and* &lt;i&gt;only&lt;/i&gt;." in page


@pytest.mark.slow
def test_two_flows_of_a_page_keep_their_ids_apart_and_other_formats_get_text(tmp_path: Path) -> None:
    both = ".. flowdsl:: documented:flow\n\n.. flowdsl:: documented\n"
    done = build(tmp_path, both)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) and page.count("<svg") == 2
    done = build(tmp_path, both, "text")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "index.txt").read_text(encoding="utf-8")
    assert "<svg" not in text and "def bare()" in text and "one → two" in text


@pytest.mark.slow
def test_past_runs_are_shown_where_their_logs_are_named(tmp_path: Path) -> None:
    build(tmp_path, "")
    command = [sys.executable, "-c", "import documented; documented.flow.run(display=None)"]
    subprocess.run(command, cwd=str(tmp_path / "source"), check=True)
    done = build(tmp_path, ".. flowdsl:: documented:flow\n   :log-dir: %s" % (tmp_path / "source" / "logs" / "tasks"))
    assert done.returncode == 0, done.stderr
    assert "One run: 1 succeeded" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_flow_that_is_not_there_is_an_error_of_the_page(tmp_path: Path) -> None:
    done = build(tmp_path, ".. flowdsl:: documented:flo")
    assert done.returncode != 0 and "flowdsl: documented:flo: AttributeError" in done.stderr
