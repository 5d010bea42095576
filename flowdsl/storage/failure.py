"""What the system says when something cannot be written, as the error that users see."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Mapping, Optional

from flowdsl.errors import LogWriteError

_NO_LOCKS = "that file system has no locks; give a log_dir on a local disk"
_NEXT_STEP: Mapping[Optional[int], str] = {
    errno.ENOSPC: "make room on that disk, or give another log_dir",
    getattr(errno, "EDQUOT", errno.ENOSPC): "make room within the quota, or give another log_dir",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or give another log_dir",
    errno.ENOTDIR: "a part of that path is a file; give another log_dir",
    errno.EEXIST: "it is there already; Journal.resume goes on with a run, else take another run id",
    errno.ENOENT: "that directory or file is not there; Journal.create begins a new run",
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    getattr(errno, "ENOTSUP", errno.ENOSYS): _NO_LOCKS,
    errno.EBADF: "make a new one, or Journal.resume it",
    errno.EIO: "see what the disk says, then Journal.resume it",
}


def write_error(path: Path, error: OSError) -> LogWriteError:
    """The LogWriteError for `error`, met at `path`: what, where, and the next step."""
    why = error.strerror or str(error)
    name = errno.errorcode.get(error.errno or 0, "no errno")
    step = _NEXT_STEP.get(error.errno, "give a log_dir that can be written")
    return LogWriteError(f"cannot write {path}: {why} ({name}); {step}", path=str(path), errno=error.errno)


def refusal(number: int, why: str = "") -> OSError:
    """An OSError of our own making."""
    return OSError(number, why or os.strerror(number))
