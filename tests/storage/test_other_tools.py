"""The journal belongs to whoever can read JSON lines: the commands on its page work without flowdsl."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import List

import pandas as pd
import pytest

from tests.storage.samples import AT, added, lines_of, started, succeeded, write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "journal.md"


@pytest.fixture
def run_dir(log_dir: Path) -> Path:
    failed = started("clean")._replace(event="attempt_failed", state="failed", detail={"error": 'no "rows"\n'})
    return write(log_dir, [added("flights"), added("clean")], [succeeded("flights"), failed])


def commands() -> List[str]:
    return re.findall(r"```sh\n(jq .*)\n```", PAGE.read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("jq") is None or shutil.which("sh") is None, reason="jq or sh is not installed")
def test_the_jq_commands_of_the_page_work(run_dir: Path) -> None:
    answers = []
    for command in commands():
        done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True, text=True)
        answers.append(done.stdout)
    assert answers == [
        '["2026-11-22T16:10:30.123456Z","clean",1,"no \\"rows\\"\\n"]\n',
        "clean\tfailed\nflights\tsucceeded\n",
    ]


def test_pandas_reads_the_lines(run_dir: Path) -> None:
    frame = pd.read_json(run_dir / "events.jsonl", lines=True)
    times = pd.to_datetime(frame["at"], format="ISO8601", utc=True)
    assert list(frame["seq"]) == [0, 1, 2, 3]
    assert len(frame) == len(lines_of(run_dir))
    assert list(frame["state"]) == ["pending", "pending", "succeeded", "failed"]
    assert abs(times.iloc[0].timestamp() - AT) < 1e-6
