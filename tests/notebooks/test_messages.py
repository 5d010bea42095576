"""How many messages a run sends to the page that shows it."""

from __future__ import annotations

import json
from typing import Any, Iterator, List

import pytest

pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")
from tests.notebooks.kernel import Kernel, kernel

pytestmark = [pytest.mark.slow, pytest.mark.once]  # a kernel, and twenty thousand tasks

BUDGET = 200
BYTES = 256 * 1024
SHOWN = ("display_data", "update_display_data", "comm_open", "comm_msg")
TASKS = "many = Flow('many')\nfor n in range(20_000):\n"
TASKS += "    many.task(name=f'quick_{n}', tags=f'group {n % 40}')(lambda: None)"
MAP = "many = Flow('many')\nmany.task('items')(lambda: range(20_000))\n"
MAP += "many.task('quick', map='items')(lambda items: None)"


@pytest.fixture(scope="module")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(str(tmp_path_factory.mktemp("messages"))) as started:
        started.value("import flowdsl\nfrom flowdsl import Flow")
        yield started


def size(message: Any) -> int:
    """Bytes that a message brings to the page."""
    return len(json.dumps(message["content"])) + sum(map(len, message.get("buffers", ())))


@pytest.mark.parametrize("definition", [TASKS, MAP], ids=["tasks", "map"])
def test_twenty_thousand_quick_tasks_are_few_messages_and_the_last_says_succeeded(
    definition: str, shared_kernel: Kernel
) -> None:
    shared_kernel.value(definition)
    messages: List[Any] = []
    reply = shared_kernel.finish(shared_kernel.begin("run = many.run()"), messages)
    assert reply.error is None, reply.traceback
    sent = [message for message in messages if message["msg_type"] in SHOWN]
    assert 2 <= len(sent) < BUDGET
    assert max(map(size, sent)) <= BYTES
    last = [message for message in sent if message["msg_type"] == "update_display_data"][-1]
    assert "succeeded" in last["content"]["data"]["text/html"]
    assert shared_kernel.value("run.state") == "'succeeded'"
