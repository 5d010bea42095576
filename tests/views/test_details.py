"""The table of tasks beside the picture of a graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Flow, Retry
from flowdsl.views.details import details_html, options_text, signature
from tests.views.samples import chain


class Hostile:
    def __repr__(self) -> str:
        raise ZeroDivisionError


ODD, MANY = Hostile(), list(range(10**6))


def flow() -> Flow:
    made = Flow("details")

    @made.task
    def flights(path: str = "jan.csv", *, rows: int = 7) -> None:
        """Reads the flights.

        And more.
        """

    @made.task(retries=Retry(3, delay=1), timeout=60, isolation="process", tags=["prepare"], priority=2)
    def clean(flights: Any, odd: Any = ODD) -> None: ...

    @made.task(depends_on={"table": "clean", "later": "flights"}, run_when="all_done")
    def report(table: Any, **rest: Any) -> None: ...

    made.task(depends_on="report")(mail)
    return made


def mail() -> None: ...


def plain(html: str) -> str:
    return re.sub(r"<[^>]*>", "|", html)


def test_of_a_path_the_end_is_shown_which_is_no_secret_of_the_machine(tmp_path: Path) -> None:
    made = Flow("paths")

    @made.task
    def flights(data: Path = tmp_path / "flights.csv", out: Path = Path("out") / "clean") -> None: ...

    here = repr(str(Path("out") / "clean"))
    assert signature(flights.spec) == f"(data='\u2026/flights.csv', out={here})"
    assert "PosixPath" not in details_html(made.graph())


def test_a_column_of_a_few_words_is_never_as_narrow_as_a_letter() -> None:
    made = Flow("narrow")

    @made.task(tags="statistics")
    def mean(numbers: Any) -> None:
        """The mean of all the numbers that were read."""

    _, options, doc = re.findall(r'<td style="([^"]*)">', details_html(made.graph()))
    assert "overflow-wrap:anywhere" not in options
    assert "overflow-wrap:anywhere" in doc and "min-width" in doc


def test_a_row_says_signature_needs_options_and_doc() -> None:
    text = plain(details_html(flow().graph()))
    assert "flights||(path=&#x27;jan.csv&#x27;, *, rows=7)" in text
    assert "Reads the flights." in text
    assert "And more" not in text
    assert "3 retries, timeout 60 s, in a process, priority 2, tags prepare" in text
    assert "table = clean, later = flights" in text
    assert "report (done)" in text
    assert "when all done" in text


def test_a_default_whose_repr_raises_is_shown_by_its_type() -> None:
    assert signature(flow()["clean"].spec) == "(flights, odd=<Hostile instance>)"


def test_a_default_is_never_written_out_in_full() -> None:
    made = Flow("long")

    @made.task
    def big(values: Any = MANY, text: str = "x" * 10**6) -> None: ...

    assert len(signature(big.spec)) <= 80


def test_options_that_nobody_gave_are_not_said() -> None:
    assert options_text(flow()["flights"].spec) == ""


@pytest.mark.parametrize(("tasks", "rows", "folded"), [(5, 5, False), (30, 30, True), (5000, 30, True)])
def test_a_long_table_is_folded_and_bounded(tasks: int, rows: int, folded: bool) -> None:
    html = details_html(chain(tasks))
    assert html.count("<tr>") == rows + 1
    assert html.startswith("<details>") is folded
    assert (f"and {tasks - rows:,} more" in html) is (tasks > rows)
