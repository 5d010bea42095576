"""The performance of a queue as one picture: what got done over time, and how long each action takes."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

from flowdsl.storage.times import seconds_text
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import GREY, INK, OUTLINE, look
from flowdsl.views.svg import root

__all__ = ["ActionTimes", "Stretch", "performance_svg"]

_WIDTH, _LEFT, _RIGHT = 760.0, 150.0, 140.0  # pixels
_CHART, _ROW = 120.0, 24.0
MOST_ACTIONS = 20


class Stretch(NamedTuple):
    """A stretch of time: its name, and how many attempts that began in it succeeded and failed."""

    label: str
    completed: float
    failed: float


class ActionTimes(NamedTuple):
    """An action: seconds that half and nine tenths of its attempts stay below."""

    action: str
    half: float
    most: float


def performance_svg(stretches: Sequence[Stretch], actions: Sequence[ActionTimes]) -> str:
    """The picture as SVG; the longest twenty actions are drawn."""
    slowest = sorted(actions, key=lambda one: -one.most)[:MOST_ACTIONS]
    body = [_title(16, "attempts over time"), *_columns(stretches, 28), _title(28 + _CHART + 56, "seconds by action")]
    top = 28 + _CHART + 68
    body += _bars(slowest, top)
    height = top + _ROW * len(slowest) + 28
    body.append(_text(_LEFT, height - 8, "bar: half of the attempts are shorter; line: nine tenths", GREY))
    return root(_WIDTH, height, "".join(body), "performance of the queue")


def _columns(stretches: Sequence[Stretch], top: float) -> List[str]:
    most = max((one.completed + one.failed for one in stretches), default=0.0) or 1.0
    width = (_WIDTH - _LEFT - _RIGHT) / max(1, len(stretches))
    bottom = top + _CHART
    marks = [_text(_LEFT - 8, top + 10, "%g" % most, GREY, "end"), _text(_LEFT - 8, bottom, "0", GREY, "end")]
    marks.append(_line(_LEFT, bottom, _WIDTH - _RIGHT, bottom))
    for place, one in enumerate(stretches):
        x, y = _LEFT + place * width, bottom
        for count, state in ((one.completed, "succeeded"), (one.failed, "failed")):
            height = _CHART * count / most
            y -= height
            marks.append(_box(x + 1, y, max(1.0, width - 2), height, look(state).fill) if count else "")
    if stretches:
        marks.append(_text(_LEFT, bottom + 16, stretches[0].label, GREY))
        marks.append(_text(_WIDTH - _RIGHT, bottom + 16, stretches[-1].label, GREY, "end"))
    return [*marks, *_legend(bottom + 34)]


def _legend(y: float) -> List[str]:
    marks, x = [], _LEFT
    for state in ("succeeded", "failed"):
        marks += [_box(x, y - 10, 12, 12, look(state).fill), _text(x + 18, y, look(state).text, GREY)]
        x += 120
    return marks


def _bars(actions: Sequence[ActionTimes], top: float) -> List[str]:
    longest = max((one.most for one in actions), default=0.0) or 1.0
    room = _WIDTH - _LEFT - _RIGHT
    marks = []
    for place, one in enumerate(actions):
        y = top + place * _ROW
        half, most = room * one.half / longest, room * one.most / longest
        marks.append(_text(_LEFT - 8, y + 13, esc(shorten(one.action, 20)), GREY, "end"))
        marks.append(_box(_LEFT, y + 2, max(1.0, half), 14, look("running").fill))
        marks.append(_line(_LEFT + half, y + 9, _LEFT + most, y + 9))
        marks.append(_line(_LEFT + most, y + 4, _LEFT + most, y + 14))
        told = "%s / %s s" % (seconds_text(one.half), seconds_text(one.most))
        marks.append(_text(_LEFT + max(half, most) + 8, y + 13, told, GREY))
    return marks


def _title(y: float, text: str) -> str:
    return _text(_LEFT, y, text, GREY)


def _text(x: float, y: float, text: str, fill: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="{fill}" text-anchor="{anchor}">{text}</text>'


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'{shape} fill="{fill}" stroke="{OUTLINE}" stroke-width="0.6"/>'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path d="M{x:.1f},{y:.1f}L{to_x:.1f},{to_y:.1f}" fill="none" stroke="{GREY}"/>'
