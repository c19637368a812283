"""Runtimes by name: the one asked for, or the next that can run here. Start at `open_runtime`."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from tts_core.errors import CallerError
from tts_core.neural.runtime import Runtime, Unavailable

if TYPE_CHECKING:
    from tts_core.neural.package import Package

_log = logging.getLogger(__name__)
_MADE = {  # where each one is; a module is imported only when its runtime is asked for
    "tensorrt": ("tts_core.neural.runtimes.tensorrt", "TensorRtRuntime"),
    "torch-cudagraph": ("tts_core.neural.runtimes.cudagraph", "GraphRuntime"),
    "ort-cpu": ("tts_core.neural.runtime", "OrtRuntime"),
    "torch-cpu": ("tts_core.neural.learn.runtime", "TorchRuntime"),
}
_NEXT = {
    "tensorrt": ("torch-cudagraph", "ort-cpu", "torch-cpu"),
    "torch-cudagraph": ("ort-cpu", "torch-cpu"),
    "ort-cpu": (),
    "torch-cpu": ("ort-cpu",),
}
RUNTIMES = tuple(_MADE)
DEFAULT_RUNTIME = "ort-cpu"


class UnknownRuntime(CallerError):
    """No runtime of that name."""


def known(name: str) -> str:
    """`name`. Raises UnknownRuntime."""
    if name not in _MADE:
        raise UnknownRuntime(f"no runtime is named {name[:64]!r}; there are {', '.join(RUNTIMES)}")
    return name


def open_runtime(name: str, package: Package) -> Runtime:
    """The runtime `name` for the voice, or the next one that can run here, with one warning that says why.

    What runs is its `.name`. Raises UnknownRuntime, EngineError for a voice whose graphs are refused, and
    Unavailable when nothing can run.
    """
    refusals: list[str] = []
    for each in (known(name), *_NEXT[name]):
        try:
            made = _open(each, package)
        except Unavailable as error:
            refusals.append(f"{each} cannot run here: {error}")
            continue
        if refusals:
            _log.warning("%s; %s speaks instead", "; ".join(refusals), each)
        return made
    raise Unavailable("; ".join(refusals))


def _open(name: str, package: Package) -> Runtime:
    module, maker = _MADE[name]
    try:
        made: Runtime = getattr(importlib.import_module(module), maker)(package)
    except ImportError as error:
        raise Unavailable(f"{error} (pip install 'voxtrunk[gpu]')") from error
    return made
