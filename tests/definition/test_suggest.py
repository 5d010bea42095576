"""What a message says of a name that nothing has."""

from __future__ import annotations

import pytest

from flowdsl import Flow
from flowdsl.definition.suggest import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "ending"),
    [
        ("claen", ["raw", "clean"], "; did you mean 'clean'?"),
        ("CLEAN", ["raw", "clean"], "; did you mean 'clean'?"),
        ("zzz", ["raw", "clean"], "; there is 'raw', 'clean'"),
        ("zzz", [], "; there is none"),
        ("zzz", "abcdefgh", "; there is 'a', 'b', 'c', 'd', 'e' and 3 more"),
        (5, ["raw"], "; there is 'raw'"),
    ],
)
def test_the_nearest_name_is_told_else_what_there_is(name: object, known: str, ending: str) -> None:
    assert did_you_mean(name, known) == ending


def test_a_step_that_is_known_is_told_in_the_place_of_names() -> None:
    assert did_you_mean("zzz", ["raw"], "say so") == "; say so"


def test_whoever_asks_for_a_task_that_is_not_there_learns_which_there_are() -> None:
    flow = Flow("etl")
    flow.task("raw")(lambda: 1)
    run = flow.run(display=None)
    for ask in (lambda: flow["nothing"], lambda: run["nothing"], lambda: run.output("nothing")):
        with pytest.raises(KeyError, match="has no task 'nothing'; there is 'raw'"):
            ask()
    with pytest.raises(AttributeError, match=r"no task 'nothing'; list\(flow\) has the tasks"):
        flow.nothing
