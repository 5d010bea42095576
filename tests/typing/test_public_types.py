"""The types of the public names, as mypy sees them in `public_api.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed: the types of the public names are not checked here")
pytest.importorskip("pandas-stubs", reason="pandas-stubs are not installed")


@pytest.mark.slow
def test_the_public_names_have_the_types_that_users_rely_on(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "tests/typing/public_api.py"]
    checked = subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert checked.returncode == 0, checked.stdout.decode()
