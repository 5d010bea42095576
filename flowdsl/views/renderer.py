"""The programs that lay out DOT: where they are found, and how one is run so that it can neither hang nor flood us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import IO, Dict, List, Optional, Set, Tuple

__all__ = ["find_dot", "find_renderers", "render"]

PATIENCE = 6.0  # seconds for a picture in a cell; 150 boxes take 0.05
MOST_BYTES = 64 << 20

# Programs that hung: they would take `PATIENCE` from every later picture too. By path and time of change.
_hung: Set[Tuple[str, float]] = set()


def find_renderers() -> List[str]:
    """Every renderer there is: `$FLOWDSL_DOT`, `dot` on PATH, `graphviz-pure` beside the interpreter; best first."""
    found = [
        _program(os.environ.get("FLOWDSL_DOT") or ""),
        _program("dot"),
        *(_program("graphviz-pure", folder) for folder in _script_folders()),
    ]
    seen: Dict[str, None] = dict.fromkeys(path for path in found if path)
    return [path for path in seen if (path, _changed(path)) not in _hung]


def find_dot() -> Optional[str]:
    """The path of the renderer that is tried first, or None where there is none."""
    found = find_renderers()
    return found[0] if found else None


def render(program: str, dot: str, kind: str = "svg", patience: float = PATIENCE) -> Optional[bytes]:
    """What `program` makes of `dot`; None where it fails, is silent, floods or takes longer than `patience` seconds."""
    try:
        with tempfile.TemporaryFile() as source:  # a file, not a pipe: a program that reads nothing blocks nobody
            source.write(dot.encode("utf-8", "replace"))
            source.seek(0)
            return _run([program, f"-T{kind}"], source, program, patience)
    except (OSError, ValueError):
        return None


def _run(command: List[str], source: IO[bytes], program: str, patience: float) -> Optional[bytes]:
    process = subprocess.Popen(
        command,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name == "posix",  # the stop button's SIGINT goes to the kernel's whole process group
    )
    assert process.stdout is not None
    chunks: List[bytes] = []
    # A thread that may be left behind: a grandchild that keeps the pipe open cannot hold us.
    reader = threading.Thread(target=_read, args=(process.stdout, chunks), name="flowdsl-picture", daemon=True)
    reader.start()
    try:
        reader.join(patience)
        data = b"".join(chunks)
        if len(data) > MOST_BYTES or (not reader.is_alive() and process.wait(patience) != 0):
            return None
        if reader.is_alive():
            raise subprocess.TimeoutExpired(command, patience)
    except subprocess.TimeoutExpired:
        _hung.add((program, _changed(program)))
        return None
    finally:
        _end(process, reader)
    return data or None


def _read(pipe: IO[bytes], chunks: List[bytes]) -> None:
    size = 0
    try:
        while size <= MOST_BYTES:
            chunk = pipe.read(1 << 16)
            if not chunk:
                return
            chunks.append(chunk)
            size += len(chunk)
    except (OSError, ValueError):  # the pipe was closed under us
        return


def _end(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    if process.poll() is None:
        try:
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        except OSError:
            pass
        process.wait(5)
    reader.join(0.5)
    if not reader.is_alive() and process.stdout is not None:
        process.stdout.close()


def _program(name: str, folder: Optional[str] = None) -> Optional[str]:
    return shutil.which(name, path=folder) if name else None


def _script_folders() -> List[str]:
    folders = [sysconfig.get_path("scripts") or "", str(Path(sys.executable or "").parent)]
    return [folder for folder in folders if folder]


def _changed(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0
