"""The memory of the GPU that neural voices run on, where their runtime has one."""

from __future__ import annotations

import sys

from gateway.messages.work import GpuMemory


def memory() -> GpuMemory | None:
    """Of the device that torch uses; None when no runtime of this process has begun to use one.

    Torch is not imported for it: who runs on a GPU has done so, or is about to in a thread of its own, and then
    the module is there before what it holds.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return None
    free, total = cuda.mem_get_info()
    return GpuMemory(cuda.get_device_name(), total - free, total)
