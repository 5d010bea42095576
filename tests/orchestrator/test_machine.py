"""Orders in any order: ids are unique, no state is lost, the disk says what memory says after every step."""

from __future__ import annotations

import gc
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as any_of
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from flowdsl import FlowError, GraphError, Skip
from flowdsl.engine.check import check_batches
from flowdsl.engine.snapshot import fold
from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.fold import Queue
from flowdsl.orchestrator.standing import Standing, as_row, described, standing
from flowdsl.orchestrator.statuses import STATUSES
from flowdsl.storage.reading import read_journal
from flowdsl.storage.records import SCHEMA, task_record

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra `test`")
VALID = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
FATES = ("well", "badly", "skips", "second_try")
PERCENT = any_of.one_of(any_of.none(), any_of.integers(-5, 105))


class Orders(RuleBasedStateMachine):
    """Plays with one orchestrator over its public methods; it is closed, dropped or killed, and made again."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.dir = Path(tempfile.mkdtemp(prefix="orders-")) / "tasks"
        self.given: List[str] = []
        self.removed: List[str] = []
        self.done: Dict[str, Any] = {}  # what was completed, and its result
        self.tries: Dict[str, int] = {}
        self.orchestrator = self.open()

    def open(self) -> TaskOrchestrator:
        found = TaskOrchestrator(task_log_dir=self.dir, retry_attempts=1, retry_delay=0, max_concurrent_tasks=2)
        for fate in FATES:
            found.handler(fate, self.do)
        return found.initialize()

    def do(self, context: Any, results: Dict[str, Any]) -> Any:
        self.tries[context.task_id] = self.tries.get(context.task_id, 0) + 1
        context.progress(40, "on it")
        if context.action == "skips":
            raise Skip("nothing to do")
        if context.action == "badly" or (context.action == "second_try" and context.attempt == 1):
            raise ValueError(context.action)
        return [context.task_id, self.tries[context.task_id]]

    def attempt(self, order: Any, *args: Any, **more: Any) -> Any:
        """An order may be refused or fail: then nothing else may have happened, which the invariants see."""
        try:
            return order(*args, **more)
        except (FlowError, KeyError):
            return None

    # ---- the orders

    @initialize(target=tasks)
    def begin(self) -> Any:
        self.given += self.orchestrator.add_tasks(
            [{"action": "well"}, {"action": "badly"}, {"action": "well", "dependencies": ["task_001", "task_002"]}]
        )
        return multiple(*self.given)

    @rule(target=tasks, fate=any_of.sampled_from(FATES), data=any_of.data(), explicit=any_of.integers(0, 3))
    def add(self, fate: str, data: Any, explicit: int) -> Any:
        known = list(self.orchestrator.queue()["taskId"])
        needs = data.draw(any_of.lists(any_of.sampled_from(known), max_size=3)) if known else []
        name = {"task_id": data.draw(any_of.sampled_from(["x", "X", "..", "task_007"]))} if not explicit else {}
        task = self.attempt(self.orchestrator.add_task, action=fate, dependencies=needs, **name)
        if task is None:
            assert name and (name["task_id"] in self.given)
            return multiple()
        assert task not in self.given
        self.given.append(task)
        return task

    @rule(task=tasks, force=any_of.booleans())
    def execute(self, task: str, force: bool) -> None:
        self.attempt(self.orchestrator.execute_task, task, force=force)
        if force:
            self.forget(task)

    @rule(task=tasks)
    def execute_with_dependencies(self, task: str) -> None:
        self.attempt(self.orchestrator.execute_with_dependencies, task)

    @rule()
    def execute_all(self) -> None:
        try:
            self.orchestrator.execute_all()
        except GraphError as exc:
            raise AssertionError("no task that is gone may hold up the others: %s" % exc) from exc
        except FlowError:
            pass  # a task failed, or the queue is paused

    @rule(task=tasks, status=any_of.sampled_from([*STATUSES, "nonsense"]), progress=PERCENT)
    def update(self, task: str, status: str, progress: Any) -> None:
        change = {"status": status, **({} if progress is None else {"progress": progress, "message": "by hand"})}
        found = self.attempt(self.orchestrator.update_task_state, task, change)
        if found is not None:
            assert found["status"] == status
            assert progress is None or 0 <= progress <= 100
            assert progress is None or found["message"] == "by hand"

    @rule(task=tasks, meanwhile=any_of.booleans())
    def cancel(self, task: str, meanwhile: bool) -> None:
        if meanwhile and not self.orchestrator.paused:
            self.attempt(self.orchestrator.execute_all, start=True)
        self.attempt(self.orchestrator.cancel, task)
        assert self.orchestrator.wait(60)

    @rule(task=consumes(tasks))
    def remove(self, task: str) -> Any:
        self.attempt(self.orchestrator.remove, task)
        if task not in self.orchestrator:
            self.removed.append(task)
            self.forget(task)

    @rule(task=tasks, priority=any_of.floats(-5, 5))
    def prioritise(self, task: str, priority: float) -> None:
        self.attempt(self.orchestrator.set_priority, task, priority)

    @rule()
    def pause_or_resume(self) -> None:
        paused = self.orchestrator.paused
        self.orchestrator.resume() if paused else self.orchestrator.pause()
        assert self.orchestrator.paused is not paused

    @rule()
    def compact(self) -> None:
        self.orchestrator._parts.book.compact()

    @rule(end=any_of.sampled_from(["close", "drop", "die"]))
    def restart(self, end: str) -> None:
        before, paused = self.stands(), self.orchestrator.paused
        getattr(self, end)()
        self.orchestrator = self.open()
        assert (self.stands(), self.orchestrator.paused) == (before, paused)

    def close(self) -> None:
        self.orchestrator.close()

    def drop(self) -> None:
        del self.orchestrator
        gc.collect()  # an exception may hold on to it

    def die(self) -> None:
        """What a killed process leaves is what lies there at that moment: a copy of it."""
        old, self.dir = self.dir, self.dir.with_name(self.dir.name + "+")
        shutil.copytree(str(old), str(self.dir))
        self.orchestrator.close()

    @rule(keep=any_of.integers(0, 3))
    def clean_up(self, keep: int) -> None:
        gone = self.orchestrator.clean_up(keep=keep).tasks
        self.removed += gone
        for task in gone:
            self.forget(task)

    def forget(self, task: str) -> None:
        self.done.pop(task, None)

    # ---- what holds after every step

    def stands(self) -> Dict[str, Any]:
        return {task: self.orchestrator.get_task_status(task) for task in self.orchestrator.queue()["taskId"]}

    @invariant()
    def ids_are_unique_and_no_task_is_lost(self) -> None:
        assert len(set(self.given)) == len(self.given)
        assert sorted(self.stands()) == sorted(set(self.given) - set(self.removed))

    @invariant()
    def the_id_of_a_task_that_was_removed_is_never_given_again(self) -> None:
        for task in self.removed[-2:]:
            assert self.attempt(self.orchestrator.add_task, action="well", task_id=task) is None

    def on_disk(self) -> Dict[str, Tuple[Entry, Standing]]:
        """What the journals on disk say of each task, folded anew."""
        queue = Queue()
        for batch in read_journal(self.dir / "orchestrator").batches:
            for event in batch.events:
                queue.apply(event, batch.at)
        found = {}
        for task, entry in queue.entries.items():
            log = read_journal(self.dir / entry.run_id) if entry.run_id else None
            row = None if log is None else fold(log.batches).tasks.get(task)
            found[task] = (entry, standing(entry, row, False))
        return found

    @invariant()
    def what_is_on_disk_is_what_is_in_memory(self) -> None:
        assert {task: described(*found) for task, found in self.on_disk().items()} == self.stands()

    @invariant()
    def the_record_of_every_task_is_whole_valid_and_tells_its_state(self) -> None:
        told = {}
        for path in self.dir.glob("*.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            VALID.validate(record)
            told[record["taskId"]] = record
        assert told == {task: self.record(*found) for task, found in self.on_disk().items()}

    def record(self, entry: Entry, now: Standing) -> Dict[str, Any]:
        task = entry.definition.task_id
        output = self.orchestrator.execute_task(task) if now.status == "completed" else None
        return task_record(as_row(entry, now), output, run_id=now.run_id)

    @invariant()
    def what_was_completed_stays_so_with_its_result(self) -> None:
        for task, found in self.stands().items():
            if found["status"] == "completed" and found["cause"] != "external":
                result = self.orchestrator.execute_task(task)
                assert self.done.setdefault(task, result) == result
            else:
                assert task not in self.done, found

    @invariant()
    def dependants_never_ran_before_what_they_need(self) -> None:
        for path in self.dir.iterdir():
            if path.is_dir() and path.name != "orchestrator":
                check_batches(read_journal(path).batches)

    def teardown(self) -> None:
        self.orchestrator.close(cancel=True)
        shutil.rmtree(str(self.dir.parent))


# A failure is told as it was met: to look for a shorter one takes minutes, since every step writes files.
AS_MET = (Phase.explicit, Phase.reuse, Phase.generate)
Orders.TestCase.settings = settings(
    max_examples=settings().max_examples // 4, stateful_step_count=20, phases=AS_MET, report_multiple_bugs=False
)
TestOrders = pytest.mark.timeout(400)(pytest.mark.slow(Orders.TestCase))
