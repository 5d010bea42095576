"""`flowdsl export`: the tasks of a notebook as a module that can be imported and run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Optional

import click

from flowdsl.cli.source import one_line
from flowdsl.definition.counted import counted
from flowdsl.errors import DefinitionError
from flowdsl.export import exported
from flowdsl.loading import Loaded, load

__all__ = ["export"]


@click.command()
@click.argument("notebook", metavar="NOTEBOOK")
@click.option("--output", "-o", metavar="MODULE", help="The .py file to write; without it the module is printed.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export(notebook: str, output: Optional[str], force: bool) -> None:
    """Write the tasks of NOTEBOOK, and what they need of it, as a module that `flowdsl run` runs."""
    with one_line():
        loaded = load(notebook)
        made = exported(Path(notebook), loaded)
        if output is None:
            click.echo(made.text, nl=False)
        else:
            _write(Path(output), made.text, force)
            click.echo(_told(output, loaded))
    if made.left_out:
        cells = ", ".join(map(str, made.left_out))
        click.echo("left out because it starts a run, though tasks need it: cell %s" % cells, err=True)


def _write(path: Path, text: str, force: bool) -> None:
    if path.suffix != ".py":
        raise DefinitionError("%s: a module has the suffix .py" % path)
    if path.exists() and not force:
        raise DefinitionError("%s is there already; --force writes over it" % path)
    path.write_text(text, encoding="utf-8")


def _told(output: str, loaded: Loaded) -> str:
    """What was written, checked by loading it: it has the same tasks."""
    wanted, found = (Counter(task for flow in one.flows() for task in flow) for one in (loaded, load(output)))
    missing = sorted((wanted - found).elements())
    if missing:
        how = "the notebook makes them in a way that its code does not tell"
        raise DefinitionError("%s lacks the tasks %s: %s" % (output, ", ".join(missing), how))
    return "%s: %s" % (output, counted(sum(found.values()), "task"))
