"""A task of the queue as a run executes it: its handler with its arguments; and what the handler sees of it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from flowdsl.definition.checks import check_number, refuse
from flowdsl.executors.current import Current, current
from flowdsl.executors.progress import progress
from flowdsl.orchestrator.handlers import Source
from flowdsl.orchestrator.log import Log

__all__ = ["AsyncWork", "Context", "Work", "check_progress"]


def check_progress(value: Any, where: object) -> float:
    """A percentage, 0 to 100."""
    return check_number(value, "progress", where, least=0, most=100, hint="give a percentage, 0 to 100")


class Context:
    """The attempt as its handler sees it: `task_id`, `attempt` (from 1), and a log whose lines carry both."""

    def __init__(self, task_id: str, action: str, attempt: Current) -> None:
        self.task_id = task_id
        self.action = action
        self._current = attempt
        self._percent = 0.0

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1."""
        return self._current.attempt

    @property
    def cancelled(self) -> bool:
        """Whether the attempt has been asked to end: cancelled, or out of time."""
        return self._current.stopped

    @property
    def log(self) -> Log:
        """A log whose lines carry the id of the task and the number of the attempt."""
        return Log.of_task(self.task_id, self.attempt)

    def progress(self, percent: float, message: str = "") -> None:
        """Say how far the task is, 0 to 100, and what it is doing."""
        self._percent = check_progress(percent, "context")
        if not isinstance(message, str):
            refuse("context", "message", message, "is not a str")
        progress(self._percent / 100, message)

    def message(self, text: str) -> None:
        """Say what the task is doing."""
        self.progress(self._percent, text)

    def check(self) -> None:
        """Return at once; raise AttemptStopped if the attempt has been asked to end."""
        self._current.check()

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise AttemptStopped as soon as the attempt has been asked to end."""
        self._current.sleep(seconds)

    def __repr__(self) -> str:
        return "<context of attempt %d of task %r>" % (self.attempt, self.task_id)


class Work:
    """A handler with the arguments of one task; called with the results of its dependencies by their ids."""

    def __init__(self, function: Callable[..., Any], task: Mapping[str, Any], sources: Tuple[Source, ...]) -> None:
        self.function = function
        self.task = task  # taskId, type, action, target, parameters, dependencies
        self.sources = sources
        self.__name__ = str(task["action"]) or "task"
        self.__doc__ = getattr(function, "__doc__", None)

    def __call__(self, **results: Any) -> Any:
        args, kwargs = self.arguments(results)
        return self.function(*args, **kwargs)

    def arguments(self, results: Mapping[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
        """What the handler is called with."""
        ready = {
            "target": self.task["target"],
            "parameters": self.task["parameters"],
            "results": results,
            "context": Context(self.task["taskId"], self.task["action"], current()),
            "task": dict(self.task),
        }
        places: List[Any] = []
        named: Dict[str, Any] = {}
        for source in self.sources:
            if source.name == "*":
                taken = {other.key for other in self.sources if other.kind == "result"}
                places += [value for task_id, value in results.items() if task_id not in taken]
            elif source.by_place:
                places.append(_value(source, ready, results))
            else:
                named[source.name] = _value(source, ready, results)
        return places, named


def _value(source: Source, ready: Mapping[str, Any], results: Mapping[str, Any]) -> Any:
    if source.kind == "parameter":
        return ready["parameters"][source.key]
    return results[source.key] if source.kind == "result" else ready[source.kind]


class AsyncWork(Work):
    """The same for a handler that is a coroutine function."""

    async def __call__(self, **results: Any) -> Any:
        args, kwargs = self.arguments(results)
        return await self.function(*args, **kwargs)


def work_for(function: Callable[..., Any], is_async: bool, task: Mapping[str, Any], sources: Any) -> Work:
    """What a run calls for this task."""
    return (AsyncWork if is_async else Work)(function, task, tuple(sources))


def described(task_id: str, definition: Any) -> Dict[str, Any]:
    """What a handler is told of its own task."""
    found: Optional[Mapping[str, Any]] = definition.parameters
    return {
        "taskId": task_id,
        "type": definition.type,
        "action": definition.action,
        "target": definition.target,
        "parameters": dict(found or {}),
        "dependencies": list(definition.dependencies),
    }
