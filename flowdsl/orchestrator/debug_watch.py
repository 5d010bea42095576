"""Watches runs as they begin, and leaves capsules and a fingerprint in their directories when they end."""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Any, Callable, Dict, Optional

from flowdsl import start
from flowdsl.orchestrator.capsule_digest import value_digest
from flowdsl.orchestrator.capsule_making import capsules_of, failed_attempts, no_digest
from flowdsl.orchestrator.capsule_store import save_arguments, save_capsule, save_fingerprint
from flowdsl.orchestrator.debug_fingerprint import Codes, codes_of, fingerprint_of, fingerprint_to_json

__all__ = ["INPUTS", "Watch", "keep"]

PATIENCE = 60.0  # seconds: who asks for a run waits no longer for its files
MOST = 1000  # capsules of one run on disk
INPUTS = ("reference", "digest", "pickle")


class Watch:
    """Tells `found` of every run that `wanted` wants, and keeps on disk what is to be known of it afterwards."""

    def __init__(self, wanted: Callable[[Any], bool], found: Callable[[Any], Any], inputs: str) -> None:
        self._wanted = wanted
        self._found = found
        self._inputs = inputs
        self._open: Dict[Any, threading.Event] = {}  # runs that are not on disk yet
        self._begun = self._begin  # one object, by which it is found again
        start.watchers.append(self._begun)
        atexit.register(self.settle)

    def close(self) -> None:
        """Watch no more runs, and wait until those that have ended are on disk."""
        if self._begun in start.watchers:
            start.watchers.remove(self._begun)
            self.settle()
            atexit.unregister(self.settle)

    def settle(self) -> None:
        """Wait until what has ended is on disk."""
        for run, kept in list(self._open.items()):
            if run.done:
                kept.wait(PATIENCE)

    def _begin(self, run: Any) -> None:
        if self._wanted(run):
            codes = codes_of(run.graph)  # now: a cell may give a name another function while the run goes on
            self._open[run] = threading.Event()
            self._found(run)
            run.when_done(lambda: self._end(run, codes))

    def _end(self, run: Any, codes: Codes) -> None:
        """In a thread of its own, which the end of the interpreter waits for: nothing may block whoever says so."""
        try:
            threading.Thread(target=self._keep, args=(run, codes), name="flowdsl-debug").start()
        except RuntimeError:  # the interpreter is on its way out, or has no more threads
            self._keep(run, codes)

    def _keep(self, run: Any, codes: Codes) -> None:
        try:
            keep(run, self._inputs, codes)
        except Exception:
            logging.getLogger("flowdsl").exception("the debugger could not keep what it knows of run %r", run.id)
        finally:
            self._open.pop(run).set()


def keep(run: Any, inputs: str, codes: Optional[Codes] = None) -> None:
    """Write the capsules and the fingerprint of a run that has ended into its directory.

    `inputs` says what is kept of values: "reference" nothing but types, "digest" digests, "pickle" the arguments of
    failed tasks as well; `codes` is the code as it was when it began. Raises OSError.
    """
    digest = no_digest if inputs == "reference" else value_digest
    attempts = failed_attempts(run)[:MOST]
    for capsule in capsules_of(run, attempts, digest):
        save_capsule(run.dir, capsule)
    save_fingerprint(run.dir, fingerprint_to_json(fingerprint_of(run, digest, codes)))
    if inputs == "pickle":
        for task in dict.fromkeys(attempt.task for attempt in attempts):
            _keep_arguments(run, task)


def _keep_arguments(run: Any, task: str) -> None:
    try:
        call = run.call(task)
        save_arguments(run.dir, task, (tuple(call.args), dict(call.kwargs)))
    except Exception as exc:  # what cannot be pickled is the user's; the capsule is there without
        text = "the inputs of task %r of run %r were not kept: %s: %s"
        logging.getLogger("flowdsl").warning(text, task, run.id, type(exc).__name__, exc)
