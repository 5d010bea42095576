"""The page about pictures says what the palette shows."""

from __future__ import annotations

import re
from pathlib import Path

from flowdsl.engine import states as st
from flowdsl.views.palette import look


def test_the_page_lists_every_state_with_its_icon_and_its_word(repository: Path) -> None:
    page = (repository / "docs" / "pictures.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| (\S) \| ([a-z ]+) \|", page, re.MULTILINE))
    looks = [*map(look, st.TASK_STATES), look("succeeded", "given")]
    assert listed == {(how.icon, how.word) for how in looks}
