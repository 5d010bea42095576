"""Values and functions as bytes: by cloudpickle, but for what plain pickle does alike at a tenth of the cost."""

from __future__ import annotations

import io
import pickle
from collections import ChainMap
from functools import lru_cache
from operator import is_
from types import ModuleType
from typing import Any, Callable, ClassVar, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import cloudpickle

from flowdsl.definition.options import Retry
from flowdsl.executors.lasting import PLAIN, is_importable, used_by
from flowdsl.executors.letters import LARGE
from flowdsl.executors.sharing import Book

MANY = 1000  # tasks whose functions are remembered
NUMBERS: FrozenSet[type] = PLAIN - {str, bytes}  # of plain data what is never large

Policy = Tuple[Callable[..., Any], Optional[Callable[[Any], Any]], Retry]  # a call without its arguments

_packed: Dict[Tuple[int, ...], Tuple[Policy, List[Any], bytes]] = {}
_opened: Dict[bytes, Policy] = {}


def by_value(module: ModuleType) -> None:
    """From now on what this module defines travels by value: to import it would execute its file once more."""
    cloudpickle.register_pickle_by_value(module)


def dump_arguments(
    task: str, attempt: int, args: Sequence[Any], kwargs: Mapping[str, Any], book: Book
) -> Sequence[bytes]:
    """The part of a call that differs from attempt to attempt, as the pieces of a pickle."""
    whole = (task, attempt, tuple(args), dict(kwargs))
    plain = are_plain(args) and are_plain(kwargs.values())
    return (pickle.dumps(whole),) if plain else book.pieces(whole)


def are_plain(values: Iterable[Any]) -> bool:
    """Whether they are plain data, none of them large."""
    for value in values:  # no generator: this is asked for every attempt
        kind = type(value)
        if kind not in NUMBERS and (kind not in PLAIN or len(value) >= LARGE):
            return False
    return True


def dump_policy(policy: Policy) -> Tuple[bool, bytes]:
    """Whether the bytes may be remembered, and the bytes.

    They may where it can be seen that nothing has changed of what they were made of; else it is pickled every time.
    """
    key = tuple(map(id, policy))
    used = used_by(policy[0], policy[1]) if _is_lasting(policy[2]) else None
    found = _packed.get(key)
    if found is not None and used is not None and _are_same(used, found[1]):
        return True, found[2]
    data = dumped(policy)
    if used is not None:
        if len(_packed) >= MANY:
            _packed.clear()
        _packed[key] = (policy, used, data)  # with the policy, so that the numbers stay its own
    return used is not None, data


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """By value also what `lru_cache` makes of a function of a notebook, which cloudpickle takes by its name."""

    dispatch_table: ClassVar[Any] = ChainMap(
        {type(lru_cache(int)): lambda cached: _reduced(cached)}, cloudpickle.Pickler.dispatch_table
    )


def dumped(value: Any) -> bytes:
    """The value as bytes; what it holds of a notebook goes by value."""
    with io.BytesIO() as file:
        _Pickler(file).dump(value)
        return file.getvalue()


def _reduced(cached: Any) -> Union[str, Tuple[Any, ...]]:
    if is_importable(cached):
        return str(cached.__qualname__)
    typed = cached.cache_parameters()["typed"] if hasattr(cached, "cache_parameters") else False  # from Python 3.9 on
    return _with_a_cache, (cached.__wrapped__, cached.cache_info().maxsize, typed)


def _with_a_cache(function: Callable[..., Any], maxsize: Optional[int], typed: bool) -> Any:
    return lru_cache(maxsize, typed)(function)


def _are_same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    return len(these) == len(those) and all(map(is_, these, those))


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
