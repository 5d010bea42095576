"""The three ways to execute a graph: wait for it here, leave it behind, await it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, NamedTuple, Optional, Tuple
from weakref import WeakSet

from flowdsl.definition.graph import Graph
from flowdsl.definition.options import RunOptions
from flowdsl.engine.snapshot import Snapshot
from flowdsl.facts import facts
from flowdsl.run import Origin, Run
from flowdsl.runtime.driver import Driver
from flowdsl.runtime.launch import prepare
from flowdsl.runtime.plan import Defaults
from flowdsl.runtime.results import Kept
from flowdsl.runtime.signals import behind, listening
from flowdsl.settings import options as settings
from flowdsl.views.controls import Controls

if TYPE_CHECKING:
    from flowdsl.flow import Flow

PATIENCE = 2.0  # seconds that the end of the interpreter waits for the end of runs that were left behind
watchers: List[Callable[[Run], Any]] = []  # each is told of every run of this process just before it begins
_going: WeakSet[Driver] = WeakSet()
LOOK = 0.1  # seconds between two looks of whoever waits


class Again(NamedTuple):
    """What a run that runs another one again takes over from it, and the line that says what will run."""

    kept: Kept = Kept()
    note: str = ""
    place: Any = None  # on the page; None: the cell that is being executed


def run_here(
    flow: Flow, graph: Graph, inputs: Mapping[str, Any], options: RunOptions, again: Optional[Again] = None
) -> Run:
    """Run the graph and wait for its end, painting meanwhile; a KeyboardInterrupt cancels it and is raised again."""
    __tracebackhide__ = True
    driver, run, view = _make(flow, graph, inputs, options, again, button=False)
    if options.executor == "inline":
        _run_inline(driver, view)
    else:
        _wait_here(driver, view)
    return run.check()


def run_behind(
    flow: Flow, graph: Graph, inputs: Mapping[str, Any], options: RunOptions, again: Optional[Again] = None
) -> Run:
    """Set the run going and return it; a thread paints. With the inline executor it is over when this returns."""
    driver, run, view = _make(flow, graph, inputs, options, again, button=True, stays=_stays(graph, again))
    if options.executor == "inline":
        _run_inline(driver, view)
    else:
        behind.add(driver)
        driver.start()
        _end_at_exit(driver)
        run.painted_by(_paint_behind(driver, view))
    return run


async def run_awaited(flow: Flow, graph: Graph, inputs: Mapping[str, Any], options: RunOptions) -> Run:
    """Await the run; the running loop paints. Cancelling the await cancels the run and waits for its end."""
    driver, run, view = _make(flow, graph, inputs, options, None, button=_hears_while_awaiting())
    if options.executor == "inline":
        _run_inline(driver, view)
    else:
        behind.add(driver)
        driver.start()
        await _await(driver, view)
    return run.check()


def _hears_while_awaiting() -> bool:
    """Whether a button is heard while a cell awaits: kernels before ipykernel 7 read nothing then."""
    return tuple(getattr(sys.modules.get("ipykernel"), "version_info", (7,))[:1]) >= (7,)


def _make(
    flow: Flow,
    graph: Graph,
    inputs: Mapping[str, Any],
    options: RunOptions,
    again: Optional[Again],
    *,
    button: bool,
    stays: str = "",
) -> Tuple[Driver, Run, Any]:
    """A run that has not begun, and its open view, with buttons where they can work; `stays` is left in that view."""
    again = again or Again()
    driver = _prepare(flow, graph, inputs, options, again.kept)
    run = Run(graph, driver, origin=Origin(flow, inputs, options))
    flow.members.ran(run)
    for watcher in tuple(watchers):
        try:
            watcher(run)
        except Exception:  # it must not disturb the run
            logging.getLogger("flowdsl").exception("what watches run %r raised", run.id)
    left = partial(_time_left, driver, options.max_workers)
    return driver, run, _view(options, graph, driver, _controls(run, again, left, button)._replace(stays=stays))


def _stays(graph: Graph, again: Optional[Again]) -> str:
    """What a cell shows in the end that did not wait for it, where it must be the same each time; else ""."""
    if not settings.stable_repr:
        return ""
    started = "flow %s: started here; a cell with the run shows how it ends" % graph.flow
    return "%s\n%s" % (started, again.note) if again is not None and again.note else started


def _controls(run: Run, again: Again, left: Any, button: bool) -> Controls:
    if not button:
        return Controls(note=again.note, time_left=left, place=again.place)
    return Controls(run.cancel, again.note, partial(_retry, run), partial(facts, run), left, again.place)


def _time_left(driver: Driver, most: int, snapshot: Snapshot, now: float) -> Optional[float]:
    from flowdsl.analysis.time_left import time_left

    return time_left(snapshot, driver.expected.seconds, now, most, driver.expected.sizes)


def _retry(run: Run, place: Any) -> None:
    """What Retry failed does: the run that follows is shown where `run` was."""
    from flowdsl.rerun import run_again

    run_again(run, {"failed": True, "from_": None, "dry_run": False, "wait": False}, {}, place)


def _prepare(flow: Flow, graph: Graph, inputs: Mapping[str, Any], options: RunOptions, kept: Kept) -> Driver:
    given = {name: value for name, value in inputs.items() if name in graph.given}
    rest = {name: value for name, value in inputs.items() if name in graph.inputs}  # some are both
    defaults = Defaults(flow.retries, flow.timeout, flow.isolation)
    return prepare(graph, rest, given, options, defaults, options.log_dir or flow.log_dir, kept)


def _view(options: RunOptions, graph: Graph, driver: Driver, controls: Controls) -> Any:
    """The view that fits where we are, opened; None for none."""
    if options.display == "none":
        return None
    from flowdsl.views.choose import choose_view

    view = choose_view(options.display, graph, driver.snapshot, controls._replace(tail=driver.scribe.tail))
    if view is not None:
        view.open()
    return view


def _wait_here(driver: Driver, view: Any) -> None:
    """Start the run and wait for its end; a stop in the middle of that, and a second one, wait for it too."""
    with listening(driver) as heard:
        try:
            driver.start()
            while not driver.finished.wait(LOOK):
                if view is not None:
                    view.paint()
        except BaseException as exc:  # what a handler raises that is not ours, or a stop long after the first
            _end_at_exit(driver)
            driver.cancel("keyboard_interrupt" if isinstance(exc, KeyboardInterrupt) else "cancel_requested")
            if not heard.interrupted:
                driver.finished.wait()
            raise
        finally:
            _close(view)
    if heard.interrupted:
        raise KeyboardInterrupt


def _paint_behind(driver: Driver, view: Any) -> Optional[threading.Thread]:
    """The thread that paints until the run has ended, the last picture included; None where there is no view."""
    if view is None:
        return None

    def paint() -> None:
        while not driver.finished.wait(LOOK):
            view.paint()
        _close(view)

    painter = threading.Thread(target=paint, name="flowdsl-painter", daemon=True)
    painter.start()
    return painter


async def _await(driver: Driver, view: Any) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def tell() -> None:
        loop.call_soon_threadsafe(ended.set)

    driver.when_finished(tell)
    waiting = asyncio.ensure_future(ended.wait())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=LOOK)
            if view is not None:
                view.paint()
    except asyncio.CancelledError:
        driver.cancel("cancel_requested")
        await until_done(waiting)
        raise
    finally:
        _close(view)


async def until_done(waiting: Any) -> None:
    """Wait until this future is done, however often the await is cancelled: nothing may be left running."""
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            continue


def _close(view: Any) -> None:
    if view is not None:
        view.close()


def _run_inline(driver: Driver, view: Any) -> None:
    """Every attempt in this thread; a view is painted from another, and its last picture is waited for.

    What a cell shows after its end is lost on whoever executes the notebook and saves it.
    """
    slot = driver.new_slot()
    painter = _paint_behind(driver, view)
    with listening(driver, slot) as heard:
        driver.run_here(slot)
    if painter is not None:
        painter.join()
    if heard.interrupted:
        raise KeyboardInterrupt


def end_what_goes_on() -> None:
    """At the end of the interpreter: cancel runs that were started and not waited for, and say so."""
    going = [driver for driver in _going if not driver.finished.is_set()]
    for driver in going:
        driver.cancel("cancel_requested")
        logging.getLogger("flowdsl").warning("run %r was still going on and is cancelled; wait() for it", driver.run_id)
    for driver in going:
        driver.finished.wait(PATIENCE)


def _end_at_exit(driver: Driver) -> None:
    """The end of the interpreter ends this run before it ends workers: what is registered last is called first."""
    _going.add(driver)
    atexit.unregister(end_what_goes_on)
    atexit.register(end_what_goes_on)
