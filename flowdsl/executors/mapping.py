"""A file in memory, read-only, for as long as somebody looks at it; without a file descriptor, of which there are few.

`mmap.mmap` keeps one open for each mapping (but for `trackfd=False`, from Python 3.13 on): with a thousand results the
process could open nothing any more.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref

FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def map_file(path: str) -> memoryview:
    """The whole file, which is not empty and may be removed afterwards; raises OSError where it cannot be mapped."""
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    finally:
        os.close(fd)
    if address == FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    block = (ctypes.c_ubyte * size).from_address(address)
    gone = weakref.finalize(block, _libc.munmap, address, size)  # every view of it keeps the block
    gone.atexit = False  # at the end of the interpreter views may outlive it
    return memoryview(block).cast("B").toreadonly()
