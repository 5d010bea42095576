"""The definition of a task in the queue: what `add_task` was told, and what of it the journal keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple, Union

from flowdsl.definition.options import INHERIT, Inherit
from flowdsl.errors import ConfigError

__all__ = ["KEYS", "TaskDefinition", "from_detail", "is_json", "to_detail"]

# The keys of a task, as the document writes them.
KEYS: Tuple[str, ...] = (
    "taskId",
    "type",
    "action",
    "target",
    "parameters",
    "dependencies",
    "priority",
    "timeout",
    "retries",
    "verify",
)


@dataclass(frozen=True)
class TaskDefinition:
    """A task as it was added, checked; `dependencies` are ids, `timeout` is in seconds.

    `function` is what `action` was, where that was not a word. `unkept` names what only this process knows, because
    JSON has no word for it: an orchestrator that takes the task up later refuses to run it.
    """

    task_id: str
    type: str
    action: str
    target: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Tuple[str, ...] = ()
    priority: float = 0.0
    timeout: Union[float, Inherit, None] = INHERIT
    retries: Union[int, Inherit] = INHERIT
    verify: Any = None  # a callable, a JSON Schema, or None
    function: Optional[Callable[..., Any]] = None
    unkept: Tuple[str, ...] = ()


def is_json(value: Any) -> bool:
    """Whether JSON gives back what it was given: a tuple, a key that is a number or a NaN does not come back."""
    try:
        return _same(value, json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        return False


def _same(value: Any, back: Any) -> bool:
    if type(value) is not type(back):
        return False
    if isinstance(value, dict):
        return value.keys() == back.keys() and all(_same(value[key], back[key]) for key in value)
    if isinstance(value, list):
        return len(value) == len(back) and all(map(_same, value, back))
    return bool(value == back)


def to_detail(task: TaskDefinition) -> Dict[str, Any]:
    """What the journal keeps; what has its default is left out."""
    detail: Dict[str, Any] = {"type": task.type, "action": task.action}
    unkept = list(task.unkept)
    for key, value in (("target", task.target), ("parameters", dict(task.parameters)), ("verify", task.verify)):
        if value is None or value == {}:
            continue
        if is_json(value):
            detail[key] = value
        else:
            unkept.append(key)
    if task.dependencies:
        detail["dependencies"] = list(task.dependencies)
    if task.priority:
        detail["priority"] = task.priority
    if task.timeout is not INHERIT:
        detail["timeout"] = task.timeout * 1000 if isinstance(task.timeout, float) else None
    if task.retries is not INHERIT:
        detail["retries"] = task.retries
    if unkept:
        detail["unkept"] = unkept
    return detail


def from_detail(task_id: str, detail: Mapping[str, Any]) -> TaskDefinition:
    """The definition that an earlier orchestrator wrote; what a damaged line may say instead is left at its default."""
    timeout = detail.get("timeout", INHERIT)
    retries = detail.get("retries", INHERIT)
    priority = detail.get("priority")
    parameters = detail.get("parameters")
    return TaskDefinition(
        task_id,
        str(detail.get("type", "task")),
        str(detail.get("action", "")),
        detail.get("target"),
        parameters if isinstance(parameters, dict) else {},
        _texts(detail.get("dependencies")),
        float(priority) if isinstance(priority, (int, float)) else 0.0,
        timeout / 1000 if isinstance(timeout, (int, float)) else None if timeout is None else INHERIT,
        retries if type(retries) is int else INHERIT,
        detail.get("verify"),
        None,
        _texts(detail.get("unkept")),
    )


def _texts(value: Any) -> Tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


# ---- keywords

WORDS: Mapping[str, str] = {"task_id": "taskId"}


class Seconds(NamedTuple):
    """A time-out by keyword; that of a dict is in milliseconds."""

    value: Any


def in_the_documents_words(config: Any, options: Mapping[str, Any]) -> Any:
    """The dict that was given, or the keywords as one."""
    if config is not None and options:
        raise ConfigError("add_task: give a dict or keywords, not both")
    if config is not None:
        return config
    found = {WORDS.get(name, name): value for name, value in options.items()}
    if found.get("timeout", INHERIT) is not INHERIT:
        found["timeout"] = Seconds(found["timeout"])
    return found
