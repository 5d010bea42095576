"""`flowdsl run`: run the flow of a file, show it live, sum it up, and say by the exit code how it went."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Dict, Sequence, Tuple

import click

import flowdsl
from flowdsl.cli.source import FILE, INTERRUPTED, TARGETS, find, one_line, plain_warnings
from flowdsl.definition.options import EXECUTORS
from flowdsl.engine import states as st
from flowdsl.errors import InputError, LogWriteError

__all__ = ["run"]

SUCCEEDED, FAILED = 0, 1  # exit codes


def _read_inputs(_: click.Context, __: click.Parameter, pairs: Sequence[str]) -> Dict[str, Any]:
    inputs: Dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter("%r is not NAME=VALUE" % pair)
        if name in inputs:
            raise click.BadParameter("%r is given twice" % name)
        inputs[name] = _value(text)
    return inputs


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@click.command()
@FILE
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME=VALUE", callback=_read_inputs, help="JSON if it is, else text."
)
@TARGETS
@click.option("--executor", type=click.Choice(EXECUTORS), default="threads", show_default=True)
@click.option("--max-workers", type=click.IntRange(min=1), default=5, show_default=True, help="Attempts at a time.")
@click.option("--on-failure", type=click.Choice(["continue", "stop"]), default="continue", show_default=True)
@click.option("--log-dir", metavar="DIR", help="Where to write the log; default: what the flow says.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless the run fails.")
def run(file: str, inputs: Dict[str, Any], targets: Tuple[str, ...], quiet: bool, **options: Any) -> None:
    """Run the flow of a .py or .ipynb FILE and show it live.

    Cells and top-level statements that start runs themselves are passed over.

    \b
    Exit code 0: the run succeeded; 1: it did not; 2: nothing was run; 130: Ctrl-C.
    """
    flow = find(file, targets, quiet)
    earlier, interrupted = flowdsl.last_run(), False
    said = {**options, "targets": targets or None, "display": "none" if quiet else "auto", "raise_on_failure": False}
    with one_line(), plain_warnings():
        try:
            flow.run(inputs, **said)
        except KeyboardInterrupt:
            interrupted = True
        except InputError as exc:  # the next step, as it is written here
            raise InputError(re.sub(r"\brun\((\w+)=\.\.\.\)", r"--input \1=...", str(exc))) from exc
        except LogWriteError as exc:
            if flowdsl.last_run() is earlier:
                raise
            click.echo("Error: %s" % exc, err=True)
    made = flowdsl.last_run() if flowdsl.last_run() is not earlier else None
    succeeded = made is not None and made.state == st.SUCCEEDED
    if made is not None and not (quiet and succeeded):
        with plain_warnings():  # whoever was stopped has a moment yet to end, and is told of here when it does not
            _sum_up(made, headline=quiet or not (sys.stdout.isatty() and sys.stderr.isatty()))
    raise click.exceptions.Exit(INTERRUPTED if interrupted else SUCCEEDED if succeeded else FAILED)


def _sum_up(made: Any, headline: bool) -> None:
    from flowdsl.views.summary import summary

    made.wait()
    snapshot = made.snapshot()
    wanted = made.graph.targets or [name for name in made.graph if not made.graph.downstream(name)]
    done = [name for name in wanted if snapshot.tasks[name].state == st.SUCCEEDED]
    results = {name: made[name] for name in done} if len(done) <= 5 else {}
    click.echo(summary(snapshot, made.shown_dir, results, headline=headline))
