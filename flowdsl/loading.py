"""A file with a pipeline, loaded: its tasks are defined, and what would run them is passed over."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from flowdsl.cells import read_pieces
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import DefinitionError
from flowdsl.execution import Execution, PassedOver
from flowdsl.executors.pickling import by_value
from flowdsl.flow import Flow
from flowdsl.hold import runs_held_back
from flowdsl.modules import flow_of

__all__ = ["Loaded", "load"]


class Loaded(NamedTuple):
    """What a file left behind."""

    path: Path
    namespace: Dict[str, Any]
    passed_over: Tuple[PassedOver, ...]

    def flows(self) -> List[Flow]:
        """The flows with tasks that the file has, each once: that of the file itself first."""
        held = [value for value in self.namespace.values() if isinstance(value, Flow)]
        newest = [flow.newest for flow in (flow_of(self.namespace["__name__"]), *held)]
        return [flow for flow in dict.fromkeys(newest) if len(flow)]

    def flow(self, name: Optional[str] = None, targets: Sequence[str] = ()) -> Flow:
        """The flow of that name; without a name the only one, or the only one that has all the targets.

        Raises DefinitionError that lists the flows where none or several fit.
        """
        flows = self.flows()
        if not flows:
            raise DefinitionError("%s defines no tasks; put @task above its functions" % self.path.name)
        if name is not None:
            fitting = [flow for flow in flows if flow.name == name]
        else:
            fitting = flows if len(flows) == 1 else [f for f in flows if targets and all(t in f for t in targets)]
        if len(fitting) != 1:
            raise DefinitionError("%s %s" % (self.path.name, _advice(name, flows, len(fitting))))
        return fitting[0]


def _advice(name: Optional[str], flows: Sequence[Flow], fitting: int) -> str:
    names = [flow.name for flow in flows]
    listed = ", ".join(repr(one) for one in names)
    if name is None:
        return "has %d flows: %s; write FILE:FLOW to say which" % (len(flows), listed)
    if fitting:
        return "has %d flows named %r; give each a name of its own" % (fitting, name)
    return "has no flow %r%s" % (name, did_you_mean(name, names, "it has " + listed))


def load(path: Union[str, Path]) -> Loaded:
    """Execute a ``.py`` or ``.ipynb`` file as a module named after it, without its runs.

    Neither Jupyter nor IPython is needed. Statements at the top level that start a run are passed over, and so are
    those that fail without what such a statement would have made. What raises in a cell with the tag
    `raises-exception` is no fault. The file's folder becomes the first on `sys.path`, as for a script.

    In worker processes it is not executed again: what it defines travels by value, as from a notebook.

    Raises DefinitionError where the file cannot be read, or where it fails.
    """
    path = Path(path)
    pieces = read_pieces(path)
    space = _module(path.resolve()).__dict__
    if path.suffix == ".ipynb":
        space["display"] = _show_nothing
    execution = Execution(space)
    try:
        with runs_held_back():
            for piece in pieces:
                execution.run(piece)
    except SystemExit:  # a script may end itself
        pass
    finally:
        execution.close()
    return Loaded(path, space, tuple(execution.passed_over))


def _module(path: Path) -> ModuleType:
    """An empty module for the file; where something else has its name, it gets an underscore."""
    name = re.sub(r"[][/.]", "_", path.stem)[:190]
    while _is_taken(name, path):
        name += "_"
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__spec__ = importlib.util.spec_from_file_location(name, str(path))
    sys.modules[name] = module
    by_value(module)
    sys.path.insert(0, str(path.parent))
    return module


def _is_taken(name: str, path: Path) -> bool:
    """Whether `import name` means something other than this file."""
    try:
        there = sys.modules[name] if name in sys.modules else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return True
    origin = getattr(there, "__file__", None) or getattr(there, "origin", None)
    return there is not None and origin != str(path)


def _show_nothing(*objects: Any, **options: Any) -> None:
    """What `display` is in a notebook that nobody looks at."""
