"""The results of completed tasks: in memory while this process has them, and on disk for the next one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Dict

from flowdsl.errors import PickleRefused, TaskResultError
from flowdsl.orchestrator.definition import is_json
from flowdsl.orchestrator.entry import Entry
from flowdsl.storage.atomic import write_atomically

__all__ = ["Values"]

FOLDER = "results"


class Values:
    """The result of each task that has one; JSON as JSON, anything else as a pickle under the user's seal."""

    def __init__(self, book_dir: Path) -> None:
        self._dir = book_dir / FOLDER
        self._here: Dict[str, Any] = {}

    def put(self, entry: Entry, value: Any) -> None:
        """Keep a result; one that cannot be written is kept for this process alone, which the log says."""
        task = entry.definition.task_id
        self._here[task] = value
        try:
            self._dir.mkdir(mode=0o700, exist_ok=True)
            self._write(entry, value)
        except Exception as exc:  # whatever pickling raises
            self._remove(entry)
            text = "the result of task %r is kept for this process alone: %s: %s"
            logging.getLogger("flowdsl").info(text, task, type(exc).__name__, exc)

    def _write(self, entry: Entry, value: Any) -> None:
        plain, sealed = self._paths(entry)
        if is_json(value):
            write_atomically(plain, json.dumps({"value": value}, allow_nan=False).encode())
            sealed.unlink(missing_ok=True)
            return
        from flowdsl.storage.sealed import seal

        seal(sealed, entry.definition.task_id, value)
        plain.unlink(missing_ok=True)

    def has(self, entry: Entry) -> bool:
        """Whether the result is there, as far as can be told without reading it."""
        return entry.definition.task_id in self._here or any(path.is_file() for path in self._paths(entry))

    def get(self, entry: Entry) -> Any:
        """The result of a completed task; TaskResultError where it is lost."""
        task = entry.definition.task_id
        if task not in self._here:
            self._here[task] = self._read(entry)
        return self._here[task]

    def _read(self, entry: Entry) -> Any:
        task = entry.definition.task_id
        plain, sealed = self._paths(entry)
        try:
            if plain.is_file():
                return json.loads(plain.read_bytes().decode())["value"]
            if sealed.is_file():
                from flowdsl.storage.sealed import unseal

                return unseal(sealed, task)
            why: object = "the process that had it could not write it, or was killed before that"
            cause = None
        except Exception as exc:  # whatever a pickle of the user's raises
            why, cause = exc, exc
            if isinstance(exc, PickleRefused):
                why = "its file was not written by you"
        text = "task %r is completed, but its result is lost: %s; execute_task(%r, force=True) makes it again"
        raise TaskResultError(text % (task, why, task), task=task, state="succeeded", cause="returned") from cause

    def forget(self, entry: Entry) -> None:
        """Let a result go, also that on disk."""
        self._here.pop(entry.definition.task_id, None)
        self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        for path in self._paths(entry):
            path.unlink(missing_ok=True)

    def _paths(self, entry: Entry) -> Any:
        return self._dir / (entry.file + ".json"), self._dir / (entry.file + ".pickle")
