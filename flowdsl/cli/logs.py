"""`flowdsl logs`: runs, tasks, attempts, failures and events of past runs as tables or JSON."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Optional, Sequence

import click

import flowdsl
from flowdsl.cli.source import one_line
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import DefinitionError

__all__ = ["logs", "read_runs"]

NO_RUNS = "no runs in %s; --dir says where to look"


@click.command()
@click.argument("run_id", required=False)
@click.option("--dir", "log_dir", default="./logs/tasks", metavar="DIR", show_default=True, help="Where the logs are.")
@click.option("--runs", "what", flag_value="runs", help="One row a run; the default without RUN_ID.")
@click.option("--tasks", "what", flag_value="tasks", help="One row a task; the default with RUN_ID.")
@click.option("--attempts", "what", flag_value="attempts", help="One row an attempt.")
@click.option("--failures", "what", flag_value="failures", help="What failed, with tracebacks.")
@click.option("--events", "what", flag_value="events", help="One row an event.")
@click.option("--json", "as_json", is_flag=True, help="All columns, as a JSON array.")
def logs(run_id: Optional[str], log_dir: str, what: Optional[str], as_json: bool) -> None:
    """Show runs from their logs: all of DIR, or the one that RUN_ID begins, or the "last"."""
    with one_line():
        runs = read_runs(log_dir, run_id)
    if not runs and not as_json:
        click.echo(NO_RUNS % log_dir)
        return
    what = what or ("runs" if run_id is None else "tasks")
    if what == "failures":
        _show_failures(runs, as_json)
        return
    frame = runs.summary if what == "runs" else getattr(runs, what)
    if as_json:
        click.echo(frame.to_json(orient="records", date_format="iso", date_unit="us"))
        return
    _show(what, frame, several=run_id is None)


def read_runs(log_dir: str, run_id: Optional[str]) -> flowdsl.Runs:
    """All runs of a directory, or the one that is meant; what could not be read is told on stderr."""
    from flowdsl.past_run import PastRun
    from flowdsl.runs import Runs
    from flowdsl.storage.reading import read_journal, run_dirs

    if run_id is None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runs = flowdsl.load_runs(log_dir)
        damage = [str(one.message) for one in caught]
    else:
        log = read_journal(_pick(run_dirs(log_dir), run_id, log_dir))
        runs = Runs([PastRun(log)], [], Path(log_dir))
        damage = ["%s, line %d: %s" % (log.path, one.line, one.reason) for one in log.damage]
    for text in damage:
        click.echo("Warning: %s" % text, err=True)
    return runs


def _pick(dirs: Sequence[Path], run_id: str, log_dir: str) -> Path:
    """The directory of the run that `run_id` means: its path, its name, the beginning of that, or "last"."""
    if (Path(run_id) / "events.jsonl").is_file():
        return Path(run_id)
    names = [path.name for path in dirs]
    if not dirs:
        raise DefinitionError(NO_RUNS % log_dir)
    exact = [path for path in dirs if path.name == run_id]
    found = dirs[-1:] if run_id == "last" else exact or [path for path in dirs if path.name.startswith(run_id)]
    if not found:
        raise DefinitionError("no run %r in %s%s" % (run_id, log_dir, did_you_mean(run_id, names, "try 'last'")))
    if len(found) > 1:
        listed = ", ".join(path.name for path in found[:5])
        raise DefinitionError("%r begins %d run ids: %s; write more of it" % (run_id, len(found), listed))
    return found[0]


def _show(what: str, frame: Any, several: bool) -> None:
    from flowdsl.views.listing import LISTINGS, listing

    names = LISTINGS[what] if what == "runs" or not several else ("run_id", *LISTINGS[what])
    rows = frame[list(names)].astype(object)
    rows = rows.where(rows.notna(), None).to_dict("records")
    click.echo(listing(names, rows) or "nothing to show")


def _show_failures(runs: flowdsl.Runs, as_json: bool) -> None:
    from flowdsl.views.listing import failures_text

    if as_json:
        plain = [{"run_id": past.id, "flow": past.flow, **one._asdict()} for past in runs for one in past.failures]
        click.echo(json.dumps([{key: one[key] for key in one if key != "exception"} for one in plain]))
        return
    text = "\n".join(failures_text(past.id, past.failures) for past in runs if past.failures)
    click.echo(text or "no failures")
