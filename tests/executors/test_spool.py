"""What attempts say on executors that are not ours."""

from __future__ import annotations

from flowdsl.executors import spool
from flowdsl.storage.outputs import LIMIT


def test_a_spool_keeps_as_much_as_a_run_does() -> None:
    assert spool.KEPT == LIMIT


def test_a_spool_keeps_the_first_and_counts_the_rest() -> None:
    kept = spool.Spool()
    for text in ("é" * (LIMIT // 2 - 1), "abc", "d"):
        kept.write(text)
    words = kept.words(b"")
    assert (len(words.output), words.output[-2:], words.total, words.note) == (LIMIT, b"ab", LIMIT + 2, None)
