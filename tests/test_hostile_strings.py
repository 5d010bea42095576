"""Strings that want to be markup, in every place that a user can set, through every public view.

HTML and SVG are parsed as a browser would, and may hold only the elements and attributes that the views write.
Text for terminals and logs may hold no control character, and no message may make a line of its own.
"""

from __future__ import annotations

import io
import re
from base64 import b64decode
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import flowdsl
from flowdsl import DebugOrchestrator, DocumentationOrchestrator, Flow, Retry, Run, RunFailed, Skip, TaskOrchestrator
from flowdsl.cli import main
from flowdsl.facts import facts
from flowdsl.views import dot
from flowdsl.views.controls import Controls
from flowdsl.views.lines import LineView
from flowdsl.views.renderer import find_dot, render
from flowdsl.views.screen import Screen, ScreenMaker
from flowdsl.views.static import plan_bundle, retry_line, run_bundle
from flowdsl.views.summary import summary
from flowdsl.views.surface import HtmlSurface
from flowdsl.views.terminal import TerminalView

IMAGE = "<img src=x onerror=alert(1)>"
NAMES = [
    IMAGE,
    "\"><svg onload=alert(1)>'",
    "javascript:alert(1)//".replace("/", "\\"),
    "&lt;img src=x&gt; &#60;script&#62;",
    "<!-- <![CDATA[".replace("[", "("),
    '"); click n0 "javascript:x" %% end',
    '\\N \\l "; }; n9 (label=<<b>x<\\b>>)',
    "--> n0 --- end subgraph {{7*7}} `*b*`",
]
TAIL = '\n{"status":"completed"}\r\x1b[2J\x1b]0;owned\x07\x1b[31mred\x00\x08\u202e\ud800</pre></div>]]>'

TAGS = re.findall(
    r"\w+", "html head meta title style body h1 h2 div span b br pre img table tr th td details summary thead tbody"
)
SVG_TAGS = re.findall(r"\w+", "svg g path polygon polyline ellipse rect text style")
ATTRIBUTES = re.findall(
    r"\S+", "style src alt width height lang charset name content http-equiv open border class data-flowdsl-run"
)
SVG_ATTRIBUTES = re.findall(
    r"\S+",
    "id class d fill stroke x y rx ry cx cy points transform viewBox viewbox xmlns role aria-label font-family"
    " font-size text-anchor stroke-width stroke-dasharray stroke-opacity width height style space",
)
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


