"""A file that is there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE = 0o600


def write_atomically(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Put `data` into the file by a temporary one and a rename; OSError where that fails.

    `mode` is that of the file, less what the umask takes: by default it is for its owner alone.
    """
    draft = path.with_name(".%s.tmp" % secrets.token_hex(8))
    fd = os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        draft.replace(path)
    except BaseException:
        draft.unlink()
        raise
