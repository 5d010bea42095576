"""The tasks of a flow under their names, as Python and its completion ask for them."""

from __future__ import annotations

from typing import Any, Iterator, List

from flowdsl.definition.suggest import did_you_mean
from flowdsl.members import Members
from flowdsl.task import Task

__all__ = ["NamedTasks"]


class NamedTasks:
    """What holds `members`: `flow["clean"]`, `flow.clean`, `"clean" in flow`, `del flow["clean"]`, `list(flow)`."""

    _name: str
    members: Members

    def __getitem__(self, name: str) -> Task[Any, Any]:
        if name not in self.members.tasks:
            raise self._unknown(name)
        return self.members.tasks[name]

    def __delitem__(self, name: str) -> None:
        if name not in self.members.tasks:
            raise self._unknown(name)
        self.members.remove(name)

    def _unknown(self, name: str) -> KeyError:
        return KeyError("flow %r has no task %r%s" % (self._name, name, did_you_mean(name, self.members.tasks)))

    def __contains__(self, name: object) -> bool:
        return name in self.members.tasks

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.members.tasks))

    def __len__(self) -> int:
        return len(self.members.tasks)

    def __bool__(self) -> bool:
        return True  # also without tasks

    def __getattr__(self, name: str) -> Task[Any, Any]:
        """`flow.clean` is `flow["clean"]`, for completion."""
        members = self.__dict__.get("members")  # not there yet where a flow is being made or unpickled
        if members is None or name not in members.tasks:
            quiet = members is None or name.startswith("_")
            ending = "" if quiet else did_you_mean(name, dir(self), "list(flow) has the tasks")
            raise AttributeError("a Flow has no attribute and no task %r%s" % (name, ending))
        task: Task[Any, Any] = members.tasks[name]
        return task

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *(name for name in self.members.tasks if name.isidentifier())]

    def _ipython_key_completions_(self) -> List[str]:
        return list(self)
