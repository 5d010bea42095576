"""Threads that are no attempts print as ever while runs begin and end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_printing_while_a_run_begins_or_ends_never_crashes() -> None:
    script = Path(__file__).with_name("child_printing.py")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "fine")
