"""Runs a voice's three graphs: the contract of every runtime, and ONNX Runtime on the CPU, the default."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import EngineError
from tts_core.neural.frame import HOP, Floats

if TYPE_CHECKING:
    from tts_core.neural.package import Package

Flags = NDArray[np.bool_]
_sharing = threading.Lock()


class Unavailable(EngineError):
    """A runtime that cannot run here, or not this voice; another one can."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Rows:
    """Vocoder state of B streams, in a pool of N of them. A step changes it where it is.

    `state` float32[N, S] and `phase` float64[N], in cycles, are arrays of whoever runs: NumPy's, or torch's on
    a GPU. `slots` int64[B] says which rows of the pool these are; None is all of them.
    """

    state: Any
    phase: Any
    slots: NDArray[np.int64] | None = None
    sound: Flags | None = field(default=None, repr=False)
    of: Rows | None = field(default=None, repr=False)  # keeps the pool's owner alive

    def __len__(self) -> int:
        return len(self.state) if self.slots is None else len(self.slots)

    def __getitem__(self, which: NDArray[np.integer] | slice) -> Rows:
        """Some of these rows, in any order, no row twice: the same state, to be stepped as a batch of its own."""
        slots = np.arange(len(self.state)) if self.slots is None else self.slots
        return Rows(self.state, self.phase, slots[which], self.finite()[which], of=self)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """All of them as one batch: in their pool, or as a copy that is to be `parted` after the step."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        if all(part.state is first.state for part in parts):
            slots = [np.arange(len(part.state)) if part.slots is None else part.slots for part in parts]
            return Rows(first.state, first.phase, np.concatenate(slots))
        which = [slice(None) if part.slots is None else part.slots for part in parts]
        state = np.concatenate([part.state[where] for part, where in zip(parts, which, strict=True)])
        phase = np.concatenate([part.phase[where] for part, where in zip(parts, which, strict=True)])
        return Rows(state, phase)

    def parted(self, parts: Sequence[Rows]) -> Sequence[Rows]:
        """Undo `joined` after a step: each of `parts` has moved on with its row of these."""
        if len(parts) == 1:
            return (self,)
        sound, at = self.finite(), 0
        for part in parts:
            span = slice(at, at + len(part))
            at += len(part)
            if part.state is not self.state:
                where = slice(None) if part.slots is None else part.slots
                part.state[where], part.phase[where] = self.state[span], self.phase[span]
            part.sound = sound[span]
        return parts

    def finite(self) -> Flags:
        """Which rows came soundly through their last step, bool[B]; the others were begun afresh."""
        if self.sound is None:
            self.sound = finite(self.state, self.phase)
        return self.sound

    def settle(self, audio: Floats, state: Floats, phase: NDArray[np.float64]) -> None:
        """Keep what a step on the CPU made of these rows.

        A row whose state or audio is no longer finite is begun afresh and its audio silenced, and no other row.
        """
        self.sound = finite(state, phase) & np.isfinite(audio).all(axis=(1, 2))
        if not self.sound.all():
            audio[~self.sound] = 0
            state[~self.sound] = 0
            phase[~self.sound] = 0
        where = slice(None) if self.slots is None else self.slots
        self.state[where] = state
        self.phase[where] = phase


def finite(state: Floats, phase: NDArray[np.float64]) -> Flags:
    """Which rows of `state` [B, S] and `phase` [B] are numbers throughout: bool[B]."""
    sound: Flags = np.isfinite(state).all(axis=1) & np.isfinite(phase)
    return sound


class Runtime(Protocol):
    """The networks of one voice. Every array is C-contiguous; rows never touch one another."""

    @property
    def name(self) -> str:
        """Such as `ort-cpu`."""
        ...

    @property
    def most(self) -> int:
        """Rows in a step beyond which more would only make it longer."""
        ...

    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """`ids` int64[B, P, 3] to meaning [B, P, C] and ln(frames + 1) of each token [B, P]."""
        ...

    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """`meaning` [B, P, C], `token` int64[B, T], `place` [B, T, 4] to features [B, T, 42], voicing a logit."""
        ...

    def fresh(self, rows: int) -> Rows:
        """The state of `rows` streams before anything is said. Raises EngineError when there is no room."""
        ...

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """The next T frames of B streams: `features` [B, T, 42], `noise` [B, T, 80].

        Returns audio [B, T, 80], full scale 1, two frames late, and `rows`, which have moved on. A row that is no
        longer finite is begun afresh, its audio is silence, and `rows.finite()` tells.
        """
        ...


def open_session(graph: Path, threads: int = 1) -> Any:
    """A graph in ONNX Runtime on the CPU. Raises Unavailable without it, EngineError for a bad graph."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Unavailable("neural voices need onnxruntime: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    with _sharing:
        _share_arena()
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class of their own
        raise EngineError(f"{graph.parent}: ONNX Runtime refuses it: {error}") from error


@functools.cache
def _share_arena() -> None:
    """Have all sessions of this process take from one arena: they run in turn, each would keep 1 MB."""
    import onnxruntime

    cpu = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(cpu, None)


_STEP_GIVES = ("audio", "new_state", "new_phase")


class OrtRuntime:
    """ONNX Runtime on one CPU core. Raises Unavailable when it is not installed, EngineError for a bad graph."""

    name = "ort-cpu"
    most = 8  # a third of the cost a row of one that comes alone, after a pause; more would make others wait

    def __init__(self, package: Package, threads: int = 1) -> None:
        self._encoder, self._decoder, self._vocoder = (
            open_session(package.folder / graph, threads)
            for graph in ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
        )
        self._width = int(self._vocoder.get_inputs()[2].shape[1])

    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """See Runtime."""
        meaning, pace = self._encoder.run(None, {"ids": ids})
        return meaning, pace

    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """See Runtime."""
        features: Floats = self._decoder.run(None, {"meaning": meaning, "token": token, "place": place})[0]
        return features

    def fresh(self, rows: int) -> Rows:
        """See Runtime."""
        return Rows(np.zeros((rows, self._width), np.float32), np.zeros(rows))

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """See Runtime."""
        assert noise.shape == (*features.shape[:2], HOP)
        where = slice(None) if rows.slots is None else rows.slots
        audio, state, phase = self._vocoder.run(
            _STEP_GIVES,
            {"features": features, "noise": noise, "state": rows.state[where], "phase": rows.phase[where]},
        )
        rows.settle(audio, state, phase)
        return audio, rows
