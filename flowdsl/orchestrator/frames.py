"""The queue and its records as DataFrames; the dtypes never depend on the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import pandas as pd

from flowdsl.analysis.schema import build_frame, columns
from flowdsl.definition.checks import check_names, refuse
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.errors import ConfigError
from flowdsl.orchestrator.log_frame import When, moment
from flowdsl.orchestrator.order import by_rank, dependencies_first, edges_among, ranks_of
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.standing import described
from flowdsl.orchestrator.statuses import STATUSES
from flowdsl.orchestrator.task_records import read_records
from flowdsl.storage.times import parse_moment

__all__ = ["queue_frame", "records_frame"]

Words = Union[str, Sequence[str], None]

QUEUE = columns(
    "position:integer taskId:string type:string action:string status:string priority:float progress:float"
    " message:string attempts:integer runs:integer addedAt:time startTime:time endTime:time duration:float"
    " error:string runId:string"
)
RECORDS = columns(
    "taskId:string type:string action:string status:string startTime:time endTime:time duration:float error:string"
)


def queue_frame(parts: Parts, status: Words = None) -> pd.DataFrame:
    """A DataFrame with one row a task, in the order in which they were added.

    ============  ===================  ====  ====================================================  ===================
    name          dtype                unit  meaning                                               when null
    ============  ===================  ====  ====================================================  ===================
    position      Int64                      its place in the order, from 1, if all were executed  it does not wait
    taskId        string                     its id                                                never
    type          string                     the kind of work                                      never
    action        string                     what is to be done                                    never
    status        string                     how it stands                                         never
    priority      float64                    the larger goes first                                 never
    progress      float64              %     how far it is                                         it did not say
    message       string                     what it said last                                     never
    attempts      Int64                      attempts of its latest run                            never
    runs          Int64                      how often it was executed                             never
    addedAt       datetime64[us, UTC]        when it was added                                     never
    startTime     datetime64[us, UTC]        when its first attempt began                          none began
    endTime       datetime64[us, UTC]        when it came to its end                               not there yet
    duration      float64              ms    ``endTime`` minus ``startTime``                       either is null
    error         string                     why it did not succeed                                it did, or is open
    runId         string                     its latest run                                        it never ran
    dependencies  object (list)              the ids that it waits for                             never
    target        object                     its target, as it was given                           it has none
    ============  ===================  ====  ====================================================  ===================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    wanted = words(status, "status", STATUSES)
    with parts.book.lock:
        entries = parts.book.queue.entries
        how = parts.standings()
        place = positions(parts)
        chosen = [name for name in entries if wanted is None or how[name].status in wanted]
        told = [described(entries[name], how[name]) for name in chosen]
    rows = [
        {
            **one,
            "position": place.get(name),
            "addedAt": entries[name].added_at,
            "startTime": how[name].started_at,
            "endTime": how[name].ended_at,
        }
        for name, one in zip(chosen, told)
    ]
    return _frame(QUEUE, rows, ("dependencies", "target"))


def positions(parts: Parts) -> Dict[str, int]:
    """The place of each task that waits, by the order in which `execute_all` would begin them on one worker."""
    how = parts.standings()
    entries = parts.book.queue.entries
    waiting = [name for name, now in how.items() if now.state in (st.PENDING, st.READY, st.INTERRUPTED)]
    edges = edges_among(waiting, entries)
    ranks = ranks_of(dependencies_first(edges), entries, parts.expected(waiting))
    sound = {name: edges[name] for name in ranks}
    return {name: place for place, name in enumerate(by_rank(sound, ranks), 1)}


def records_frame(
    log_dir: Path,
    *,
    status: Words = None,
    type: Words = None,
    action: Words = None,
    since: When = None,
    until: When = None,
    text: Optional[str] = None,
    **unknown: Any,
) -> pd.DataFrame:
    """A DataFrame with one row a record in the directory, by id.

    ============  ===================  ====  ============================================  =========================
    name          dtype                unit  meaning                                       when null
    ============  ===================  ====  ============================================  =========================
    taskId        string                     the task                                      never
    type          string                     the kind of work                              never
    action        string                     what was to be done                           never
    status        string                     how it stands                                 never
    startTime     datetime64[us, UTC]        when its first attempt began                  none began
    endTime       datetime64[us, UTC]        when it came to its end                       not there yet
    duration      float64              ms    ``endTime`` minus ``startTime``               either is null
    error         string                     why it did not succeed                        it did, or is open
    success       object (bool)              whether it succeeded                          it is open
    output        object                     its result: JSON up to 4 kB, else a           it has none
                                             reference and a type
    dependencies  object (list)              the ids that it waits for                     never
    ============  ===================  ====  ============================================  =========================

    Conditions: `status`, `type`, `action` are a word or a list of them; `since` and `until` (datetime, ISO 8601 text,
    seconds since the epoch) are about the start; `text` is looked for in every field, whatever its case.
    """
    if unknown:
        known = ("status", "type", "action", "since", "until", "text")
        name = next(iter(unknown))
        raise ConfigError("logs: there is no condition %r%s" % (name, did_you_mean(name, known)))
    fitting = {"status": words(status, "status", STATUSES), "type": words(type, "type")}
    fitting["action"] = words(action, "action")
    begin, end = moment(since, "since", "logs"), moment(until, "until", "logs")
    records = read_records(log_dir)
    if text is not None:
        records = [one for one in records if text.casefold() in str(one).casefold()]
    rows = [
        row
        for row in map(_row, records)
        if all(allowed is None or row[key] in allowed for key, allowed in fitting.items())
        and _is_between(row["startTime"], begin, end)
    ]
    return _frame(RECORDS, rows, ("success", "output", "dependencies"))


def _is_between(at: Optional[float], begin: Optional[float], end: Optional[float]) -> bool:
    if at is None:
        return begin is None and end is None
    return (begin is None or at >= begin) and (end is None or at < end)


def _row(record: Mapping[str, Any]) -> Dict[str, Any]:
    start, end = _seconds(record.get("startTime")), _seconds(record.get("endTime"))
    result = record.get("result")
    told: Mapping[str, Any] = result if isinstance(result, dict) else {}
    return {
        **{key: str(record.get(key, "")) for key in ("taskId", "type", "action", "status")},
        "startTime": start,
        "endTime": end,
        "duration": None if start is None or end is None else round((end - start) * 1000, 3),
        "error": told.get("error"),
        "success": told.get("success"),
        "output": told.get("output"),
        "dependencies": record.get("dependencies", []),
    }


def _seconds(text: Any) -> Optional[float]:
    try:
        return parse_moment(text[:-1] + "000Z") if isinstance(text, str) else None
    except ValueError:
        return None


def words(value: Words, option: str, known: Sequence[str] = ()) -> Optional[Tuple[str, ...]]:
    """A word or a list of them, as a tuple; None is no condition."""
    if value is None:
        return None
    found = check_names(value, option, "orchestrator")
    for word in found:
        if known and word not in known:
            words = "the words are " + ", ".join(known)
            refuse("orchestrator", option, word, "is no %s%s" % (option, did_you_mean(word, known, words)))
    return found


def _frame(schema: Any, rows: List[Dict[str, Any]], objects: Tuple[str, ...]) -> pd.DataFrame:
    """A frame of that schema, with columns of whatever there is after it."""
    found: pd.DataFrame = build_frame(schema, {one.name: [row[one.name] for row in rows] for one in schema})
    for name in objects:
        found[name] = pd.Series([row[name] for row in rows], dtype=object, index=found.index)
    return found
