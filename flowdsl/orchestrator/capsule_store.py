"""Capsules and the fingerprint of a run on disk, in `<run>/debug/`: JSON, and sealed pickles where they are wanted.

Reading them unpickles nothing; only `load_arguments` does, and only what this user has sealed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from flowdsl.orchestrator.capsule import Capsule, capsule_from
from flowdsl.storage.atomic import write_atomically
from flowdsl.storage.names import file_name
from flowdsl.storage.sealed import seal, unseal

__all__ = ["has_arguments", "load_arguments", "load_capsules", "load_fingerprint", "save_arguments", "save_capsule"]

FOLDER = "debug"
FINGERPRINT = "fingerprint.json"
_LARGEST = 64 << 20  # bytes of a file that is read

Arguments = Tuple[Tuple[Any, ...], Dict[str, Any]]


def save_capsule(run_dir: Path, capsule: Capsule) -> Path:
    """Write the capsule into the run's directory; its path. OSError where that fails."""
    return _write(run_dir, _stem(capsule.task, capsule.attempt) + ".json", capsule.to_json())


def load_capsules(run_dir: Path) -> List[Capsule]:
    """The capsules that are there, as far as they can be read; none where nobody watched the run."""
    found = [_read(path) for path in sorted((run_dir / FOLDER).glob("*.capsule.json"))]
    return [capsule_from(data) for data in found if data]


def save_fingerprint(run_dir: Path, data: Mapping[str, Any]) -> Path:
    """Write the fingerprint of the run; its path. OSError where that fails."""
    return _write(run_dir, FINGERPRINT, data)


def load_fingerprint(run_dir: Path) -> Dict[str, Any]:
    """What `save_fingerprint` wrote; empty where there is nothing."""
    return _read(run_dir / FOLDER / FINGERPRINT)


def save_arguments(run_dir: Path, task: str, arguments: Arguments) -> None:
    """Pickle what the task was called with, sealed; raises what pickling raises, OSError, PickleRefused."""
    seal(_folder(run_dir) / _pickle(task), _label(run_dir, task), arguments)


def has_arguments(run_dir: Path, task: str) -> bool:
    """Whether the arguments of the task were kept."""
    return (run_dir / FOLDER / _pickle(task)).is_file()


def load_arguments(run_dir: Path, task: str, *, allow_pickle: bool = False) -> Arguments:
    """What the task was called with; PickleRefused where this user has not sealed it and `allow_pickle` is not said."""
    found: Arguments = unseal(
        run_dir / FOLDER / _pickle(task), _label(run_dir, task), allow_pickle=allow_pickle
    )  # fmt: skip
    return found


def _label(run_dir: Path, task: str) -> str:
    return "arguments\0%s\0%s" % (run_dir.name, task)


def _stem(task: str, attempt: int) -> str:
    return "%s-%d.capsule" % (file_name(task), attempt)


def _pickle(task: str) -> str:
    return file_name(task) + ".arguments.pickle"


def _folder(run_dir: Path) -> Path:
    folder = run_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _write(run_dir: Path, name: str, data: Mapping[str, Any]) -> Path:
    path = _folder(run_dir) / name
    write_atomically(path, json.dumps(data, indent=1).encode() + b"\n")
    return path


def _read(path: Path) -> Dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
