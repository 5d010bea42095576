"""A real kernel to run cells in, as a notebook does."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from jupyter_client.manager import KernelManager

PATIENCE = 60.0  # seconds; a busy machine is slow, and a test that waits longer has failed


class Reply(NamedTuple):
    """What a cell came to."""

    outputs: List[Dict[str, Any]]
    error: Optional[str]  # the name of the exception class
    traceback: str

    @property
    def text(self) -> str:
        """What was printed, and the value of the last line; not what is displayed, also for earlier cells."""
        printed = [out["text"] for out in self.outputs if "text" in out]
        values = [out["data"]["text/plain"] for out in self.outputs if "execution_count" in out]
        return "".join(printed + values).strip()


class Kernel:
    """Runs code cell by cell; `begin` and `finish` are the halves of `run`."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self._manager = manager
        self._client = client

    def run(self, code: str) -> Reply:
        """Execute a cell and wait for its end; an exception is part of the reply."""
        return self.finish(self.begin(code))

    def value(self, code: str) -> str:
        """The text of a cell that must not fail."""
        reply = self.run(code)
        assert reply.error is None, reply.traceback
        return reply.text

    def begin(self, code: str) -> str:
        """Set a cell going."""
        return str(self._client.execute(code, store_history=True))

    def finish(self, cell: str, messages: Optional[List[Any]] = None) -> Reply:
        """Wait for the end of a cell that was set going; everything that it sent is added to `messages`."""
        outputs: List[Dict[str, Any]] = []
        error, traceback = None, ""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != cell:
                continue
            if messages is not None:
                messages.append(message)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return Reply(outputs, error, traceback)
            if kind in ("stream", "display_data", "execute_result", "update_display_data"):
                outputs.append(content)
            if kind == "error":
                error, traceback = content["ename"], plain("\n".join(content["traceback"]))
        raise AssertionError("the cell did not end: %r" % cell)

    def interrupt(self) -> None:
        """What the stop button does."""
        self._manager.interrupt_kernel()


def plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@contextmanager
def kernel(directory: str) -> Iterator[Kernel]:
    """A kernel of this interpreter that works in `directory`."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=directory)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
