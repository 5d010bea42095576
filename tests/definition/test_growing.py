"""While much is built that stays, the garbage collector rests; afterwards it is as it was, and has not looked at it."""

from __future__ import annotations

import gc
import weakref
from typing import Iterator, List

import pytest

from flowdsl.definition.growing import LARGE, growing


@pytest.fixture(autouse=True)
def the_collector_is_on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def is_young(thing: object) -> bool:
    return any(any(one is thing for one in gc.get_objects(generation)) for generation in (0, 1))


def test_it_rests_within_the_block_and_goes_on_after_it() -> None:
    with growing(LARGE):
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), growing(LARGE):
        raise KeyError
    assert gc.isenabled()


def test_for_a_few_tasks_and_where_somebody_turned_it_off_nothing_changes() -> None:
    with growing(LARGE - 1):
        assert gc.isenabled()
    gc.disable()
    with growing(LARGE):
        pass
    assert not gc.isenabled()


def test_what_was_built_counts_as_old_and_is_still_looked_at() -> None:
    class Knot:
        pass

    ends: List[str] = []
    with growing(LARGE):
        knot = Knot()
        knot.itself = knot  # type: ignore[attr-defined]
        built = [knot]
        assert is_young(knot)
    assert not is_young(knot)
    assert gc.get_freeze_count() == 0
    weakref.finalize(knot, ends.append, "gone")
    del knot, built
    gc.collect()
    assert ends == ["gone"]


def test_what_somebody_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with growing(LARGE):
            pass
        assert 0 < gc.get_freeze_count() <= frozen
    finally:
        gc.unfreeze()
