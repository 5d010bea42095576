"""`flowdsl report`: a past run as a page of HTML."""

from __future__ import annotations

from typing import Optional

import click

from flowdsl.cli.logs import read_runs
from flowdsl.cli.source import one_line

__all__ = ["report"]


@click.command()
@click.argument("run_id")
@click.option("--dir", "log_dir", default="./logs/tasks", metavar="DIR", show_default=True, help="Where the logs are.")
@click.option("--output", "-o", metavar="FILE", help="The page to write; default: RUN_ID.html.")
def report(run_id: str, log_dir: str, output: Optional[str]) -> None:
    """Write a page of HTML on the run that RUN_ID begins, or the "last", to send to somebody."""
    with one_line():
        past = read_runs(log_dir, run_id)[0]
        click.echo(str(past.report(output or f"{past.id}.html")))
