"""The benchmark of reading back, on little: it runs, and it read all that it wrote."""

from __future__ import annotations

import pytest

from tests.benchmarks import loading


def test_a_line_a_shape_with_all_events_that_were_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading, "SHAPES", ((1, 2), (3, 1)))
    loading.main()
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [(line[1].strip(), line[2].strip()) for line in lines[2:]] == [("1", "22"), ("3", "54")]
