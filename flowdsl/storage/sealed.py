"""Pickled values on disk, each under a seal (an HMAC with the user's key) that is checked before it is unpickled."""

from __future__ import annotations

import hmac
import pickle
from hashlib import sha256
from pathlib import Path
from typing import Any

import cloudpickle

from flowdsl.errors import PickleRefused
from flowdsl.storage.atomic import write_atomically
from flowdsl.storage.key import user_key

_MAGIC = b"flowdsl sealed 1\n"
_SEAL = 64  # hexadecimal digits


def seal(path: Path, label: str, value: Any) -> None:
    """Write `value` to `path`; `label` says what it is, so that one sealed file cannot stand in for another.

    Raises whatever pickling raises, PickleRefused for a key that proves nothing, OSError.
    """
    data = cloudpickle.dumps(value)
    write_atomically(path, b"".join((_MAGIC, _seal_of(label, data), b"\n", data)))


def unseal(path: Path, label: str, *, allow_pickle: bool = False) -> Any:
    """The value that `seal` wrote there.

    Raises PickleRefused where the seal is not this user's or the file is another one; `allow_pickle` takes it all the
    same, which runs whatever code the file brings. OSError where there is no file.
    """
    content = path.read_bytes()
    begin = len(_MAGIC) + _SEAL + 1
    data = content[begin:]
    told = content[len(_MAGIC) : begin - 1]
    genuine = content.startswith(_MAGIC) and hmac.compare_digest(told, _seal_of(label, data))
    if not genuine and not allow_pickle:
        text = "%s was not written by you, or has been changed: unpickling it could run any code" % path
        raise PickleRefused(text + "; allow_pickle=True does so all the same")
    return pickle.loads(data)


def digest(data: bytes) -> str:
    """A keyed digest, 32 hexadecimal digits: it tells this user whether two values are the same, and others nothing."""
    return hmac.new(user_key(), b"digest\0" + data, sha256).hexdigest()[:32]


def pickled(value: Any) -> bytes:
    """The value as bytes, functions of `__main__` by value."""
    data: bytes = cloudpickle.dumps(value)
    return data


def _seal_of(label: str, data: bytes) -> bytes:
    return hmac.new(user_key(), label.encode("utf-8", "surrogatepass") + b"\0" + data, sha256).hexdigest().encode()
