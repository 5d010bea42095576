"""The user's key: what proves that a pickle was written by this user, kept away from the pickles themselves."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flowdsl.errors import PickleRefused

_LENGTH = 32  # bytes


def state_directory() -> Path:
    """The user's directory for state of flowdsl: below `$XDG_STATE_HOME`, `%LOCALAPPDATA%` or `~/.local/state`."""
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or ""
    return (Path(base) if base else Path.home() / ".local" / "state") / "flowdsl"


def user_key() -> bytes:
    """The key, made at the first call; only its owner may read it.

    Raises PickleRefused where somebody else owns or may read the file, OSError where it can be neither read nor made.
    """
    path = state_directory() / "key"
    if not path.exists():
        _make(path)
    found = path.stat()
    if os.name == "posix" and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise PickleRefused("%s is not yours alone, so it proves nothing; remove it, and a new one is made" % path)
    key = path.read_bytes()
    if len(key) != _LENGTH:
        raise PickleRefused("%s does not hold a key of %d bytes; remove it, and a new one is made" % (path, _LENGTH))
    return key


def _make(path: Path) -> None:
    """Put a new key there in one step; where two processes do so, one of them wins and both use it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name("key-%d-%s" % (os.getpid(), secrets.token_hex(4)))
    with os.fdopen(os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_LENGTH))
    try:
        os.link(str(draft), str(path))
    except FileExistsError:
        return
    finally:
        draft.unlink()
