"""Draws docs/images/readme.svg: the graph of the README's example, coloured by a run of it.

python docs/readme_picture.py
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from flowdsl.views.save import save

DOCS = Path(__file__).resolve().parent


def main() -> None:
    page = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    if code is None:
        raise SystemExit("README.md holds no example")
    namespace = {"__name__": "example"}
    os.chdir(tempfile.mkdtemp())
    exec(code.group(1), namespace)
    run = namespace["run"]
    states = {name: row.state for name, row in run.snapshot().tasks.items()}
    save(run.graph, DOCS / "images" / "readme.svg", states)


if __name__ == "__main__":
    main()
