"""A page on a flow: what is on it, that it is safe to show, and that it is noticed when it no longer matches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from markdown_it import MarkdownIt

import flowdsl
from flowdsl import Flow, Retry, load_runs
from flowdsl.engine import states as st
from flowdsl.orchestrator import DocumentationOrchestrator, DocumentationOutdated
from flowdsl.orchestrator.documentation_glossary import STATES
from flowdsl.orchestrator.documentation_markdown import md
from flowdsl.orchestrator.documentation_section import anchor_of
from flowdsl.orchestrator.documentation_statistics import statistics_of

MARKUP = "<img src=x onerror=alert(1)>"
LINK = '](javascript:alert(1)) [x](http://evil.example) www.evil.example "onmouseover=alert(1)'
FORGED = 'done\n{"status":"completed"}\n# Heading\n--> <!-- flowdsl: end -->'


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    flow = Flow("etl", limits={"db": 2}, timeout=300, log_dir=log_dir)

    @flow.task(retries=Retry(2, delay=1, backoff=2, retry_on=OSError), uses="db")
    def flights(path: str = "flights.csv", month: int = 1) -> List[int]:
        """The flights of one month.

        Args:
            path: a CSV.

        >>> flights("jan.csv")
        [1]
        """
        return [month]

    @flow.task(isolation="process", timeout=60, tags=["main"])
    def clean(flights: List[int]) -> List[int]:
        """Without those that were cancelled."""
        return flights

    @flow.task(depends_on=[clean], map="clean")
    def delays(clean: int, unit: str) -> int:
        return clean

    @flow.task(depends_on=["delays", "flights"], verify=bool, priority=2)
    def report(delays: List[int]) -> List[int]:
        return delays

    return flow


def section(page: str, task: str) -> str:
    """The part of a page of Markdown that is about a task."""
    begin = page.index('<a id="%s">' % anchor_of(task))
    end = page.find('<a id="', begin + 5)
    return page[begin:end]


# ---- what is on it


def test_a_task_is_shown_with_signature_docstring_dependencies_and_options(flow: Flow) -> None:
    page = DocumentationOrchestrator(flow).markdown()
    flights, clean, report = section(page, "flights"), section(page, "clean"), section(page, "report")
    assert "def flights(path='flights.csv', month=1)" in flights and "The flights of one month." in flights
    assert "```\npath: a CSV.\n```" in flights and '```python\n>>> flights("jan.csv")\n[1]\n```' in flights
    assert "- **retries**: 2, first after 1.0 s, each wait 2 times the one before, after OSError" in flights
    assert "- **uses**: db" in flights and "- **inputs**: `path`, `month`" in flights
    assert "- **takes**: [flights](#%s)" % anchor_of("flights") in clean
    assert "- **timeout**: 60.0 s" in clean and "- **runs in**: a process of its own" in clean
    assert "- **tags**: main" in clean and "timeout" not in flights
    assert "- **each item of**: `clean`" in section(page, "delays")
    assert "- **runs after**: [flights]" in report and "- **verified by**: `bool`" in report
    assert "- **timeout of each task**: 5 min 00 s" in page and "- **limits**: db: 2 at once" in page


def test_inputs_are_listed_with_their_defaults(flow: Flow) -> None:
    page = DocumentationOrchestrator(flow).markdown()
    assert "| `path` | `'flights.csv'` | [flights](#%s) |" % anchor_of("flights") in page
    assert "| `unit` | required | [delays](#%s) |" % anchor_of("delays") in page


def test_the_glossary_has_every_state(flow: Flow) -> None:
    assert set(STATES) == set(st.TASK_STATES)
    page = DocumentationOrchestrator(flow).markdown()
    assert [state for state in STATES if "`%s` |" % state not in page] == []


def test_past_runs_are_counted_for_each_task(flow: Flow, log_dir: Path) -> None:
    for _ in range(2):
        flow.run(display=None, unit="min")
    flow.task(name="report")(lambda delays: 1 / 0)
    flow.run(display=None, unit="min", raise_on_failure=False)
    page = DocumentationOrchestrator(flow).markdown()
    assert "The latest 3 runs: 2 succeeded" in page
    assert re.search(r"\| \[report\]\(#[a-z0-9-]+\) \| 3 \| 2 \| 1 \| 0 \|", page)
    assert "- **past runs**: 3 attempted, 2 succeeded, 1 failed; took" in section(page, "report")
    assert "Past runs" not in DocumentationOrchestrator(flow, runs=[]).markdown()
    assert "One run: 0 succeeded" in DocumentationOrchestrator(flow, runs=[load_runs(log_dir)[-1]]).markdown()


def test_statistics_are_those_of_the_attempts_that_succeeded() -> None:
    class Row:
        def __init__(self, took: float, state: str = st.SUCCEEDED, attempts: int = 1) -> None:
            self.duration_s, self.state, self.attempts = took, state, attempts
            self.started_at, self.queued_at = 5.0, 4.0

    class Fake:
        def __init__(self, **tasks: Row) -> None:
            self.tasks: Dict[str, Row] = tasks

        def snapshot(self) -> Any:
            return self

    rows = [Row(float(took)) for took in range(1, 11)] + [Row(99.0, st.FAILED, 3)]
    one = statistics_of([Fake(t=row) for row in rows])["t"]
    assert (one.runs, one.succeeded, one.failed, one.retries) == (11, 10, 1, 2)
    assert (one.median_s, one.ninth_s, one.longest_s, one.wait_s) == (5.5, 9.0, 10.0, 1.0)


def test_a_task_a_graph_and_a_run_can_be_documented(flow: Flow) -> None:
    assert "clean" in DocumentationOrchestrator(flow["clean"]).html()
    assert "report" not in DocumentationOrchestrator(flow["clean"]).markdown()
    assert "report" in DocumentationOrchestrator(flow.graph()).markdown()
    run = flow.run(display=None, unit="min")
    assert "One run: 1 succeeded" in DocumentationOrchestrator(run).markdown()
    with pytest.raises(flowdsl.ConfigError, match="is no flow, task, graph, run or orchestrator"):
        DocumentationOrchestrator("etl")


def test_a_flow_that_makes_no_graph_cannot_be_documented(log_dir: Path) -> None:
    flow = Flow("broken", log_dir=log_dir)
    flow.task(name="a", depends_on=["b"])(lambda: 1)
    with pytest.raises(flowdsl.GraphError):
        DocumentationOrchestrator(flow)


def test_an_empty_flow_and_one_with_a_thousand_tasks_have_pages(log_dir: Path) -> None:
    assert "0 tasks" in DocumentationOrchestrator(Flow("empty", log_dir=log_dir)).html()
    many = Flow("many", log_dir=log_dir)
    for n in range(1_010):
        many.task(name="t%d" % n)(lambda: 1)
    page = DocumentationOrchestrator(many).markdown()
    assert "and 10 more tasks" in page


# ---- links


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: List[Tuple[str, Dict[str, Any]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Any]]) -> None:
        self.elements.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag

    @property
    def links(self) -> List[str]:
        return [attributes["href"] for _, attributes in self.elements if "href" in attributes]


def test_each_box_of_the_picture_leads_to_the_section_of_its_task(flow: Flow) -> None:
    text = DocumentationOrchestrator(flow).html()
    picture = text[text.index("<svg") : text.index("</svg>")]
    for name in flow:
        found = re.search(r'<a href="#%s"[^>]*><g id="n\d+">.*?</g></a>' % anchor_of(name), picture, re.DOTALL)
        assert found is not None and ">%s</text>" % name in found.group(), name
    assert '<a href="#inputs"' in picture


def test_every_link_leads_to_an_anchor_of_the_page_and_nothing_comes_from_elsewhere(flow: Flow) -> None:
    page = Page(DocumentationOrchestrator(flow).html())
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert len(page.links) > 20
    assert [link for link in page.links if not (link.startswith("#") and link[1:] in anchors)] == []
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "src"
    ]


def test_ids_of_a_page_are_given_once(flow: Flow) -> None:
    ids = [
        attributes["id"]
        for _, attributes in Page(DocumentationOrchestrator(flow).html()).elements
        if "id" in attributes
    ]
    assert len(ids) == len(set(ids))


# ---- users' strings


@pytest.fixture(
    params=[MARKUP, LINK, FORGED, "`|`\\", "1. a", "- b", "a_b*c*", "&lt;b&gt;", "\x1b[31mred\u202e", "é字"]
)
def hostile(request: pytest.FixtureRequest, log_dir: Path) -> Flow:
    text: str = request.param
    name = re.sub(r"[\[\]/\x00-\x1f\u202e]", "", text)
    flow = Flow(name, log_dir=log_dir)

    def function(value: str = text) -> None: ...

    function.__doc__ = "%s\n\n    %s\n\n>>> %s" % (text, text, text)
    flow.task(name=name, tags=[name], type=name)(function)
    flow.task(name="after", depends_on=[name])(lambda: 1)
    return flow


def test_users_strings_are_only_text_in_html(hostile: Flow) -> None:
    text = DocumentationOrchestrator(hostile).html()
    page = Page(text)
    assert not {"script", "img", "b", "iframe"} & {tag for tag, _ in page.elements}
    assert [link for link in page.links if not re.fullmatch(r"#[a-z0-9-]+", link)] == []
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert "\x1b" not in text and "\u202e" not in text


def test_users_strings_are_only_text_in_markdown(hostile: Flow) -> None:
    text = DocumentationOrchestrator(hostile).markdown()
    html = MarkdownIt("commonmark").enable("table").render(text)
    page = Page(html)
    assert [link for link in page.links if not re.fullmatch(r"#[a-z0-9-]+", link)] == []
    pictures = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == 1 and re.fullmatch(r"[A-Za-z0-9_-]+\.svg", pictures[0])
    assert not {"script", "b", "em", "iframe"} & {tag for tag, _ in page.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert html.count("<h1>") == 1 and html.count("<h3>") == 2


@pytest.mark.parametrize(
    "text", [MARKUP, LINK, FORGED, "- a", "1. a", "+ a", "a.b", "60.0 s", "# x", "===", "---", ":smile:"]
)
def test_text_for_markdown_shows_as_it_was(text: str) -> None:
    html: str = MarkdownIt("commonmark").render(md(text))
    shown = re.sub(r"<[^>]*>", "", html).strip()
    import html as entities

    assert entities.unescape(shown) == " ".join(text.split("\n"))
    assert html.startswith("<p>") and html.count("<") == 2


def test_text_that_needs_no_escape_has_none() -> None:
    assert md("60.0 s, a-b (c) = d; e?") == "60.0 s, a-b (c) = d; e?"


# ---- generate and check


def test_generated_pages_match_and_a_directory_gets_all_of_them(flow: Flow, tmp_path: Path) -> None:
    writer = DocumentationOrchestrator(flow)
    written = writer.generate(tmp_path / "site" / "docs")
    assert sorted(path.name for path in written) == ["etl.html", "etl.md", "etl.svg"]
    assert sorted(path.name for path in (tmp_path / "site" / "docs").iterdir()) == ["etl.html", "etl.md", "etl.svg"]
    writer.check(tmp_path / "site" / "docs")
    assert writer.generate(tmp_path / "one.html") == [tmp_path / "one.html"]
    writer.check(tmp_path / "one.html")


def test_runs_and_renderers_do_not_make_a_page_outdated(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = DocumentationOrchestrator(flow)
    writer.generate(tmp_path)
    before = (tmp_path / "etl.html").read_text(encoding="utf-8")
    flow.run(display=None, unit="min")
    writer.check(tmp_path)
    writer.generate(tmp_path)
    assert (tmp_path / "etl.html").read_text(encoding="utf-8") != before
    page = (tmp_path / "etl.html").read_text(encoding="utf-8")
    (tmp_path / "etl.html").write_text(re.sub(r'd="M[^"]*"', 'd="M0,0"', page), encoding="utf-8")
    writer.check(tmp_path)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_what_no_longer_matches_is_named(flow: Flow, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / ("page." + suffix)
    writer = DocumentationOrchestrator(flow)
    writer.generate(target)

    @flow.task(isolation="process", timeout=30, tags=["main"])
    def clean(flights: List[int], hard: bool = True) -> List[int]:
        """Without those that were cancelled."""
        return flights

    del flow["report"]
    flow.task(name="summary")(lambda delays: delays)
    with pytest.raises(DocumentationOutdated) as caught:
        writer.check(target)
    found = "\n".join(caught.value.differences)
    assert "section 'summary' is new" in found and "section 'report' is gone" in found
    assert re.search(r"section 'clean': .*def clean\(flights\).*def clean\(flights, hard=True\)", found)
    assert re.search(r"section 'Inputs': \+ .*hard.*True", found)
    assert "section 'Graph'" not in found and "States" not in found
    assert "generate(" in str(caught.value)
    writer.generate(target)
    writer.check(target)


def test_a_docstring_that_changed_and_a_line_that_somebody_wrote_are_noticed(flow: Flow, tmp_path: Path) -> None:
    writer = DocumentationOrchestrator(flow)
    writer.generate(tmp_path / "a.md")
    page = (tmp_path / "a.md").read_text(encoding="utf-8")
    (tmp_path / "a.md").write_text(page.replace("Without those", "With those"), encoding="utf-8")
    with pytest.raises(DocumentationOutdated, match=r"section 'clean': - With those.*\+ Without those"):
        writer.check(tmp_path / "a.md")


def test_a_page_that_is_missing_or_no_text_is_outdated(flow: Flow, tmp_path: Path) -> None:
    writer = DocumentationOrchestrator(flow)
    with pytest.raises(DocumentationOutdated, match="cannot be read: No such file"):
        writer.check(tmp_path)
    (tmp_path / "a.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentationOutdated, match="cannot be read"):
        writer.check(tmp_path / "a.md")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(flowdsl.ConfigError, match="neither a directory nor"):
        writer.generate(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = DocumentationOrchestrator(flow)
    writer.generate(tmp_path / "a.html")
    before = (tmp_path / "a.html").read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        writer.generate(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.html"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_page_may_be_read_by_others_as_the_umask_says(flow: Flow, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        DocumentationOrchestrator(flow).generate(tmp_path / "a.html")
    finally:
        os.umask(before)
    assert (tmp_path / "a.html").stat().st_mode & 0o777 == 0o644


SCRIPT = """
from flowdsl import Flow
from flowdsl.orchestrator import DocumentationOrchestrator
flow = Flow("same")
class Thing: pass
@flow.task(tags=["b", "a"])
def one(s={"x", "y", "z"}, o=Thing(), f=len): pass
@flow.task
def two(one): pass
print(DocumentationOrchestrator(flow).html())
"""


def test_the_page_is_the_same_in_every_process() -> None:
    pages = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert pages[0] == pages[1] and b"0x" not in pages[0].replace(b"#0x", b"")


def test_the_writer_shows_itself_and_does_not_change_with_its_runs(flow: Flow) -> None:
    writer = DocumentationOrchestrator(flow)
    assert repr(writer) == "<DocumentationOrchestrator of flow 'etl': 4 tasks>"
    assert "<svg" in writer._repr_html_()


def test_all_that_was_said_of_retries_is_on_the_page() -> None:
    flow = Flow("again")
    again = Retry(9, delay=1, max_delay=20, give_up_on=(KeyError, ValueError), retry_abandoned=True)
    flow.task(name="a", retries=again)(int)
    page = DocumentationOrchestrator(flow, runs=[]).markdown()
    assert "9, first after 1.0 s, at most 20.0 s, never after KeyError, ValueError, also beside a thread" in page
