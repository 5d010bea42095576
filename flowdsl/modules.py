"""The flows of modules: every module, and so every notebook, has one of its own, which bare `@task` fills."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Dict

from flowdsl.decorator import decorate, shows_options
from flowdsl.flow import Flow

__all__ = ["current_flow", "task"]

_flows: Dict[str, Flow] = {}


def flow_of(module: str) -> Flow:
    """The flow of the module of that name."""
    if module not in _flows:
        _flows[module] = Flow(module)
    return _flows[module]


def _flow_of(frame: FrameType) -> Flow:
    return flow_of(frame.f_globals.get("__name__", "__main__"))


def current_flow() -> Flow:
    """The flow of the module, or notebook, that calls this."""
    return _flow_of(sys._getframe(1))


if TYPE_CHECKING:
    task = Flow("").task
else:

    @shows_options(method=False)
    def task(*given, **options):
        """A decorator that makes a function a task of the flow of its module.

        Args:
            name: the task's name; default: the function's. In its place also the function itself: bare `@task`,
                `task(function, name="x")`.
            depends_on: a task, a name, a list of those, or `{parameter: task}`, before which this one cannot run. One
                whose name is a parameter passes its result there; `split["train"]` passes one item of a result. A
                parameter without default that names a task need not be said.
            retries: attempts after the first, or a `Retry`.
            timeout: seconds that an attempt may take; None is no limit.
            isolation: where attempts run: "thread", or "process", where a timeout or a cancel kills.
            run_when: what the task needs of its dependencies: "all_succeeded", "all_done" or "any_failed".
            verify: called with the result; a false bool or an exception fails the attempt, anything else lets it pass.
            uses: names of limits of the flow, held while an attempt runs.
            priority: a number; among ready tasks the larger goes first.
            tags, type: for the reader: words about the task, and what kind it is.
            map: the parameter, or parameters, of whose value the task takes one item at a time: it runs once for each.
            cache: not available in this version.

        Returns:
            The `Task`, which can be called like the function.

        Raises:
            ConfigError, DefinitionError: for what cannot be a task.
        """
        __tracebackhide__ = True
        return decorate(_flow_of, given, options, sys._getframe(1))
