"""Details too long for a line of the journal: each in a file of its own, known by its digest."""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, Mapping

FOLDER = "details"
_NAME = re.compile(r"details/[0-9]+-[0-9a-f]{16}\.json")


def spill(run_dir: Path, seq: int, text: bytes, fsync: bool = False) -> Dict[str, Any]:
    """Where the detail was put: its file (relative to the run's directory), its digest, its length in bytes."""
    digest = sha256(text).hexdigest()
    name = "%s/%d-%s.json" % (FOLDER, seq, digest[:16])
    (run_dir / FOLDER).mkdir(mode=0o700, exist_ok=True)
    fd = os.open(str(run_dir / name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with open(fd, "wb") as file:
        file.write(text)
        file.flush()
        if fsync:
            os.fsync(fd)
    return {"file": name, "sha256": digest, "bytes": len(text)}


def unspill(run_dir: Path, where: Mapping[str, Any]) -> Dict[str, Any]:
    """The detail that `spill` put there; ValueError where the file is missing, changed or not one of ours."""
    name, size = where.get("file"), where.get("bytes")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("the name of the detail's file is not one that the journal gives: %.80r" % (name,))
    path = run_dir / name
    if not path.is_file() or path.stat().st_size != size:
        raise ValueError("the detail's file %s is missing or has another length" % name)
    text = path.read_bytes()
    if sha256(text).hexdigest() != where.get("sha256"):
        raise ValueError("the detail's file %s does not have the digest that the line gives" % name)
    detail = json.loads(text.decode())
    if not isinstance(detail, dict):
        raise ValueError("the detail's file %s holds no object" % name)
    return detail
