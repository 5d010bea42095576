"""Names of tasks and runs as names of files: never a path, never two for one, readable where they can be."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Container

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-]|[A-Za-z0-9_]")
_OTHER = re.compile(r"[^A-Za-z0-9_]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # what Windows keeps for itself
_SLUG_LENGTH = 60


def file_name(name: str, taken: Container[str] = ()) -> str:
    """The name itself where it is safe as a file name, else a slug of it and a hash of the whole.

    `taken` holds names in lower case that other files have: some file systems do not tell `a` from `A`.
    """
    if _SAFE.fullmatch(name) and not _DEVICE.fullmatch(name) and name.lower() not in taken:
        return name
    return hashed_name(name)


def hashed_name(name: str) -> str:
    """A slug of the name and a hash of the whole: no two names have the same one, whatever the file system folds."""
    slug = _OTHER.sub("-", name).strip("-")[:_SLUG_LENGTH].rstrip("-")
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{slug}-{digest}" if slug else digest
