"""LogOrchestrator: lines with fields, on the standard library's logging, that come back as a DataFrame."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from flowdsl import ConfigError, Flow, LogWriteError
from flowdsl.orchestrator import LogOrchestrator, TaskOrchestrator


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogOrchestrator]:
    with LogOrchestrator(tmp_path / "logs") as found:
        yield found


def test_a_line_has_a_level_a_message_and_fields(log: LogOrchestrator) -> None:
    log.set_level("debug")
    log.debug("looking", depth=3)
    log.info("Task completed", {"taskId": "task_001", "duration": 12})
    log.warn("odd", {"why": "size"}, size=3)
    log.error("broken")
    frame = log.logs()
    assert frame["level"].tolist() == ["debug", "info", "warn", "error"]
    assert frame["message"].tolist() == ["looking", "Task completed", "odd", "broken"]
    assert frame["taskId"].isna().tolist() == [True, False, True, True]
    assert frame["fields"].tolist() == [{"depth": 3}, {"duration": 12}, {"why": "size", "size": 3}, {}]


def test_every_line_of_the_file_is_one_object_of_json(log: LogOrchestrator) -> None:
    log.info('x\n{"status":"completed"}', {"a\nb": "c\r\nd", "lock": threading.Lock(), "nan": float("nan")})
    log.info("%s %d", {"args": ("%s",)})
    lines = (log.dir / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["message"] for one in found] == ['x\n{"status":"completed"}', "%s %d"]
    assert "_thread.lock" in found[0]["fields"]["lock"]
    assert (log.dir / "log.jsonl").stat().st_mode & 0o777 == 0o600


def test_lines_below_the_level_are_not_written(log: LogOrchestrator) -> None:
    log.debug("no")
    log.set_level("error")
    log.warn("no")
    log.error("yes")
    assert log.logs()["message"].tolist() == ["yes"]
    with pytest.raises(ConfigError, match="did you mean 'error'"):
        log.set_level("eror")


def test_a_child_binds_fields_to_its_lines(log: LogOrchestrator) -> None:
    child = log.child(taskId="task_007").child({"step": "read"})
    child.info("begun", rows=3)
    child.info("other", step="write")
    assert log.logs(task="task_007")["fields"].tolist() == [{"step": "read", "rows": 3}, {"step": "write"}]


def test_an_error_inside_except_brings_its_traceback(log: LogOrchestrator) -> None:
    try:
        raise ValueError("the cause")
    except ValueError:
        log.error("it failed")
    assert "ValueError: the cause" in log.logs()["error"].iloc[0]
    assert len(log.search("the cause")) == 1


def test_every_handler_of_logging_gets_the_same_records(log: LogOrchestrator, caplog: pytest.LogCaptureFixture) -> None:
    log.info("to all", {"taskId": "task_001", "name": "also a word of logging"})
    (record,) = caplog.records
    assert record.getMessage() == "to all"
    assert record.fields == {"taskId": "task_001", "name": "also a word of logging"}  # type: ignore[attr-defined]
    assert record.taskId == "task_001"  # type: ignore[attr-defined]
    assert record.name == "flowdsl.log"
    assert record.filename == "test_log.py"


def test_a_filter_keeps_what_it_likes(log: LogOrchestrator) -> None:
    keep = log.add_filter(lambda record: record.fields.get("loud", False))
    log.info("quiet")
    log.info("loud", loud=True)
    log.remove_filter(keep)
    log.info("again")
    assert log.logs()["message"].tolist() == ["loud", "again"]


def test_lines_are_found_by_level_task_time_text_and_logger(log: LogOrchestrator) -> None:
    log.info("Alpha", taskId="a")
    log.warn("beta", {"city": "ALPHAVILLE"})
    logging.getLogger("flowdsl.log.below").warning("gamma")
    assert log.logs(level="warn")["message"].tolist() == ["beta", "gamma"]
    assert log.search("alpha")["message"].tolist() == ["Alpha", "beta"]
    assert log.search(task="a")["message"].tolist() == ["Alpha"]
    assert log.logs(logger="flowdsl.log.below")["message"].tolist() == ["gamma"]
    times = log.logs()["time"]
    assert len(log.logs(since=times.iloc[0].to_pydatetime())) == 3
    assert len(log.logs(until="2020-01-01T00:00:00Z")) == len(log.logs(since=4e9)) == 0
    for wrong in ({"level": "loud"}, {"since": "yesterday"}, {"until": True}):
        with pytest.raises(ConfigError):
            log.logs(**wrong)


def test_the_files_rotate_and_are_read_together_oldest_first(tmp_path: Path) -> None:
    with LogOrchestrator(tmp_path / "logs", max_bytes=2_000, max_files=3) as log:
        for number in range(100):
            log.info("line", number=number)
        files = sorted(path.name for path in log.dir.iterdir())
        assert files == ["log.jsonl", "log.jsonl.1", "log.jsonl.2", "log.jsonl.3"]
        numbers = [fields["number"] for fields in log.logs()["fields"]]
    assert numbers == list(range(100))[-len(numbers) :]
    assert all(path.stat().st_size <= 2_000 for path in log.dir.iterdir())


@pytest.mark.parametrize("rotation", ["hourly", "daily"])
def test_the_files_rotate_by_time(tmp_path: Path, rotation: str) -> None:
    with LogOrchestrator(tmp_path, rotation=rotation) as log:
        log.info("before")
        (handler,) = log._handlers
        handler.rolloverAt = 0  # type: ignore[attr-defined]
        log.info("after")
        assert log.logs()["message"].tolist() == ["before", "after"]
        assert len(list(tmp_path.glob("log.jsonl*"))) == 2


def test_a_line_that_cannot_be_read_is_passed_over_and_counted(log: LogOrchestrator) -> None:
    log.info("good")
    with (log.dir / "log.jsonl").open("a") as file:
        file.write('{"time": "cut of\n[1]\n{"time": "yesterday", "level": "info", "message": "x"}\n')
    log.info("good too")
    with pytest.warns(UserWarning, match="3 lines in .* cannot be read"):
        assert log.logs()["message"].tolist() == ["good", "good too"]


def test_an_empty_frame_has_the_dtypes_of_a_full_one(log: LogOrchestrator) -> None:
    empty = log.logs()
    log.info("x", taskId="a", attempt=1)
    assert list(empty.dtypes.items()) == list(log.logs().dtypes.items())


def test_a_cell_that_is_run_again_writes_no_line_twice(tmp_path: Path) -> None:
    with LogOrchestrator(tmp_path), LogOrchestrator(tmp_path) as second:
        second.info("once")
        assert len(second.logs()) == 1


def test_the_console_shows_one_line_for_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LogOrchestrator(tmp_path, console=True) as log:
        log.warn("two\nlines\x1b[31m", taskId="task_001", long="x" * 200)
    (line,) = capsys.readouterr().err.splitlines()
    assert line[13:].startswith(r"warn  two\nlines\x1b[31m  [taskId=task_001 long=xxx")


def test_lines_written_in_a_task_carry_its_name_and_attempt(log: LogOrchestrator, log_dir: Path) -> None:
    flow = Flow("logging", log_dir=log_dir, retries=1)
    tries: List[int] = []

    @flow.task
    def talks() -> None:
        log.info("from inside")
        logging.getLogger("flowdsl.log.parser").warning("from another module")
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    flow.run(display="none")
    frame = log.logs(task="talks")
    assert frame["attempt"].tolist() == [1, 1, 2, 2]
    assert frame["message"].tolist() == ["from inside", "from another module"] * 2


def test_the_context_of_a_handler_logs_for_its_task(log: LogOrchestrator, log_dir: Path) -> None:
    with TaskOrchestrator(task_log_dir=log_dir) as orchestrator:
        orchestrator.handler("talk", lambda context: context.log.info("working", {"rows": 3}))
        task = orchestrator.add_task(action="talk")
        orchestrator.execute_task(task)
    row = log.search(task=task).iloc[0]
    assert (row["message"], row["attempt"], row["fields"]) == ("working", 1, {"rows": 3})


def test_the_root_logger_hears_of_every_library(tmp_path: Path) -> None:
    level = logging.getLogger().level
    try:
        with LogOrchestrator(tmp_path, name="") as log:
            logging.getLogger("somebody.else").info("hello")
            assert log.logs()["logger"].tolist() == ["somebody.else"]
    finally:
        logging.getLogger().setLevel(level)


def test_options_in_the_documents_words(tmp_path: Path) -> None:
    with LogOrchestrator.from_options({"logDir": str(tmp_path), "level": "warn", "maxFileSize": 1000}) as log:
        log.info("no")
        log.warn("yes")
        assert log.logs()["message"].tolist() == ["yes"]
    with pytest.raises(ConfigError, match="did you mean 'logDir'"):
        LogOrchestrator.from_options({"logDri": "x"})


@pytest.mark.parametrize(
    "options",
    [{"level": "loud"}, {"rotation": "weekly"}, {"max_bytes": 0}, {"max_files": -1}, {"consol": True}, {"name": 3}],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: Any) -> None:
    with pytest.raises(ConfigError):
        LogOrchestrator(tmp_path / "never", **options)
    assert not (tmp_path / "never").exists()


def test_fields_that_are_no_dictionary_are_refused(log: LogOrchestrator) -> None:
    with pytest.raises(ConfigError, match="is not a dict"):
        log.info("x", ["taskId"])  # type: ignore[arg-type]


def test_a_directory_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogWriteError, match="cannot write"):
        LogOrchestrator(tmp_path / "file" / "logs")


@pytest.mark.slow
def test_lines_of_a_worker_process_carry_its_task_and_its_fields(tmp_path: Path, log_dir: Path) -> None:
    def work(context: Any) -> None:
        import logging

        context.log.info("ours", {"n": 1, "deep": {"a": [1, 2]}, "odd": {3}})
        logging.getLogger("library").warning("theirs")
        try:
            raise KeyError("lost")
        except KeyError:
            context.log.error("failed")

    with LogOrchestrator(tmp_path / "root", name="", level="warn") as root, LogOrchestrator(tmp_path / "own") as log:
        with TaskOrchestrator(task_log_dir=log_dir, isolation="process") as orchestrator:
            orchestrator.handler("work", work)
            orchestrator.execute_task(orchestrator.add_task(action="work"))
        frames = (root.logs, log.logs)
        for _ in range(200):
            if [len(logs()) for logs in frames] == [2, 2]:
                break
            threading.Event().wait(0.05)
        for logs in frames:
            assert logs()["taskId"].tolist() == ["task_001"] * 2
            assert logs()["attempt"].tolist() == [1, 1]
            assert "KeyError: 'lost'" in logs()["error"].tolist()[1]
        assert root.logs()["message"].tolist() == ["theirs", "failed"]
        assert log.logs()["fields"].tolist() == [{"n": 1, "deep": {"a": [1, 2]}, "odd": "{3}"}, {}]


@pytest.mark.slow
def test_a_handler_that_raises_for_each_record_of_a_worker_costs_no_other_its_records(
    log: LogOrchestrator, log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError("broken handler")

    def work(context: Any) -> None:
        for number in range(3):
            context.log.info("line", n=number)

    broken = Broken()
    logging.getLogger().addHandler(broken)
    try:
        with TaskOrchestrator(task_log_dir=log_dir, isolation="process") as orchestrator:
            orchestrator.handler("work", work)
            orchestrator.execute_task(orchestrator.add_task(action="work"))
        for _ in range(200):
            if len(log.logs()) == 3:
                break
            threading.Event().wait(0.05)
    finally:
        logging.getLogger().removeHandler(broken)
    assert [fields["n"] for fields in log.logs()["fields"]] == [0, 1, 2]
    assert "broken handler" in capsys.readouterr().err


def test_two_logs_of_one_name_have_a_level_each_and_leave_the_logger_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("of.two")
    logger.setLevel(logging.CRITICAL)
    with LogOrchestrator(tmp_path / "a", level="info", name="of.two") as one:
        with LogOrchestrator(tmp_path / "b", level="error", name="of.two") as other:
            one.info("for one")
            other.error("for both")
        one.info("one alone")
        assert one.logs()["message"].tolist() == ["for one", "for both", "one alone"]
        assert other.logs()["message"].tolist() == ["for both"]
        one.set_level("error")
        assert logger.level == logging.ERROR
    assert logger.level == logging.CRITICAL
