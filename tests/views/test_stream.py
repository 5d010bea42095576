"""Streams that fail."""

from __future__ import annotations

import io
from typing import Any

import pytest

from flowdsl.views.stream import Stream


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "no reader")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Broken(), closed(), object()])
def test_a_stream_that_cannot_be_written_is_left_alone_from_then_on(stream: Any) -> None:
    view = Stream(stream)
    view.write("hello")
    assert view.dead
    view.write("again")
    assert not view.is_terminal()


def test_without_stderr_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    view = Stream()
    assert view.dead
    view.write("hello")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"? caf?"), ("latin-1", b"? caf\xe9"), ("utf-8", "\u2713 caf\u00e9".encode())],
)
def test_what_an_encoding_cannot_write_is_replaced(encoding: str, written: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Stream(stream).write("\u2713 caf\u00e9")
    assert raw.getvalue() == written
