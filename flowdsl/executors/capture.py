"""Routes what attempts print and log to where each attempt's output goes, by context; all others print as ever.

While runs are going `sys.stdout` and `sys.stderr` are stand-ins that ask whose context it is that writes. A log record
reaches its handlers first; the attempt's output has it from one of them, if that writes to the routed stderr, else
from here. No handler is added anywhere, for a logger with handlers behaves otherwise than one without.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections import deque
from typing import Any, Callable, Deque, Iterable, Optional

from flowdsl.executors.current import Current, Output, here

__all__ = ["Routed", "begin", "end"]

ECHOED = "\n[flowdsl: the rest is not shown here; run.output(...) has it]\n"
FORMAT = logging.Formatter(logging.BASIC_FORMAT)  # of records that no handler writes to the output

KEPT = 16  # stand-ins

_guard = threading.Lock()
_stand_ins: Deque[Routed] = deque(maxlen=KEPT)
_going = 0  # how many want it
_takes_records = False
_pass_on: Optional[Callable[[logging.LogRecord], bool]] = None
_call_handlers: Callable[[logging.Logger, logging.LogRecord], Any] = logging.Logger.callHandlers


class Routed:
    """Stands in for a stream: what an attempt writes goes to its output, everything else to the stream itself."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        current = here()
        output = None if current is None else current.find_output()
        if output is None:
            if self.original is not None:
                self.original.write(text)
        else:
            output.write(text)
            _echo(current, text, self.original)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        output = _output_here()
        if output is not None:
            output.flush()
        elif self.original is not None:
            self.original.flush()

    def close(self) -> None:
        """Of an attempt nothing is closed: the stream behind it is everybody's, and it may write more."""
        if _output_here() is None and self.original is not None:
            self.original.close()

    def detach(self) -> Any:
        if _output_here() is not None:
            raise io.UnsupportedOperation("detach")
        return self.original.detach()

    def isatty(self) -> bool:
        return _output_here() is None and self.original is not None and bool(self.original.isatty())

    @property
    def encoding(self) -> Any:
        return "utf-8" if _output_here() is not None else getattr(self.original, "encoding", "utf-8")

    @property
    def buffer(self) -> Any:
        """For bytes; those of an attempt join its text."""
        return self.original.buffer if _output_here() is None else _Bytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __reduce__(self) -> Any:
        """In another process: the stream of that name there."""
        return getattr, (sys, "stderr" if self is sys.stderr else "stdout")


class _Bytes(io.RawIOBase):
    """The `buffer` of a routed stream."""

    def __init__(self, stream: Routed) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._stream.write(bytes(view).decode("utf-8", "backslashreplace"))
        return len(view)

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()


def _output_here() -> Optional[Output]:
    current = here()
    return None if current is None else current.find_output()


def _echo(current: Optional[Current], text: str, stream: Any) -> None:
    """Show it in the calling thread's own stream too, as long as there is room; only inline attempts have any."""
    scribe = None if current is None else current.scribe
    if scribe is None or not scribe.echo or stream is None:
        return
    shown = text[: scribe.echo]
    scribe.echo -= len(shown)
    stream.write(shown if scribe.echo else shown + ECHOED)


# ---- while it is wanted


def begin() -> None:
    """Route from now on; each call is answered by one of `end`."""
    global _going
    with _guard:
        _going += 1
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not isinstance(stream, Routed):  # at the first; or somebody has put another in its place
                setattr(sys, name, _stand_in(stream))
        _take_records()


def _stand_in(stream: Any) -> Routed:
    """The one for this stream; it lives on, for `print` in another thread may use it without holding on to it.

    Python's own `print` borrows `sys.stdout` while it calls it: where that is let go meanwhile, the process crashes.
    """
    for known in _stand_ins:
        if known.original is stream:
            return known
    _stand_ins.append(Routed(stream))
    return _stand_ins[-1]


def end() -> None:
    """Nobody prints any more for whom `begin` was called; a stream that somebody else has put there stays."""
    global _going
    with _guard:
        _going -= 1
        if _going:
            return
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, Routed):
                setattr(sys, name, stream.original)
        _leave_records()


def pass_on(hear: Callable[[logging.LogRecord], bool]) -> None:
    """For a worker process: records go there too; True where handlers elsewhere get it, and nobody here need care."""
    global _pass_on
    _pass_on = hear
    _take_records()


def _take_records() -> None:
    global _call_handlers, _takes_records
    if not _takes_records:
        _call_handlers = logging.Logger.callHandlers
        logging.Logger.callHandlers = _route_record  # type: ignore[assignment,method-assign]
        _takes_records = True


def _leave_records() -> None:
    """Unless another library has put its own before ours, and calls ours from there: then it stays."""
    global _takes_records
    if logging.Logger.callHandlers is _route_record:
        logging.Logger.callHandlers = _call_handlers  # type: ignore[assignment,method-assign]
        _takes_records = False


def _route_record(logger: logging.Logger, record: logging.LogRecord) -> None:
    """In the place of `Logger.callHandlers`, which is asked for every record that its logger lets pass."""
    output = _output_here()
    before = -1 if output is None else output.count
    if _pass_on is None or not _pass_on(record) or logger.hasHandlers():
        _call_handlers(logger, record)
    if output is not None and output.count == before:
        output.write(_line(record))


def _line(record: logging.LogRecord) -> str:
    try:
        return FORMAT.format(record) + "\n"
    except Exception as exc:  # its arguments do not fit its text
        return "%s:%s:%r (%s)\n" % (record.levelname, record.name, record.msg, type(exc).__name__)


def _forget() -> None:
    """In a forked child: another thread may have held the lock."""
    global _guard
    _guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
