"""Tries, as the user `nobody`, to begin a run in the log directory given; prints the errno and the path."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flowdsl.errors import LogWriteError
from flowdsl.storage.journal import Journal

os.setgid(65534)
os.setuid(65534)
try:
    Journal.create(Path(sys.argv[1]), "run")
except LogWriteError as error:
    print(error.errno, error.path)
