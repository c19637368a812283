"""A process that has loaded what it needs: it is looked through no more, and what is left over goes back."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 1 << 20
"""Octets: a prompt of 30 s as floats, and more than any step of synthesis or of a tick takes at once."""


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
