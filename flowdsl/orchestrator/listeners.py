"""The listeners: who hears of which event, on one thread of their own, so that none can disturb a run."""

from __future__ import annotations

import inspect
import logging
import queue
import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from flowdsl.definition.checks import check_choice, refuse

__all__ = ["EVENTS", "Listeners"]

EVENTS: Tuple[str, ...] = (
    "taskAdded",
    "taskStart",
    "taskProgress",
    "taskRetry",
    "taskComplete",
    "taskFailed",
    "taskCancelled",
    "queueDrained",
)

Callback = Callable[[Dict[str, Any]], Any]


class Listener(NamedTuple):
    """A callback, and whether it wants to hear only once."""

    callback: Callback
    once: bool


class Listeners:
    """Calls each listener with a copy of what happened, in the order in which things happened.

    What a listener raises is logged, once for each listener. A slow one delays the others and nothing else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_event: Dict[str, List[Listener]] = {name: [] for name in EVENTS}
        self._complained: List[Callback] = []
        self._queue: queue.SimpleQueue[Optional[Tuple[str, Mapping[str, Any]]]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._unsaid = 0
        self._silent = threading.Condition(self._lock)

    def add(self, event: Any, callback: Any, *, once: bool) -> None:
        """ConfigError for an event that there is not, or a callback that cannot be called."""
        check_choice(event, "event", "on", EVENTS)
        if not callable(callback) or inspect.iscoroutinefunction(callback):
            why = "is a coroutine function, which nobody awaits; give a plain function"
            refuse("on", "callback", callback, why if callable(callback) else "cannot be called")
        with self._lock:
            self._by_event[event].append(Listener(callback, once))

    def remove(self, event: Any, callback: Any = None) -> None:
        """Take one callback away, or all of that event."""
        check_choice(event, "event", "off", EVENTS)
        with self._lock:
            kept = [one for one in self._by_event[event] if callback is not None and one.callback != callback]
            self._by_event[event] = kept

    def are_there(self, event: str) -> bool:
        """Whether anybody wants to hear of it."""
        with self._lock:
            return bool(self._by_event[event])

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        """Let it be known; returns at once."""
        with self._lock:
            if not self._by_event[event]:
                return
            self._unsaid += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._speak, name="flowdsl-listeners", daemon=True)
                self._thread.start()
            self._queue.put((event, payload))

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until every listener has heard all that happened; True at once in a listener itself."""
        if threading.current_thread() is self._thread:
            return True
        with self._silent:
            return self._silent.wait_for(lambda: not self._unsaid, timeout)

    def close(self) -> None:
        """Let the thread end when everything is said; another begins when there is more to say."""
        with self._lock:
            if self._thread is not None:
                self._queue.put(None)
                self._thread = None

    def _speak(self) -> None:
        while True:
            said = self._queue.get()
            if said is None:
                return
            for listener in self._hearers(said[0]):
                self._call(listener.callback, *said)
            with self._silent:
                self._unsaid -= 1
                self._silent.notify_all()

    def _hearers(self, event: str) -> List[Listener]:
        with self._lock:
            found = self._by_event[event]
            self._by_event[event] = [one for one in found if not one.once]
            return found

    def _call(self, callback: Callback, event: str, payload: Mapping[str, Any]) -> None:
        try:
            callback(dict(payload))
        except BaseException as exc:  # a listener that calls sys.exit ends neither a run nor this thread
            if callback not in self._complained:
                self._complained.append(callback)
                name = getattr(callback, "__qualname__", callback)
                text = "listener %s of %s raised %s; what it raises from now on is not logged"
                logging.getLogger("flowdsl").error(text, name, event, type(exc).__name__, exc_info=exc)
