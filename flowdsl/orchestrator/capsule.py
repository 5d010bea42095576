"""The capsule of a failed attempt: all that is known of it, as plain frozen values; never the values of its inputs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

__all__ = ["Argument", "Capsule", "Code", "capsule_from"]


class Argument(NamedTuple):
    """One argument of an attempt, by reference.

    `kind` is "result" (of the task `source`), "missing" (that task has no result), "input" (given to the run) or
    "default"; `type` names the type of the value; `digest` is empty where none was asked for.
    """

    parameter: str
    kind: str
    source: str = ""
    path: str = ""  # keys into the result, or the item of a map: "['train']", "[3]"
    type: str = ""
    digest: str = ""

    def __str__(self) -> str:
        where = {
            "result": "result of %s%s" % (self.source, self.path),
            "missing": "%s%s has no result" % (self.source, self.path),
        }
        kind = " (%s)" % self.type if self.type else ""
        return "%s: %s%s" % (self.parameter, where.get(self.kind, self.kind), kind)


class Code(NamedTuple):
    """A function as text; `digest` changes when its code does, and not when its decorators do."""

    name: str
    file: str = ""
    line: int = 0
    source: str = ""  # empty where nobody kept it
    digest: str = ""


@dataclass(frozen=True)
class Capsule:
    """All that is known of one failed attempt; what is not known is empty or None.

    `arguments` says by reference what the function was called with, `code` what it was, `stacks` where its threads
    were when it was killed, crashed or left behind, `environment` the versions of Python, flowdsl and the packages that
    the function uses.
    """

    run_id: str
    flow: str
    task: str
    attempt: int
    state: str = ""
    cause: str = ""
    mechanism: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    stacks: str = ""
    output: str = ""
    started_at: Optional[float] = None  # seconds since the epoch
    duration_s: Optional[float] = None
    worker: str = ""
    pid: Optional[int] = None
    arguments: Optional[Tuple[Argument, ...]] = None
    code: Optional[Code] = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return {"v": 1, **asdict(self)}

    def __repr__(self) -> str:
        from flowdsl.orchestrator.capsule_view import capsule_text

        return capsule_text(self)

    def _repr_html_(self) -> str:
        from flowdsl.orchestrator.capsule_view import capsule_html

        return capsule_html(self)


_NUMBERS = ("started_at", "duration_s", "pid")


def capsule_from(data: Mapping[str, Any]) -> Capsule:
    """The capsule that `to_json` wrote; what is not of its kind is left out, for a file may hold anything."""
    said: Dict[str, Any] = {
        one.name: data[one.name]
        for one in fields(Capsule)
        if isinstance(data.get(one.name), (int, float) if one.name in _NUMBERS else str)
    }
    attempt, environment = data.get("attempt"), data.get("environment")
    said["attempt"] = attempt if type(attempt) is int else 0
    said["environment"] = _texts(environment) if isinstance(environment, dict) else {}
    said["arguments"] = _arguments(data.get("arguments"))
    said["code"] = _code(data.get("code"))
    return Capsule(**{"run_id": "", "flow": "", "task": "", **said})


def _texts(values: Mapping[Any, Any]) -> Dict[str, str]:
    return {name: value for name, value in values.items() if isinstance(name, str) and isinstance(value, str)}


def _arguments(rows: Any) -> Optional[Tuple[Argument, ...]]:
    if not isinstance(rows, list):
        return None
    width = len(Argument._fields)
    whole = [row for row in rows if isinstance(row, list) and len(row) == width]
    return tuple(Argument(*map(str, row)) for row in whole)


def _code(row: Any) -> Optional[Code]:
    if not isinstance(row, list) or len(row) != len(Code._fields) or type(row[2]) is not int:
        return None
    return Code(str(row[0]), str(row[1]), row[2], str(row[3]), str(row[4]))
