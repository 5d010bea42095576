"""Running a run again: what runs, what is kept, what is refused; compared with the journal and with plain functions."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as some

import flowdsl
from flowdsl import ConfigError, Flow, ResultReleased, Run, RunFailed, Skip
from flowdsl.engine.check import check_batches
from flowdsl.storage.reading import read_journal


class Bench:
    """raw -> clean -> report, audit beside clean; `calls` are the functions called, `broken` those that raise."""

    def __init__(self) -> None:
        self.flow = Flow("etl")
        self.calls: List[str] = []
        self.broken = {"clean"}
        self.define("raw", lambda path: self.work("raw", [path]))
        self.define("clean", lambda raw: self.work("clean", raw * 2))
        self.define("audit", lambda raw: self.work("audit", len(raw)))
        self.define("report", lambda clean: self.work("report", len(clean)))

    def define(self, name: str, function: Any) -> None:
        self.flow.task(name)(function)

    def work(self, name: str, value: Any) -> Any:
        self.calls.append(name)
        if name in self.broken:
            raise ValueError(name)
        return value

    def run(self, **more: Any) -> Run:
        return self.flow.run({"path": "x"}, raise_on_failure=False, display="none", **more)

    def called(self) -> List[str]:
        """The functions called since somebody asked."""
        calls, self.calls = sorted(self.calls), []
        return calls


@pytest.fixture
def bench() -> Bench:
    return Bench()


def states(run: Run) -> Dict[str, str]:
    return {name: "%s %s" % (row.state, row.cause) for name, row in run.snapshot().tasks.items()}


def test_what_failed_runs_again_with_what_comes_after_and_the_rest_is_reused(bench: Bench) -> None:
    first = bench.run()
    bench.broken.clear()
    bench.called()
    again = first.rerun(failed=True)
    assert bench.called() == ["clean", "report"]
    assert states(again) == {
        "raw": "reused earlier_run",
        "clean": "succeeded returned",
        "audit": "reused earlier_run",
        "report": "succeeded returned",
    }
    assert (again["report"], again["raw"], again.state) == (2, ["x"], "succeeded")
    assert again["raw"] is first["raw"]
    assert flowdsl.last_run() is again


def test_the_log_of_a_rerun_keeps_every_invariant_and_names_the_first_run(bench: Bench) -> None:
    first = bench.run()
    again = first.rerun(failed=True)
    check_batches(read_journal(again.dir).batches)
    assert again.snapshot().info["rerun_of"] == first.id
    assert again.tasks.set_index("task").loc["raw", ["state", "cause"]].tolist() == ["reused", "earlier_run"]
    assert again.attempts["task"].tolist() == ["clean"]


def test_a_task_that_was_defined_anew_runs_its_new_function(bench: Bench) -> None:
    first = bench.run()
    bench.define("clean", lambda raw: raw * 3)
    assert first.rerun(failed=True)["report"] == 3


def test_a_task_that_succeeded_and_was_changed_since_runs_again(bench: Bench) -> None:
    bench.broken.clear()
    first = bench.run()
    bench.called()
    bench.define("audit", lambda raw: bench.work("audit", -len(raw)))
    again = first.rerun(failed=True)
    assert bench.called() == ["audit"]
    assert again["audit"] == -1


def test_a_cell_that_was_run_again_unchanged_keeps_its_result(bench: Bench) -> None:
    bench.broken.clear()
    first = bench.run()
    for _ in range(2):
        exec("@flow.task\ndef extra(audit):\n    return audit + 1", {"flow": bench.flow})
    assert first.rerun(failed=True, dry_run=True).again == ("extra",)
    second = first.rerun(failed=True)
    exec("\n\n# a comment\n@flow.task\ndef extra(audit):\n    return audit + 1", {"flow": bench.flow})
    assert second.rerun(failed=True, dry_run=True).again == ()


def test_an_edge_that_was_added_since_counts_as_a_change(bench: Bench) -> None:
    bench.broken.clear()
    first = bench.run()
    function = bench.flow["report"].spec.function
    bench.flow.task("report", depends_on="audit")(function)
    assert first.rerun(failed=True, dry_run=True).why == {"report": "changed"}


def test_another_flow_that_its_cell_made_again_is_no_change_to_what_depends_on_its_task() -> None:
    flow = Flow("gold")

    def define() -> None:
        bronze = Flow("bronze")
        bronze.task("rows")(lambda: [1, 2])
        flow.task("total", depends_on=bronze["rows"])(lambda rows: sum(rows))
        flow.task("last")(lambda total: 1 // (total - 3))

    define()
    first = flow.run(raise_on_failure=False, display="none")
    define()
    assert first.rerun(failed=True, dry_run=True).again == ("last",)


def test_a_task_that_is_mapped_no_more_runs_again() -> None:
    flow = Flow("maps")
    flow.task("numbers")(lambda: [1, 2])

    def pairs(numbers: Any) -> Any:
        return [numbers]

    flow.task(map="numbers")(pairs)
    first = flow.run(display="none")
    assert first["pairs"] == [[1], [2]]
    flow.task("pairs")(pairs)  # on another line: no loop
    again = first.rerun(failed=True)
    assert (again["pairs"], states(again)["numbers"]) == ([[1, 2]], "reused earlier_run")


def test_a_task_that_takes_a_slice_of_a_result_is_no_hindrance() -> None:
    flow = Flow("slices")
    flow.task("numbers")(lambda: [1, 2, 3])
    numbers = flow["numbers"]
    flow.task("two", depends_on={"part": numbers[:2]})(lambda part: part)
    first = flow.run(display="none")
    assert states(first.rerun(failed=True))["two"] == "reused earlier_run"
    flow.task("two", depends_on={"part": numbers[1:]})(lambda part: part)
    again = first.rerun(failed=True)
    assert (again["two"], states(again)["numbers"]) == ([2, 3], "reused earlier_run")


def test_from_a_task_runs_it_and_what_comes_after(bench: Bench) -> None:
    bench.broken.clear()
    first = bench.run()
    bench.called()
    first.rerun(from_="clean")
    assert bench.called() == ["clean", "report"]
    first.rerun(from_=[bench.flow["audit"], "report"])
    assert bench.called() == ["audit", "report"]


def test_without_a_word_everything_runs_again(bench: Bench) -> None:
    bench.broken.clear()
    first = bench.run()
    bench.called()
    first.rerun()
    assert bench.called() == ["audit", "clean", "raw", "report"]


def test_the_plan_says_what_will_run_and_nothing_runs(bench: Bench) -> None:
    first = bench.run()
    bench.called()
    plan = first.rerun(failed=True, dry_run=True)
    assert (plan.again, plan.reused, plan.why) == (("clean", "report"), ("raw", "audit"), {"clean": "failed"})
    assert plan.line == "runs again: clean (failed), report; results kept: raw, audit"
    assert repr(plan).splitlines()[1:] == ["  runs again: clean (failed), report", "  results kept: raw, audit"]
    assert "\u2248" not in repr(plan) and "data:image/svg" in plan._repr_mimebundle_()["text/html"]
    assert (bench.called(), flowdsl.last_run()) == ([], first)


def test_what_will_run_is_shown_first(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    first = bench.run()
    bench.broken.clear()
    first.rerun(failed=True, display="lines")
    assert "runs again: clean (failed), report; results kept: raw, audit" in capsys.readouterr().err.splitlines()[1]


def test_a_rerun_takes_the_inputs_targets_and_options_of_the_run_and_new_options(bench: Bench) -> None:
    first = bench.run(targets="audit", max_workers=2, on_failure="stop")
    again = first.rerun(max_workers=3)
    info = again.snapshot().info
    assert (info["targets"], info["inputs"], info["max_workers"], info["on_failure"]) == (
        ["audit"],
        ["path"],
        3,
        "stop",
    )


def test_a_rerun_raises_as_its_run_did(bench: Bench) -> None:
    with pytest.raises(RunFailed) as caught:
        bench.flow.run(path="x", display="none")
    with pytest.raises(RunFailed):
        caught.value.run.rerun(failed=True)
    assert caught.value.run.rerun(failed=True, raise_on_failure=False).state == "failed"


def test_a_given_task_stays_given(bench: Bench) -> None:
    first = bench.flow.run(clean=[1, 2, 3], path="x", display="none")
    again = first.rerun(failed=True)
    assert states(again)["clean"] == "succeeded given"
    assert again["report"] == 3


def test_what_was_skipped_has_no_result_and_runs_again(bench: Bench) -> None:
    bench.broken.clear()
    skipping = [True]

    def audit(raw: Any) -> int:
        if skipping:
            raise Skip("not today")
        return 7

    bench.define("audit", audit)
    first = bench.run()
    skipping.clear()
    assert first.rerun(failed=True)["audit"] == 7


def test_a_result_that_was_let_go_is_made_again_where_it_is_needed(bench: Bench) -> None:
    first = bench.run(keep="targets", targets=["report", "audit"])
    assert first.rerun(failed=True, dry_run=True).again == ("raw", "clean", "audit", "report")
    bench.broken.clear()
    second = first.rerun(failed=True)
    third = second.rerun(failed=True)
    assert third.snapshot().tasks["clean"].state == "reused"
    with pytest.raises(ResultReleased):
        third["clean"]


def test_a_rerun_without_waiting_comes_back_at_once(bench: Bench) -> None:
    first = bench.run()
    again = first.rerun(failed=True, wait=False)
    assert again.wait(30)
    assert again.state == "failed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"from_": "cleen"}, r"from_='cleen' is no task of the run; did you mean 'clean'\?"),
        ({"from_": 3}, "from_=3 is no task"),
        ({"faild": True}, r"faild.*did you mean"),
        ({"failed": 1}, "failed=1"),
        ({"max_workers": 0}, "max_workers=0"),
        ({"targets": "raw"}, "targets"),
    ],
)
def test_a_wrong_word_is_refused(options: Dict[str, Any], message: str, bench: Bench) -> None:
    first = bench.run()
    with pytest.raises(ConfigError, match=message):
        first.rerun(**options)


def test_a_run_that_goes_on_cannot_be_run_again() -> None:
    import threading

    gate = threading.Event()
    flow = Flow("slow")
    flow.task("wait")(lambda: gate.wait(30))
    run = flow.start(display="none")
    try:
        with pytest.raises(ConfigError, match=r"still going on; run\.wait"):
            run.rerun(failed=True)
    finally:
        gate.set()
    assert run.wait(30)


@given(some.data())
def test_a_rerun_of_any_graph_gives_what_a_whole_run_gives(data: Any) -> None:
    """Failures anywhere, then none: the results are those of a run without failures, and only what must runs."""
    size = data.draw(some.integers(1, 7))
    parents = [data.draw(some.sets(some.integers(0, n - 1))) if n else set() for n in range(size)]
    broken = data.draw(some.sets(some.integers(0, size - 1)))
    calls: List[int] = []
    flow = Flow("any")

    def define(n: int) -> None:
        def function(*above: Any) -> Any:
            calls.append(n)
            if n in broken:
                raise ValueError(n)
            return (n, above)

        flow.task("t%d" % n, depends_on=["t%d" % parent for parent in sorted(parents[n])])(function)

    for n in range(size):
        define(n)
    first = flow.run(display="none", raise_on_failure=False)
    done = {n for n in range(size) if first.snapshot().tasks["t%d" % n].state == "succeeded"}
    broken.clear()
    calls.clear()
    again = first.rerun(failed=True)
    assert sorted(calls) == sorted(set(range(size)) - done)
    assert {name: again[name] for name in flow} == {name: flow.run(display="none")[name] for name in flow}
    check_batches(read_journal(again.dir).batches)
