"""`flowdsl graph`: the graph of a file as text or as a picture."""

from __future__ import annotations

from typing import Optional, Tuple

import click

from flowdsl.cli.source import FILE, TARGETS, find, one_line

__all__ = ["graph"]


@click.command()
@FILE
@TARGETS
@click.option("--output", "-o", metavar="PICTURE", help="Write a .svg, .html, .dot, .mmd, .png or .pdf instead.")
def graph(file: str, targets: Tuple[str, ...], output: Optional[str]) -> None:
    """Show the graph of a .py or .ipynb FILE, as text or as a picture."""
    from flowdsl.views.save import save
    from flowdsl.views.text import tree

    flow = find(file, targets, quiet=True)
    with one_line():
        drawn = flow.graph(targets=list(targets) or None)
        click.echo(tree(drawn) if output is None else str(save(drawn, output)))
