"""Random runs, watched after every input; and faults planted in the machine, to show that the watch sees them."""

from __future__ import annotations

from typing import Dict, List, Type

import pytest

from flowdsl.engine import states as st
from flowdsl.engine.check import Checker, InvariantBroken, check_batches
from flowdsl.engine.events import Batch
from flowdsl.engine.scheduler import Scheduler
from tests.engine import chaos, planted, run_seeds
from tests.engine.chaos import run_seed

# Seeds that once failed, and what they found.
ONCE_FAILED: Dict[int, str] = {
    1: "a worker that died under an attempt that begins at launch was not heard",
    3: "a timeout was retried although `retry_on` does not name it",
    5: "an outcome before its begin was no transition, and the slot was lost",
    36: "tasks that waited for the limit of an abandoned attempt waited for ever",
    107: "the worker of an abandoned attempt died, and its slot was never given back",
    112: "an abandoned attempt was released before it had ended",
    121: "an attempt was given up twice, and taken for one that had ended",
    130: "all that was ready waited for a limit that an abandoned attempt held",
    271: "a worker died under an attempt that had not told its begin",
    5351: "an attempt that was told to end alone was told once more when the run stopped",
    19239: "the last item of a map was given back, cancelled alone, and nobody heard that the map was over",
}

# What the simulation does not bring about: results from a cache, a dead driver, a task cancelled alone.
NOT_SIMULATED = {"cache_hit", "process_died", "upstream_cancelled"}


@pytest.mark.parametrize(
    "first", [0, 100, 200, *(pytest.param(first, marks=pytest.mark.once) for first in range(300, 1000, 100))]
)
def test_a_hundred_random_runs_keep_every_invariant(first: int) -> None:
    for seed in range(first, first + 100):
        run_seed(seed)


@pytest.mark.parametrize("seed", sorted(ONCE_FAILED))
def test_a_seed_that_once_failed_fails_no_more(seed: int) -> None:
    run_seed(seed)


def test_the_same_seed_is_the_same_run() -> None:
    first, second = run_seed(7).snapshot, run_seed(7).snapshot
    assert [repr(row) for row in first.tasks.values()] == [repr(row) for row in second.tasks.values()]
    assert [(a.task, a.started_at, a.ended_at) for a in first.attempts] == [
        (a.task, a.started_at, a.ended_at) for a in second.attempts
    ]


def fault_of(seed: int, machine: Type[Scheduler]) -> str:
    """What the watch says of the run of this seed on this machine; "" where it sees nothing."""
    try:
        run_seed(seed, machine)
    except (AssertionError, KeyError) as exc:  # a machine that lost its way may well stumble
        return str(exc) or repr(exc)
    return ""


@pytest.mark.parametrize("fault", planted.FAULTS)
def test_a_planted_fault_is_caught_within_three_hundred_seeds(fault: type) -> None:
    machine = planted.machine_with(fault)
    assert any(fault_of(seed, machine) for seed in range(300))


def batches_of(seed: int, monkeypatch: pytest.MonkeyPatch) -> List[Batch]:
    """All that was said in the run of this seed."""
    seen: List[Batch] = []
    take = Checker.take

    def keep(self: Checker, batch: Batch) -> None:
        seen.append(batch)
        take(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Checker, "take", keep)
        run_seed(seed)
    return seen


def test_events_alone_are_enough_to_check_a_run_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(300):
        checker = check_batches(batches_of(seed, monkeypatch))
        assert checker.ledger.open == 0


@pytest.mark.once
def test_the_simulation_brings_about_every_transition_and_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event for seed in range(2500) for batch in batches_of(seed, monkeypatch) for event in batch.events]
    wanted = {key for key in st.TRANSITIONS if key[1] not in NOT_SIMULATED}
    assert wanted - {(event.before, event.cause) for event in events if event.task} == set()
    ends = {key for key in st.RUN_TRANSITIONS if key[1] not in NOT_SIMULATED}
    assert ends - {(event.before, event.cause) for event in events if not event.task} == set()
    assert set(st.MECHANISMS) - {event.mechanism for event in events} == set()


def test_the_command_prints_how_fast_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_seeds.main(["--seeds", "20", "--jobs", "1"]) == 0
    assert "seeds/s" in capsys.readouterr().out


def test_the_command_names_the_seed_that_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_at_five(seed: int) -> None:
        if seed >= 5:
            raise InvariantBroken("planted")

    monkeypatch.setattr(chaos, "run_seed", fails_at_five)
    assert run_seeds.main(["--seeds", "20", "--jobs", "1"]) == 1
    assert "seed 5 failed: InvariantBroken: planted" in capsys.readouterr().out
