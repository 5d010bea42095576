"""The line: one event, one line, whatever is in it, and the same event again when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Mapping
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine.events import Event
from flowdsl.storage import line as line_module
from flowdsl.storage.detail import MESSAGE_LIMIT
from flowdsl.storage.journal import read_journal
from flowdsl.storage.line import format_lines, parse_line
from tests.storage.samples import AT, added, events_of, lines_of, started, succeeded, write

# Any code point, lone surrogates with them.
anything = some.text(some.characters(), max_size=15)
values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**60), 2**60)
    | some.floats(allow_nan=False, allow_infinity=False)
    | anything,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(anything, inner, max_size=3),
    max_leaves=8,
)
NASTY = [
    'message with\n{"status":"completed"}',
    '"}\n{"v":1,"seq":0,"at":"x","event":"run_ended"}\n',
    "\r\n\t\x00\x1b[2J\x7f\x85\u2028\u2029",
    "\ud800 alone \udfff",
    '\\" \\n %s %d %% %(x)s {0}',
    "naïve ünïcode 漢字 🎈",
    "",
]


def no_spill(seq: int, text: bytes) -> Mapping[str, Any]:
    raise AssertionError("nothing here is long enough")


def text_of(*events: Event) -> bytes:
    return format_lines([(AT, events)], 12, no_spill)


def test_a_line_has_the_documented_fields_in_the_documented_order() -> None:
    event = Event("attempt_failed", "b", 2, "running", "retry_wait", "retry", "a", "raised", "killed", {"pid": 9})
    text = text_of(event).decode()
    body, crc = text[:-1].split(',"crc":')
    assert body == (
        '{"v":1,"seq":12,"at":"2026-11-22T16:10:29.123456Z","event":"attempt_failed","task":"b","attempt":2,'
        '"before":"running","state":"retry_wait","cause":"retry","cause_task":"a","attempt_cause":"raised",'
        '"mechanism":"killed","detail":{"pid":9}'
    )
    assert crc == f'"{crc32(body.encode()):08x}"}}'


def test_what_is_empty_is_left_out() -> None:
    assert list(json.loads(text_of(started(detail={})))) == [
        "v", "seq", "at", "event", "task", "attempt", "before", "state", "cause", "crc",
    ]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_no_text_in_any_place_breaks_a_line_or_changes_what_it_says(log_dir: Path, text: str) -> None:
    event = Event(text, text, 1, text, text, text, text, text, text, {"error": text, text: [text, {text: text}]})
    plain = succeeded("after")
    run_dir = write(log_dir, [event, plain])
    assert len(lines_of(run_dir)) == 2
    for line in lines_of(run_dir):
        assert json.loads(line.decode("ascii"))["v"] == 1
        assert not any(byte < 0x20 for byte in line)
    log = read_journal(run_dir)
    assert [found for _, found in events_of(log)] == [event, plain]
    assert log.damage == []


def test_a_message_that_looks_like_a_line_changes_no_status(log_dir: Path) -> None:
    forged = text_of(succeeded("clean")).decode()
    failed = Event("attempt_failed", "clean", 1, "running", "failed", "raised", detail={"error": "\n" + forged})
    log = read_journal(write(log_dir, [failed]))
    assert [(found.state, found.detail) for _, found in events_of(log)] == [("failed", {"error": "\n" + forged})]


@given(some.lists(some.tuples(anything, anything, anything, values), min_size=1, max_size=4))
def test_every_event_comes_back_as_it_was(drawn: Any) -> None:
    events = [started(task, cause_task=other, detail={key: value}) for task, other, key, value in drawn]
    data = text_of(*events)
    lines = data.split(b"\n")
    assert lines.pop() == b""
    read = [parse_line(line) for line in lines]
    assert [line.event for line in read] == events
    assert [line.seq for line in read] == list(range(12, 12 + len(events)))
    assert {line.at for line in read} == {AT}


@given(some.dictionaries(anything, values, min_size=1, max_size=4))
def test_a_detail_is_the_same_json_that_the_library_would_write(detail: Dict[str, Any]) -> None:
    assert json.loads(text_of(added(detail=detail)))["detail"] == json.loads(json.dumps(detail))


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Count(int):
    def __repr__(self) -> str:
        return "Count"


circle: Dict[str, Any] = {}
circle["again"] = circle


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ([1, float("inf")], [1, "inf"]),
        (Path("a") / "b", repr(Path("a") / "b")),
        (Odd(), "<odd>"),
        (Broken(), "<Broken>"),
        ({"inner": Odd()}, {"inner": "<odd>"}),
        ({1: Odd()}, {"1": "<odd>"}),
        ({2}, [2]),
        (b"bytes", "b'bytes'"),
        (Count(3), 3),
        (True, True),
        (10**20, 10**20),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_no_word_for_is_written_as_text(value: Any, expected: Any) -> None:
    assert parse_line(text_of(started(detail={"value": value}))[:-1]).event.detail == {"value": expected}


def test_a_detail_that_holds_itself_or_a_number_without_end_is_still_a_line() -> None:
    for value in (circle, 1 << 40_000, [1 << 40_000]):
        assert parse_line(text_of(started(detail={"value": value}))[:-1]).event.task == "clean"


@pytest.mark.parametrize("key", ["message", "error"])
def test_a_long_message_is_cut_with_a_mark_and_everything_else_is_kept(key: str) -> None:
    detail = {key: "x" * 10_000, "traceback": "y" * 10_000, "cpu_s": 0.5}
    written = parse_line(text_of(started(detail=detail))[:-1]).event.detail
    assert written is not None
    assert len(written[key]) == MESSAGE_LIMIT
    assert written[key].endswith("x ... [truncated, 10000 characters in all]")
    assert (written["traceback"], written["cpu_s"]) == (detail["traceback"], 0.5)
    assert detail[key] == "x" * 10_000  # what others hold is not touched


def test_a_message_at_the_limit_is_whole() -> None:
    message = "x" * MESSAGE_LIMIT
    assert parse_line(text_of(started(detail={"message": message}))[:-1]).event.detail == {"message": message}


def test_words_without_end_do_not_fill_the_memory() -> None:
    for number in range(2_500):
        text_of(Event("attempt_started", "clean", 1, "ready", "running", f"cause {number}"))
    assert len(line_module._heads) <= 1_001


def test_names_are_not_kept() -> None:
    known = set(line_module._heads)
    text_of(*(started(f"task {number}") for number in range(100)))
    assert len(set(line_module._heads) - known) <= 1
