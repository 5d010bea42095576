"""An attempt done again, here: in this thread, with the arguments that it had, or with some of them changed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List, Mapping, Tuple

from flowdsl.definition.function import is_async
from flowdsl.definition.parameters import POSITIONAL_OR_KEYWORD, VAR_KEYWORD
from flowdsl.definition.spec import TaskSpec
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import InputError
from flowdsl.executors.current import Current, enter, leave
from flowdsl.executors.outcome import Call, check_verdict, keep_users_traceback
from flowdsl.orchestrator.work import Work

__all__ = ["changed", "directly", "perform_here"]


def changed(call: Call, spec: TaskSpec, changes: Mapping[str, Any]) -> Call:
    """The call with other values for some parameters; InputError for a name that the function does not take."""
    leading = [one.name for one in spec.parameters if one.kind <= POSITIONAL_OR_KEYWORD and one.name not in call.kwargs]
    places = {name: at for at, name in enumerate(leading[: len(call.args)])}
    names = [one.name for one in spec.parameters]
    open_ended = any(one.kind == VAR_KEYWORD for one in spec.parameters)
    if isinstance(call.function, Work):
        work, changes = _of_the_queue(call.function, changes)
        call, names, open_ended = call._replace(function=work), list(call.kwargs), False
    args: List[Any] = list(call.args)
    kwargs: Dict[str, Any] = dict(call.kwargs)
    for name, value in changes.items():
        if name not in names and not open_ended:
            raise InputError("task %r takes no %r%s" % (spec.name, name, did_you_mean(name, names)))
        if name in places:
            args[places[name]] = value
        else:
            kwargs[name] = value
    return call._replace(args=args, kwargs=kwargs)


def _of_the_queue(work: Work, changes: Mapping[str, Any]) -> Tuple[Work, Dict[str, Any]]:
    """A task of the queue with another target and other parameters; and the changes that are results, by id."""
    own = {name: value for name, value in changes.items() if name in work.task["parameters"]}
    task = {**work.task, "parameters": {**work.task["parameters"], **own}}
    if "target" in changes and "target" not in own:
        task["target"] = changes["target"]
    rest = {name: value for name, value in changes.items() if name not in own and name != "target"}
    return type(work)(work.function, task, work.sources), rest


def directly(function: Callable[[], Any]) -> Any:
    """Just call it."""
    return function()


def perform_here(call: Call, task: str, around: Callable[[Callable[[], Any]], Any]) -> Any:
    """What the function returns; whatever it raises is raised, its traceback beginning in the user's code.

    `around` calls what it is given, so that it can be watched.
    """
    __tracebackhide__ = True
    function = _awaited(call.function) if is_async(call.function) else call.function
    token = enter(Current(task, 1))
    try:
        value = around(lambda: function(*call.args, **call.kwargs))
        if call.verify is not None:
            check_verdict(call.verify(value))
    except BaseException as exc:
        keep_users_traceback(exc)
        raise
    finally:
        leave(token)
    return value


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function as a plain one; where a loop is running in this thread, as in a notebook, beside it."""

    def wait(*args: Any, **kwargs: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(function(*args, **kwargs))
        return _in_a_thread(lambda: asyncio.run(function(*args, **kwargs)))

    return wait


def _in_a_thread(function: Callable[[], Any]) -> Any:
    ended: List[Tuple[Any, Any]] = []

    def work() -> None:
        try:
            ended.append((function(), None))
        except BaseException as exc:
            ended.append((None, exc))

    thread = threading.Thread(target=work, name="flowdsl-replay")
    thread.start()
    thread.join()
    value, exc = ended[0]
    if exc is not None:
        raise exc
    return value
