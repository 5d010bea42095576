"""Arrays that travel between processes without being copied: as parcels, whose large buffers lie in mapped files.

An object that says its size in `nbytes`, as NumPy's arrays, pandas' blocks and Arrow's tables do, is pickled once, with
its buffers out of band (pickle protocol 5). Every process that opens the parcel maps the same file, read-only, and
knows the object again when it is to be sent on.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import threading
import weakref
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import cloudpickle

from flowdsl.executors import buffers, letters

MINE = 2  # references to an object that nobody has but a local variable
LARGE = 1 << 18  # bytes of a buffer: smaller ones go through the pipe, which takes as long


class Parcel(NamedTuple):
    """A pickled object: what is left of it without its large buffers, and the file that they are in."""

    rest: bytes
    path: str
    spans: Sequence[buffers.Span]


class Book:
    """The parcels that this process has made or opened, by the objects that they are, for as long as those live.

    `places` are directories to write to, `free` is called with the path of a file that nobody will ask for any more.
    """

    def __init__(self, places: Sequence[str], free: Callable[[str], Any]) -> None:
        self.places = places
        self._free = free
        self._lock = threading.RLock()
        self._known: Dict[int, Tuple[weakref.ref[Any], Parcel]] = {}
        self._users: Dict[str, int] = {}  # objects that are known, by their file
        self._made_for_us: List[Any] = []  # by the pickling itself: else their files would go before they are opened

    def parcel_of(self, value: Any) -> Optional[Parcel]:
        """The parcel of an object that has large buffers, made if need be; None where it is to be pickled whole."""
        if not self.places or not _is_large(value):
            return None
        with self._lock:  # whoever wants the same object waits for it
            known = self.known(value)
            if known is not None:
                return known
            parcel = self._make(value)
            if parcel is not None:
                self.note(value, parcel)
            return parcel

    def known(self, value: Any) -> Optional[Parcel]:
        """The parcel of an object that was made, or opened, before."""
        found = self._known.get(id(value))
        return found[1] if found is not None and found[0]() is value and buffers.exists(found[1].path) else None

    def note(self, value: Any, parcel: Parcel) -> None:
        """Know the object again, until it is gone."""
        key, path = id(value), parcel.path

        def forget(ref: weakref.ref[Any]) -> None:
            with self._lock:
                if self._known.get(key, (None,))[0] is ref:
                    del self._known[key]
                self._users[path] -= 1
                if not self._users[path]:
                    del self._users[path]
                    self._free(path)

        with self._lock, contextlib.suppress(TypeError):  # what can have no weak reference is not known again
            self._known[key] = weakref.ref(value, forget), parcel
            self._users[path] = self._users.get(path, 0) + 1

    def seal(self, value: Any) -> letters.Sealed:
        """Any value as a pickle, which is in a file where it is large; the large objects in it as parcels."""
        return letters.seal(self.pieces(value), self.places)

    def pieces(self, value: Any) -> List[bytes]:
        """Any value as the pieces of a pickle, large bytes as they are; the large objects in it as parcels."""
        file = letters.Sheets()
        pickler = _Pickler(file, self)
        pickler.dump(value)
        sent = pickler.sent
        pickler.clear_memo()
        while sent and self._free is not nothing:
            one = sent.pop()
            if sys.getrefcount(one) <= MINE:
                self._made_for_us.append(one)
        return file.pieces()

    def loads(self, data: Any) -> Any:
        """What was sealed, here or elsewhere."""
        before, _here.book = getattr(_here, "book", None), self
        try:
            return pickle.loads(data)
        finally:
            _here.book = before

    def _make(self, value: Any) -> Optional[Parcel]:
        file = io.BytesIO()
        apart: List[memoryview] = []
        whole = _in_one_piece(value)
        _Pickler(file, self, whole, apart).dump(whole)
        written = buffers.write(self.places, apart) if apart else None
        return None if written is None else Parcel(file.getvalue(), *written)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """`root` is what is pickled itself; its large buffers are put into `apart`."""

    def __init__(self, file: Any, book: Book, root: Any = None, apart: Optional[List[memoryview]] = None) -> None:
        super().__init__(file, protocol=5, buffer_callback=None if apart is None else partial(_put_apart, apart))
        self._book = book
        self._root = root
        self.sent: List[Any] = []  # objects that went as parcels

    def reducer_override(self, value: Any) -> Any:
        if hasattr(type(value), "nbytes") and value is not self._root:
            # What an object with buffers is made of goes into its own parcel, and may have been made just now.
            parcel = self._book.parcel_of(value) if self._root is None else self._book.known(value)
            if parcel is not None:
                self.sent.append(value)
                return open_parcel, tuple(parcel)
        return super().reducer_override(value)


def _put_apart(apart: List[memoryview], buffer: pickle.PickleBuffer) -> bool:
    """Whether the buffer stays in the pickle. No method: a pickler in a circle would keep what it has pickled."""
    try:
        raw = buffer.raw()
    except BufferError:  # it is not contiguous
        return True
    if raw.nbytes < LARGE:
        return True
    apart.append(raw)
    return False


def _is_large(value: Any) -> bool:
    try:
        dtype = getattr(value, "dtype", None)
        return bool(value.nbytes >= LARGE) and not getattr(dtype, "hasobject", False)
    except Exception:  # a class of the user's that means something else by it
        return False


def _in_one_piece(value: Any) -> Any:
    """A copy of a NumPy array that has gaps, as every second row of another has: NumPy would pickle it whole."""
    if type(value).__name__ != "ndarray" or type(value).__module__ != "numpy":
        return value
    return value if value.flags.c_contiguous or value.flags.f_contiguous else value.copy()


def open_parcel(rest: bytes, path: str, spans: Sequence[buffers.Span]) -> Any:
    """The object, its large buffers mapped read-only; for pickles."""
    value = pickle.loads(rest, buffers=buffers.read(path, spans))
    book: Optional[Book] = getattr(_here, "book", None)
    if book is not None:
        book.note(value, Parcel(rest, path, spans))
    return value


_here = threading.local()  # `book`: of whoever is unpickling


def nothing(path: str) -> None:
    """What a process does with a file that is not its own."""


NO_BOOK = Book((), nothing)  # everything through the pipe
mine = NO_BOOK  # of a worker, for the run whose attempts it performs


def use(places: Sequence[str]) -> None:
    """In a worker: from now on large buffers go to files in these directories, which belong to somebody else."""
    global mine
    mine = Book(places, nothing) if places else NO_BOOK
