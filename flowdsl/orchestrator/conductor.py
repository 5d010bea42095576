"""The conductor: has tasks of the queue executed, alone, with what they need, or all, and waits for the end."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import TimeoutError
from typing import Any, Callable, List, Mapping, Optional, Union

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.errors import ConfigError, FlowError
from flowdsl.executors.current import here
from flowdsl.hold import check_not_held
from flowdsl.orchestrator.admission import Admission
from flowdsl.orchestrator.changes import pause
from flowdsl.orchestrator.launching import Launcher
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.planning import Plan, plan_all, plan_one, plan_with_dependencies
from flowdsl.orchestrator.recorder import Recorder
from flowdsl.orchestrator.standing import Standing
from flowdsl.run import Run
from flowdsl.settings import options
from flowdsl.start import until_done

__all__ = ["Conductor", "Job"]

PATIENCE = 5.0  # seconds that the end waits for listeners
LOOK = 0.1  # seconds between two looks of whoever waits


class Job:
    """What was asked for: the target, "" for all; how its plan is made; whether it runs though it is completed."""

    def __init__(self, target: str, plan: Callable[[Mapping[str, Standing]], Plan], *, force: bool = False) -> None:
        self.target = target
        self.plan = plan
        self.force = force
        self.ran: List[str] = []
        self.begun: Optional[Run] = None  # for it, and not before

    def take_note(self, run: Run) -> None:
        """This run is for it, and is about to begin."""
        self.begun = run


class Conductor:
    """Begins runs for jobs and waits for them, in the three ways there are."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.admission = Admission(parts.options.max_concurrent_tasks)
        self.recorder = Recorder(parts, self._over)
        self._abandoned = False
        self._stop_schedule: Callable[[], None] = lambda: None
        self._launcher = Launcher(parts, self.recorder, self.admission)

    # ---- jobs

    def one(self, task_id: str, force: bool) -> Job:
        """This task alone; KeyError where there is none."""
        self.parts.book.entry(task_id)
        return Job(task_id, lambda how: plan_one(self.parts.book.queue, how, task_id), force=force)

    def with_dependencies(self, task_id: str, force: bool) -> Job:
        """This task, after all that it needs and that is not completed; KeyError where there is none."""
        self.parts.book.entry(task_id)
        hold = self.parts.options.on_interrupted == "hold"
        plan = plan_with_dependencies
        return Job(task_id, lambda how: plan(self.parts.book.queue, how, task_id, hold), force=force)

    def all(self) -> Job:
        """Every task that waits to be run."""
        hold = self.parts.options.on_interrupted == "hold"
        return Job("", lambda how: plan_all(self.parts.book.queue, how, hold))

    # ---- three ways

    def do(self, job: Job) -> Any:
        """Have it done and wait for it; a KeyboardInterrupt cancels what was begun for it, and is raised again."""
        if self._has_been_done(job):
            return self._launcher.value(job.target)
        self._refuse_if_paused()
        try:
            run = self._begin_or_wait(job)
            while run is None:
                run = self._begin_or_wait(job)
            self._wait_for(run)
        except KeyboardInterrupt:
            if job.begun is not None:
                job.begun.cancel()
                self._wait_for(job.begun)
            raise
        return self._outcome(job, run)

    async def do_async(self, job: Job) -> Any:
        """The same, awaited; cancelling the await cancels the run and waits for its end."""
        if self._has_been_done(job):
            return self._launcher.value(job.target)
        self._refuse_if_paused()
        found = self._begin(job)
        while isinstance(found, list):
            for run in found:
                await asyncio.wrap_future(self.recorder.settled(run))
            found = self._begin(job)
        settled = asyncio.wrap_future(self.recorder.settled(found))
        try:
            await asyncio.shield(settled)
        except asyncio.CancelledError:
            if job.begun is not None:
                job.begun.cancel()
                await until_done(settled)
            raise
        return self._outcome(job, found)

    def start(self, job: Job) -> Run:
        """The run, at once; ConfigError where a task that is needed belongs to another run that goes on."""
        found = self._begin(job)
        if isinstance(found, list):
            names = "" if options.stable_repr else ": " + ", ".join(run.id for run in found)
            raise ConfigError("tasks that are needed belong to runs that go on%s; wait() for those first" % names)
        return found

    # ---- all of it

    def pause(self) -> None:
        """Start nothing more, in no run; what runs goes on."""
        with self.parts.book.lock:
            if pause(self.parts, True):
                self.admission.pause(self.parts.executions.going)

    def resume(self) -> None:
        """Go on after `pause`."""
        with self.parts.book.lock:
            if pause(self.parts, False):
                self.admission.resume(self.parts.executions.going)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until no run goes on and every listener has heard of everything."""
        end = None if timeout is None else time.monotonic() + timeout
        for run in self._going():
            if not _is_done(self.recorder.settled(run), _left(end)):
                return False
        return self.parts.listeners.wait(_left(end))

    def close(self, cancel: bool) -> None:
        """Wait for the runs that go on, or cancel them; then give the directory free."""
        going = self._going()
        if going and self.admission.paused and not cancel:
            text = "the queue is paused with %s waiting in it; resume() first, or close(cancel=True)"
            raise FlowError(text % counted(len(going), "run"))
        for run in going if cancel else ():
            run.cancel()
        for run in going:
            self._wait_for(run)
        self._shut()
        if not self.parts.listeners.wait(PATIENCE):
            text = "a listener is still at work after %g s; the orchestrator is closed without waiting for it"
            logging.getLogger("flowdsl").warning(text, PATIENCE)
        self.parts.listeners.close()

    def abandon(self) -> None:
        """Nobody holds the orchestrator any more: give the directory free as soon as no run goes on."""
        with self.parts.book.lock:
            self._abandoned = True
            if not self.parts.executions.going:
                self._shut()
                self.parts.listeners.close()

    def replace_schedule(self, stop: Callable[[], None]) -> None:
        """What ends the clean-ups that are planned; those before end now."""
        self._stop_schedule()
        self._stop_schedule = stop

    def _shut(self) -> None:
        self._stop_schedule()
        self.recorder.close()
        self.parts.book.close()

    def _over(self, run: Run) -> None:
        """A run has ended; under the book's lock."""
        self.admission.end(run)
        if self._abandoned and not self.parts.executions.going:
            self._shut()
            self.parts.listeners.close()

    def _going(self) -> List[Run]:
        with self.parts.book.lock:
            return list(self.parts.executions.going.values())

    # ---- steps

    def _refuse_if_paused(self) -> None:
        if self.admission.paused:
            raise FlowError("the queue is paused and nothing would begin; resume() first, or start=True to go on later")

    def _begin_or_wait(self, job: Job) -> Optional[Run]:
        found = self._begin(job)
        if not isinstance(found, list):
            return found
        for run in found:
            self._wait_for(run)
        return None

    def _begin(self, job: Job) -> Union[Run, List[Run]]:
        """The run that does it, begun now or before; or the runs for whose end it has to wait."""
        check_not_held()
        parts = self.parts
        with parts.book.lock:
            how = parts.glance()
            if job.target:
                going = self._joined(job, how[job.target])
                if going is not None:
                    return going
            plan = Plan((), (job.target,)) if self._is_done(job, how) else job.plan(how)
            if plan.busy:
                ids = dict.fromkeys(how[name].run_id for name in plan.busy)
                return [parts.executions.going[run_id] for run_id in ids]
            job.ran = list(plan.runs)
            return self._launcher.begin(plan, here() is not None, job.take_note)

    def _joined(self, job: Job, now: Standing) -> Optional[Run]:
        """The run that has the target in hand; ConfigError where the target may not be executed."""
        if now.in_run:
            job.ran = [job.target]
            return self.parts.executions.going[now.run_id]
        if now.final and now.state == st.FAILED and not job.force:
            text = "task %r was set to failed by hand, which is final; force=True runs it all the same"
            raise ConfigError(text % job.target)
        if now.state == st.RUNNING and not job.force:
            text = "task %r is in-progress by hand; update_task_state(%r, {'status': 'pending'}) gives it back"
            raise ConfigError(text % (job.target, job.target))
        return None

    def _has_been_done(self, job: Job) -> bool:
        with self.parts.book.lock:
            return self._is_done(job, self.parts.glance())

    def _is_done(self, job: Job, how: Mapping[str, Standing]) -> bool:
        return bool(job.target) and not job.force and how[job.target].state in st.DONE_WELL

    def _wait_for(self, run: Run) -> None:
        while not _is_done(self.recorder.settled(run), LOOK):
            pass

    def _outcome(self, job: Job, run: Run) -> Any:
        """The result of the target, or those of all that ran; raises what the run ended with where there is none."""
        if not job.target:
            run.check()
            return {name: run[name] for name in job.ran if run.has_result(name)}
        if run.has_result(job.target):
            run.warn_of_abandoned()
            return run[job.target]
        row = run.snapshot().tasks.get(job.target)
        if row is not None and row.state == st.SKIPPED:
            return None
        run.check()
        return run[job.target]


def _is_done(settled: Any, timeout: Optional[float]) -> bool:
    """Wait at most so many seconds; whether it is done."""
    try:
        settled.result(timeout)
    except TimeoutError:  # of futures: until Python 3.11 not the builtin one
        return False
    return True


def _left(end: Optional[float]) -> Optional[float]:
    return None if end is None else max(0.0, end - time.monotonic())
