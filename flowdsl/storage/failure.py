"""What the system says when something cannot be written, as the error that users see."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Mapping, Optional

from flowdsl.errors import LogWriteError

_OTHER = "give another {place}"
_NO_LOCKS = "that file system has no locks; give a {place} on a local disk"
_NEXT_STEP: Mapping[Optional[int], str] = {
    errno.ENOSPC: "make room on that disk, or " + _OTHER,
    getattr(errno, "EDQUOT", errno.ENOSPC): "make room within the quota, or " + _OTHER,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or " + _OTHER,
    errno.ENOTDIR: "a part of that path is a file; " + _OTHER,
    errno.EEXIST: "something is in the way there; " + _OTHER,
    errno.ENOENT: "that directory or file is not there; see that nothing removes it, or " + _OTHER,
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    getattr(errno, "ENOTSUP", errno.ENOSYS): _NO_LOCKS,
    errno.EBADF: "make a new one, or Journal.resume it",
    errno.EIO: "see what the disk says, then Journal.resume it",
}


def write_error(path: Path, error: OSError, place: str = "log_dir") -> LogWriteError:
    """The LogWriteError for `error`, met at `path`: what, where, the next step (`place` is the option to change)."""
    why = error.strerror or str(error)
    name = errno.errorcode.get(error.errno or 0, "no errno")
    step = _NEXT_STEP.get(error.errno, "give a {place} that can be written").format(place=place)
    return LogWriteError(f"cannot write {path}: {why} ({name}); {step}", path=str(path), errno=error.errno)


def refusal(number: int, why: str = "") -> OSError:
    """An OSError of our own making."""
    return OSError(number, why or os.strerror(number))
