"""Values and functions as bytes: by cloudpickle, but for what plain pickle does alike at a tenth of the cost."""

from __future__ import annotations

import pickle
import sys
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple

import cloudpickle

from flowdsl.definition.options import Retry
from flowdsl.executors.sharing import Book

PLAIN: FrozenSet[type] = frozenset((type(None), bool, int, float, complex, str, bytes))
MANY = 1000  # tasks whose functions are remembered

Policy = Tuple[Callable[..., Any], Optional[Callable[[Any], Any]], Retry]  # a call without its arguments

_packed: Dict[Tuple[int, ...], Tuple[Policy, bytes]] = {}
_opened: Dict[bytes, Policy] = {}


def dumps(value: Any, book: Book) -> bytes:
    """Any value; functions and classes of `__main__` by value."""
    return pickle.dumps(value) if type(value) in PLAIN else book.dumps(value)


def dump_arguments(task: str, attempt: int, args: Sequence[Any], kwargs: Mapping[str, Any], book: Book) -> bytes:
    """The part of a call that differs from attempt to attempt."""
    whole = (task, attempt, tuple(args), dict(kwargs))
    plain = all(type(value) in PLAIN for value in args) and all(type(value) in PLAIN for value in kwargs.values())
    return pickle.dumps(whole) if plain else book.dumps(whole)


def dump_policy(policy: Policy) -> Tuple[bool, bytes]:
    """Whether all of it travels by reference to modules, so that it may be remembered; and the bytes.

    What travels by value is pickled every time: its globals and what it closes over may have changed.
    """
    key = tuple(map(id, policy))
    found = _packed.get(key)
    if found is not None:
        return True, found[1]
    data: bytes = cloudpickle.dumps(policy)
    function, verify, retry = policy
    lasting = _is_importable(function) and (verify is None or _is_importable(verify)) and _is_lasting(retry)
    if lasting:
        if len(_packed) >= MANY:
            _packed.clear()
        _packed[key] = (policy, data)  # with the policy, so that the numbers stay its own
    return lasting, data


def load_policy(lasting: bool, data: bytes) -> Policy:
    """What `dump_policy` made."""
    found = _opened.get(data) if lasting else None
    if found is None:
        found = pickle.loads(data)
        if lasting:
            if len(_opened) >= MANY:
                _opened.clear()
            _opened[data] = found
    return found


def _is_lasting(retry: Retry) -> bool:
    return retry.retry_on is Exception and not retry.give_up_on


def _is_importable(function: Any) -> bool:
    """Whether another process gets this very function, or class, by importing its module."""
    module = getattr(function, "__module__", None)
    path = getattr(function, "__qualname__", None)
    if not isinstance(path, str) or module in (None, "__main__") or cloudpickle.list_registry_pickle_by_value():
        return False
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is function
