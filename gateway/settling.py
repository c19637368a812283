"""A process that has loaded what it needs: it is looked through no more, and what loading left over goes back."""

from __future__ import annotations

import ctypes
import gc


def settle() -> None:
    """What is there now stays. To be called once, before there is work: it takes some tens of milliseconds."""
    gc.collect()
    gc.freeze()
    trim = getattr(
        ctypes.CDLL(None), "malloc_trim", None
    )  # glibc's; other C libraries give back by themselves
    if trim is not None:
        trim(0)
