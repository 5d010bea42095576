"""What the commands share: the file that is meant, and errors in one line."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Sequence

import click

from flowdsl.abandoned import AbandonedWarning
from flowdsl.errors import FlowError, InternalError
from flowdsl.flow import Flow
from flowdsl.loading import Loaded, load
from flowdsl.runtime.launch import source_file

__all__ = ["FILE", "INTERRUPTED", "TARGETS", "find", "one_line", "plain_warnings"]

INTERRUPTED = 130  # exit code, that of a shell for Ctrl-C

FILE = click.argument("file", metavar="FILE[:FLOW]")
TARGETS = click.option("--target", "targets", multiple=True, metavar="TASK", help="Only this task and its upstream.")


def find(file: str, targets: Sequence[str], quiet: bool) -> Flow:
    """The flow that is meant; `FILE:FLOW` unless there is a file of that very name."""
    path, colon, name = (file, "", "") if Path(file).exists() else file.rpartition(":")
    sys.argv = [path or file]  # what a script sees
    with one_line():
        loaded = load(path or file)
        source_file.set(str(loaded.path.resolve()))
        if loaded.passed_over and not quiet:
            click.echo(_note(loaded), err=True)
        return loaded.flow(name if colon else None, targets)


def _note(loaded: Loaded) -> str:
    """One line on the statements that were not executed."""
    passed = loaded.passed_over
    unit = "cell" if loaded.path.suffix == ".ipynb" else "line"
    shown = _ranges([one.cell or one.line for one in passed])
    what = "1 statement that starts or needs" if len(passed) == 1 else "%d statements that start or need" % len(passed)
    where = "%s%s %s" % (unit, "" if shown.isdigit() else "s", shown)
    return "%s: passed over %s a run (%s)" % (loaded.path.name, what, where)


def _ranges(numbers: Sequence[int]) -> str:
    """Rising numbers as text: 1, 2, 3, 7 is "1-3, 7"."""
    ends: List[List[int]] = []
    for number in dict.fromkeys(numbers):
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(str(first) if first == last else "%d-%d" % (first, last) for first, last in ends)


class Refused(click.ClickException):
    """What was asked for cannot be done; one line on stderr."""

    exit_code = 2


@contextmanager
def one_line() -> Iterator[None]:
    """What was written down wrongly ends the command with one line and without a traceback."""
    try:
        yield
    except InternalError:
        raise
    except (FlowError, OSError) as exc:
        raise Refused(str(exc)) from exc
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Threads that outlive the run are told of in one line, without the line of our code that warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", AbandonedWarning)
        shown = warnings.showwarning

        def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
            if issubclass(category, AbandonedWarning):
                click.echo("Warning: %s" % message, err=True)
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield
