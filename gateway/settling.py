"""What a process keeps of memory: one heap for its threads, and, once it has loaded, no more than it uses."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE: Final = 1 << 20
"""Octets: a prompt of 30 s as floats, and more than any step of synthesis or of a tick takes at once."""


def one_heap() -> None:
    """All threads share a heap. To be called before there is more than one.

    glibc would give each its own (mallopt(3), M_ARENA_MAX), with what is free in it of no use to the others: 6 MB
    in a synthesis worker, whose threads take turns anyway.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """What is there now stays. To be called once, before there is work: it takes some tens of milliseconds.

    From then on large blocks go back to the kernel as soon as they are free. glibc would learn from the first of
    them to keep such blocks (mallopt(3), M_MMAP_THRESHOLD): one prompt of two minutes left 10 MB behind.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # what is frozen counts no more when it is reckoned whether a full look is due
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # glibc's; other C libraries give back by themselves
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE)  # as it learns it: what a step takes is not asked anew
        library.malloc_trim(0)
