"""The record of a task: one JSON object that says what became of it, made from a snapshot and made again at will."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Set, Union

from flowdsl.engine import states as st
from flowdsl.engine.snapshot import Snapshot, TaskRow
from flowdsl.storage.atomic import write_atomically
from flowdsl.storage.detail import clip
from flowdsl.storage.failure import write_error
from flowdsl.storage.names import file_name
from flowdsl.storage.times import millisecond_text

__all__ = ["OUTPUT_LIMIT", "SCHEMA", "STATUS", "task_record", "write_record", "write_records"]

OUTPUT_LIMIT = 4_096  # bytes of JSON; a larger result is named, not copied
SCHEMA = Path(__file__).with_name("record.schema.json")

# The word of a record for each state of a task.
STATUS: Mapping[str, str] = {
    st.PENDING: "pending",
    st.READY: "pending",
    st.RUNNING: "in-progress",
    st.RETRY_WAIT: "retrying",
    st.SUCCEEDED: "completed",
    st.REUSED: "completed",
    st.FAILED: "failed",
    st.TIMED_OUT: "timed-out",
    st.UPSTREAM_FAILED: "blocked",
    st.SKIPPED: "skipped",
    st.CANCELLED: "cancelled",
    st.INTERRUPTED: "interrupted",
}

_encoder = json.JSONEncoder(allow_nan=False)


def task_record(row: TaskRow, output: Any = None, *, run_id: str = "") -> Dict[str, Any]:
    """The record of one task, ready for `json.dumps`; `record.schema.json` beside this file describes it.

    Args:
        row: what the snapshot knows of the task.
        output: its result, if it is known: kept as it is where it is JSON of at most 4 kB, else as
            `{"type": ..., "reference": "<run_id>/<task>"}`.
        run_id: the run that the reference names.

    Returns:
        A dict with the keys `taskId type action status startTime endTime dependencies result`. Times are ISO 8601,
        UTC, to the millisecond, null where the task did not begin or end; `result` is null while the task is open.
    """
    return {
        "taskId": row.name,
        "type": row.type,
        "action": row.action,
        "status": STATUS[row.state],
        "startTime": _time(row.started_at),
        "endTime": _time(row.ended_at),
        "dependencies": list(row.upstream),
        "result": _result(row, output, run_id),
    }


def _time(at: Optional[float]) -> Optional[str]:
    return None if at is None else millisecond_text(at)


def _result(row: TaskRow, output: Any, run_id: str) -> Optional[Dict[str, Any]]:
    if row.state in st.OPEN:
        return None
    if row.state in st.DONE_WELL:
        return {"success": True, "output": _output(output, f"{run_id}/{row.name}" if run_id else row.name)}
    return {"success": False, "output": None, "error": clip(row.error or row.message or row.cause)}


def _output(value: Any, reference: str) -> Any:
    try:
        text = _small_json(value)
    except Exception:  # not JSON, or an object of the user's that does not even let itself be looked at
        text = None
    if text is not None:
        return json.loads(text)
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"type": name, "reference": reference}


def _small_json(value: Any) -> Optional[str]:
    """`value` as JSON; None as soon as it is longer than the limit, however much of it there is."""
    parts: List[str] = []
    left = OUTPUT_LIMIT
    for part in _encoder.iterencode(value):
        left -= len(part)
        if left < 0:
            return None
        parts.append(part)
    return "".join(parts)


def write_records(
    snapshot: Snapshot, directory: Union[str, os.PathLike[str]], outputs: Mapping[str, Any]
) -> List[Path]:
    """Write one file a task into `directory`, in the order of the tasks; the files.

    `outputs` holds the results that are known, by task. A file has the task's name where that is safe as one,
    else a slug and a hash of it; a file that is there is replaced in one step. LogWriteError where that fails.
    """
    root = Path(directory)
    taken: Set[str] = set()
    written: List[Path] = []
    for name, row in snapshot.tasks.items():
        output = outputs.get(name)
        file = file_name(name, taken)
        taken.add(file.lower())
        written.append(write_record(task_record(row, output, run_id=snapshot.run_id), root / f"{file}.json"))
    return written


def write_record(record: Mapping[str, Any], path: Path) -> Path:
    """Write one record to `path` by a temporary file and a rename: a reader sees the old one or the new one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps(record, indent=1).encode() + b"\n")
    except OSError as exc:
        raise write_error(path, exc, "directory") from exc
    return path
