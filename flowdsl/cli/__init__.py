"""The command `flowdsl`: run a pipeline file in a terminal, draw it, read the logs of its runs."""

from __future__ import annotations

import io
import sys

import click

import flowdsl
from flowdsl.cli.export import export
from flowdsl.cli.graph import graph
from flowdsl.cli.logs import logs
from flowdsl.cli.report import report
from flowdsl.cli.run import run

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(flowdsl.__version__, prog_name="flowdsl")
def main() -> None:
    """Run pipelines of a script or a notebook, draw them, read their logs."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an icon that a terminal cannot write is no reason to fail


for command in (run, graph, logs, report, export):
    main.add_command(command)
