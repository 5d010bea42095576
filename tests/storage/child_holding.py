"""Holds the journal of the run `run` in the log directory given until it is killed or its input ends.

With a second argument it has a forked child that lives on after it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flowdsl.engine.events import Event
from flowdsl.errors import LogWriteError
from flowdsl.storage.journal import Journal

EVENT = Event("task_added", "held", 0, "", "pending", "added")

journal = Journal.create(Path(sys.argv[1]), "run")
journal.append([EVENT], 1.8e9)
if len(sys.argv) > 2 and os.fork() == 0:
    try:
        journal.append([EVENT], 1.8e9)
        os.write(1, b"the child wrote\n")
    except LogWriteError:
        os.write(1, b"the child may not write\n")
    os.read(0, 1)
    os._exit(0)
if len(sys.argv) == 2:
    os.write(1, b"holding\n")
os.read(0, 1)