class Odd:
    """A value whose repr is the payload."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def flow_of(name: str) -> Flow:
    """A flow that says `name` wherever a flow and a task can say something; tasks fail, retry, skip and are mapped."""
    message = name + TAIL
    made = Flow(name, limits={name: 2})
    error, odd = type(name, (Exception,), {}), Odd(message)

    @made.task(name=f"a {name}", tags=[name, "other"], type=name, uses=name)
    def first(value: Any = odd, more: str = message) -> List[str]:
        print(message)
        flowdsl.progress(0.5, message)
        return [name, name]

    first.__doc__ = message
    made.task(name=f"b {name}", depends_on={"items": f"a {name}"}, map="items", tags=name)(lambda items: items)
    attempts: List[int] = []

    @made.task(name=f"c {name}", depends_on=f"a {name}", retries=Retry(1))
    def fails() -> None:
        attempts.append(1)
        print(message)
        raise error(message)

    @made.task(name=f"d {name}", depends_on=f"a {name}")
    def skips() -> None:
        raise Skip(message)

    made.task(name=f"e {name}", depends_on=[f"c {name}", f"b {name}", f"d {name}"])(lambda: None)
    spec = first.spec
    object.__setattr__(spec, "doc", message)  # a docstring has one line in a spec; here it is as bad as can be
    return made


class Page(HTMLParser):
    """The elements and attributes of a page that are none of ours, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: List[str] = []
        self.pictures: List[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        if tag not in (*TAGS, *SVG_TAGS):
            self.strange.append(tag)
        for name, value in attrs:
            if name not in (*ATTRIBUTES, *SVG_ATTRIBUTES):
                self.strange.append(f"{tag} {name}={value}")
            if name == "src":
                head, _, data = (value or "").partition("data:image/svg+xml;base64,")
                self.pictures.append(b64decode(data).decode() if not head else f"<{head}>")

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.strange.append(f"comment {data}")

    def unknown_decl(self, data: str) -> None:
        self.strange.append(f"declaration {data}")

    def handle_data(self, data: str) -> None:
        self.text += data


def check_html(html: str, shows: str) -> None:
    page = Page()
    page.feed(html)
    page.close()
    assert page.strange == []
    assert shows in page.text + "".join(map(check_svg, page.pictures))


def check_page(html: str, shows: str) -> None:
    """A page of documentation: it has more elements, and links to its own headings."""
    page = Page()
    page.feed(html)
    page.close()
    own = ("a", "nav", "main", "section", "aside", "p", "ul", "ol", "li", "code", "h3", "h4", "dl", "dt", "dd")
    links = re.compile(r"\w+ (?:id=[\w-]+|href=#[\w-]+|target=_top)|comment  flowdsl: [\w -]+")
    assert [one for one in page.strange if one not in own and not links.fullmatch(one)] == []
    assert shows in page.text


def check_svg(svg: str) -> str:
    """Its text; fails for what is not well-formed, and for elements and attributes that are none of ours."""
    tree = ElementTree.fromstring(svg)
    for element in tree.iter():
        assert element.tag.rpartition("}")[2] in SVG_TAGS
        assert {name.rpartition("}")[2] for name in element.attrib} <= set(SVG_ATTRIBUTES)
    return "".join(tree.itertext())


def check_text(text: str) -> None:
    assert not CONTROLS.search(text)
    assert not [line for line in text.splitlines() if line.startswith('{"status"')]


class Views(NamedTuple):
    html: Dict[str, str]
    svg: Dict[str, str]
    text: Dict[str, str]
    pages: Dict[str, str]  # with links to their own headings


def bundle(thing: Any) -> Dict[str, str]:
    made = thing._repr_mimebundle_()
    return made[0] if isinstance(made, tuple) else made


@pytest.fixture(params=NAMES, scope="module")
def hostile(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[str, Views]]:
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("hostile")
        patch.chdir(directory)
        yield request.param, views_of(request.param, directory)


def views_of(name: str, directory: Path) -> Views:
    flow = flow_of(name)
    log_dir = directory / "logs"
    run = flow.run(log_dir=log_dir, display="none", raise_on_failure=False)
    assert run.state == "failed"
    flow.task(name=f"a {name}", tags=name)(lambda: [name])  # now there are stale tasks
    runs = flowdsl.load_runs(log_dir)
    broken = flow_of(name)
    broken.task(name=f"a {name}", depends_on=f"e {name}")(list)
    shown = {
        "flow": flow, "task": flow[f"b {name}"], "graph": flow.graph(), "run": run, "past run": runs[-1],
        "timeline": run.timeline(), "broken flow": broken, "graph of a run": run.graph,
        "timeline of a plan": run.what_if(2).timeline(), "what runs again": run.rerun(failed=True, dry_run=True),
    }  # fmt: skip
    made = Views({"runs": runs._repr_html_()}, {}, {"runs": repr(runs), "failures": repr(run.failures)}, {})
    for what, thing in shown.items():
        made.text[what] = repr(thing)
        for kind, data in bundle(thing).items():
            {"text/html": made.html, "image/svg+xml": made.svg, "text/plain": made.text}[kind][f"{what}, {kind}"] = data
    add_files(made, flow, run, runs[-1])
    add_live(made, run)
    add_terminal(made, flow, run, log_dir)
    add_looks_back(made, flow, log_dir)
    add_orchestrators(made, name, directory)
    return made


def add_files(made: Views, flow: Flow, run: Run, past: Any) -> None:
    graph = flow.graph()
    made.html["report"] = run.report("run.html").read_text(encoding="utf-8")
    made.html["report of a past run"] = past.report("past.html").read_text(encoding="utf-8")
    made.html["saved page"] = graph.save("graph.html").read_text(encoding="utf-8")
    made.svg["saved picture"] = graph.save("graph.svg").read_text(encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dot, "find_renderers", list)
        dot._layouts.clear()
        made.svg["own layout"] = dot.render_svg(graph)
        made.svg["own layout of a run"] = dot.render_svg(graph, dict.fromkeys(graph, "failed"))
        patch.setattr(dot, "Picture", None)
        made.svg["text as a picture"] = dot.render_svg(graph)
    dot._layouts.clear()


def add_live(made: Views, run: Run) -> None:
    snapshot = run.snapshot()
    row = next(row for row in snapshot.tasks.values() if row.name.startswith("d "))
    before, row.state, row.progress = row.state, "running", 0.5
    snapshot.counts["running"] += 1
    controls = Controls(note=row.message, facts=partial(facts, run), tail=lambda *_: row.message)
    chosen = next(name for name in snapshot.tasks if name.startswith("c "))
    screen = ScreenMaker(run.graph, controls).make(snapshot, 2e9, chosen)
    snapshot.counts["running"] -= 1
    row.state, row.progress = before, None
    made.svg["live picture"] = screen.svg
    for part in ("headline", "table", "news", "panel"):
        made.html[f"live {part}"] = getattr(screen, part)
    made.html["live without widgets"] = html_of(screen)
    end = run_bundle(run.graph, snapshot, lambda *_: row.message, retry_line(run.id))
    made.html["end of a live view"], made.text["end of a live view"] = end["text/html"], end["text/plain"]
    made.html["what stays of a run left behind"] = plan_bundle(run.graph, {}, row.message)["text/html"]


def html_of(screen: Screen) -> str:
    shown: List[str] = []

    class Handle:
        def update(self, data: Any, raw: bool) -> None:
            shown.append(data["text/html"])

    HtmlSurface(Handle()).show(screen)
    return shown[0]


def add_looks_back(made: Views, flow: Flow, log_dir: Path) -> None:
    history = flow.history(log_dir=log_dir)
    made.text["history"] = repr(history)
    made.html["history"] = history._repr_html_()
    drawn = io.StringIO()
    history.plot().savefig(drawn, format="svg")
    found = ElementTree.fromstring(drawn.getvalue())  # letters are paths there: no name can be more than a shape
    kinds = {element.tag.rpartition("}")[2] for element in found.iter()}
    assert "path" in kinds and not kinds & {"img", "script", "a", "image", "foreignObject"}
    assert not [name for element in found.iter() for name in element.attrib if name.lower().startswith("on")]


def add_orchestrators(made: Views, name: str, directory: Path) -> None:
    flow = flow_of(name)
    options = {"log_dir": directory / "debug", "display": "none", "raise_on_failure": False}
    with DebugOrchestrator(flow) as debug:
        before = flow.run({"more": name}, **options)
        flow.task(name=f"a {name}", tags=name)(lambda more=name + TAIL: [name, more])
        after = flow.run({"more": name + TAIL}, **options)
    capsule, difference = debug.inspect(f"c {name}"), debug.diff(before, after)
    made.html["capsule"], made.text["capsule"] = capsule._repr_html_(), repr(capsule)
    made.html["difference"], made.text["difference"] = difference._repr_html_(), repr(difference)
    documented = DocumentationOrchestrator(flow)
    made.pages["documentation"] = documented.html()
    made.pages["card of the documentation"] = documented._repr_html_()
    with TaskOrchestrator(task_log_dir=directory / "queue", retry_attempts=0) as queue:
        queue.handler(name, lambda context: 1 / 0 if context.parameters["n"] else 1)
        for n in (0, 1):
            queue.add_task({"action": name, "parameters": {"n": n, name: name + TAIL}})
        with pytest.raises(RunFailed):
            queue.execute_all()
        found = queue.performance()
        check_svg(found.picture())  # names are cut to 16 columns there
        made.text["performance"] = repr(found)


def add_terminal(made: Views, flow: Flow, run: Run, log_dir: Path) -> None:
    for view in (LineView, TerminalView):
        stream = io.StringIO()
        watcher = view(run.graph, run.snapshot, stream=stream)
        watcher.open()
        watcher.paint()
        watcher.close()
        made.text[view.__name__] = re.sub(r"\r +\r", "\n", stream.getvalue())  # how it wipes its line
    made.text["summary"] = summary(run.snapshot(), "logs", {"result": Odd(IMAGE + TAIL)})
    with pytest.raises(RunFailed) as caught:
        flow_of(flow.name).run(log_dir=log_dir, display="none")
    made.text["RunFailed"] = str(caught.value)
    traceback = "\n".join(caught.value._render_traceback_())
    made.text["error below a cell"] = re.sub("\x1b\\[(31|0)m", "", traceback)  # our own colours
    for what in ("--runs", "--tasks", "--attempts", "--failures", "--events"):
        done = CliRunner().invoke(main, ["logs", "--dir", str(log_dir), what])
        assert done.exit_code == 0
        made.text[f"flowdsl logs {what}"] = done.output


def test_html_holds_only_elements_of_ours_and_the_name_as_text(hostile: Tuple[str, Views]) -> None:
    name, views = hostile
    for what, html in views.html.items():
        with_context(what, check_html, html, shown_in(what, name))


def shown_in(what: str, name: str) -> str:
    """What must stand there; in a timeline a name is cut that is too long for its bar, which is as long as it took."""
    return "" if what.startswith("timeline") else name


def test_documentation_links_to_nothing_but_itself(hostile: Tuple[str, Views]) -> None:
    name, views = hostile
    for what, html in views.pages.items():
        with_context(what, check_page, html, name)


def test_svg_holds_only_elements_of_ours_and_the_name_as_text(hostile: Tuple[str, Views]) -> None:
    name, views = hostile
    for what, svg in views.svg.items():
        assert shown_in(what, name) in with_context(what, check_svg, svg).replace("\u00a0", " "), what


def test_text_holds_no_control_characters_and_no_line_of_a_users_making(hostile: Tuple[str, Views]) -> None:
    name, views = hostile
    for what, text in views.text.items():
        with_context(what, check_text, text)
    assert sum(name in text or repr(name)[1:-1] in text for text in views.text.values()) >= 20


LABEL = r'"(?:[^"\[\]<>{}|`;#]|#\d+;|<br>)*"'  # entities, and what has no meaning in Mermaid
MERMAID = "|".join(
    (
        r"flowchart LR|  end|  class [ng\d,]+ \w+|  classDef \w+ [\w:#, -]+",
        rf"  subgraph g\d+\[{LABEL}\]",
        rf" +n\d+(?:\({LABEL}\)|\[\[{LABEL}\]\]|\(\[{LABEL}\]\))",
        rf"  n\d+ (?:-->|-\.->)(?:\|{LABEL}\|)? n\d+",
    )
)


def test_mermaid_holds_only_what_its_grammar_needs_and_entities(hostile: Tuple[str, Views]) -> None:
    graph = flow_of(hostile[0]).graph()
    for line in graph.to_mermaid().splitlines():
        assert re.fullmatch(MERMAID, line), line


def test_graphviz_draws_as_many_boxes_as_there_are_tasks_and_inputs_and_no_link(hostile: Tuple[str, Views]) -> None:
    name, _ = hostile
    program = find_dot()
    if program is None:
        pytest.skip("no renderer here")
    graph = flow_of(name).graph()
    tree = ElementTree.fromstring(render(program, graph.to_graphviz().source) or b"")
    groups = [element for element in tree.iter() if element.get("class") == "node"]
    assert len(groups) == len(graph.tasks) + len(graph.inputs)
    assert not [element for element in tree.iter() if element.tag.endswith("}a")]
    assert name in "".join(tree.itertext()).replace("\u00a0", " ")


def with_context(what: str, check: Any, *arguments: Any) -> Any:
    try:
        return check(*arguments)
    except AssertionError as exc:
        raise AssertionError(f"in {what}: {exc}\n{arguments[0][:3000]!r}") from exc


def test_enough_views_were_looked_at(hostile: Tuple[str, Views]) -> None:
    _, views = hostile
    assert (len(views.html), len(views.svg), len(views.text)) == (24, 10, 37)
