"""Specifications of tasks for tests, from functions."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from flowdsl.definition.define import define
from flowdsl.definition.dependencies import read_depends_on
from flowdsl.definition.options import TaskOptions
from flowdsl.definition.place import Place
from flowdsl.definition.spec import TaskSpec

PLACE = Place("etl.py", 7)


def spec(function: Callable[..., Any], name: Optional[str] = None, depends_on: Any = None, **options: Any) -> TaskSpec:
    """The specification of one task of a flow that is nowhere else."""
    written = read_depends_on(depends_on, "here")
    return define(function, name, TaskOptions.checked("here", options), written, home=None, place=PLACE)


def specs(*several: TaskSpec) -> Dict[str, TaskSpec]:
    return {one.name: one for one in several}


def nothing() -> None:
    """Do nothing."""


def bare(**depends_on: Any) -> Dict[str, TaskSpec]:
    """Tasks without parameters: `bare(a=None, b="a")`."""
    return {name: spec(nothing, name, sources) for name, sources in depends_on.items()}
