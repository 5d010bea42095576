"""What `import flowdsl` costs over an empty interpreter, in CPU time: at most 0.1 s."""

from __future__ import annotations

import resource
import subprocess
import sys

LIMIT = 0.1
REPEATS = 15


def cpu_seconds(statement):
    """User and system time of a fresh interpreter that runs one statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


cpu_seconds("import flowdsl")  # once to write the byte code
cost = min(cpu_seconds("import flowdsl") for _ in range(REPEATS)) - min(cpu_seconds("pass") for _ in range(REPEATS))
print(f"import flowdsl: {cost * 1000:.0f} ms of CPU over an empty interpreter (at most {LIMIT * 1000:.0f})")
sys.exit(cost > LIMIT)
