"""torch on a GPU: the whole step recorded once for each number of frames and rows, and replayed.

State never leaves the device. It is kept in a pool of slots; the recorded step gathers its rows by their slots,
moves them on, begins afresh those that are no longer finite, and scatters them back. A batch is filled up to the
next recorded size with rows of a spare slot. Only `recorded` needs CUDA; everything else runs on a CPU too, where
a step is computed instead of replayed.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts_core.errors import EngineError
from tts_core.neural.frame import FEATURES, HOP, Floats
from tts_core.neural.learn.runtime import restore
from tts_core.neural.learn.vocoder import Vocoder
from tts_core.neural.runtime import Rows, Unavailable

if TYPE_CHECKING:
    from tts_core.neural.package import Package

SLOTS = 4096  # streams at once, unless told otherwise; 25 kB each
_WARM_UPS = 3  # runs before a recording, for libraries to choose their kernels and take their memory

Replay = Callable[[], None]
Recorder = Callable[[Replay], Replay]


class Vocode(Protocol):
    """One shape of the vocoder: features, noise, state and phase to audio, state and phase, on one device."""

    def __call__(
        self, features: Tensor, noise: Tensor, state: Tensor, phase: Tensor, /
    ) -> tuple[Tensor, Tensor, Tensor]: ...


def bucket(rows: int, largest: int) -> int:
    """The size a batch of `rows` is filled up to: a power of two, `largest` at most."""
    return min(1 << (rows - 1).bit_length(), largest)


def recorded(step: Replay) -> Replay:
    """`step` as a CUDA graph: run a few times, then captured, both on the current stream."""
    stream = torch.cuda.current_stream()
    for _ in range(_WARM_UPS):
        step()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    replay: Replay = graph.replay
    return replay


def computed(step: Replay) -> Replay:
    """`step` itself: what stands for a recording where there is no CUDA."""
    return step


class Pool:
    """State of `size` streams on a device and one spare row, and which slots are free."""

    def __init__(self, vocoder: Vocoder, size: int) -> None:
        self.size = self.spare = size
        self.state, self.phase = vocoder.fresh(size + 1)
        self._free = list(range(size - 1, -1, -1))

    def take(self, rows: int) -> Rows:
        """`rows` slots as at the beginning; they are free again when nobody holds them. Raises EngineError."""
        if rows > len(self._free):
            raise EngineError(
                f"{rows} more streams asked for, {len(self._free)} of {self.size} slots are free"
            )
        slots = np.array([self._free.pop() for _ in range(rows)], np.int64)
        where = torch.from_numpy(slots).to(self.state.device)
        self.state[where] = 0.0
        self.phase[where] = 0.0
        taken = Rows(self.state, self.phase, slots, np.ones(rows, np.bool_))
        weakref.finalize(taken, self._free.extend, slots.tolist()).atexit = False
        return taken


class Shape:
    """Buffers of one number of rows and frames, which never move, and the step over them."""

    def __init__(self, rows: int, frames: int, pool: Pool, vocode: Vocode, record: Recorder) -> None:
        device, pinned = pool.state.device, pool.state.is_cuda
        self.rows, self._pool, self._vocode = rows, pool, vocode
        self._features = torch.zeros(rows, frames, FEATURES, device=device)
        self._noise = torch.zeros(rows, frames, HOP, device=device)
        self._slots = torch.full((rows,), pool.spare, dtype=torch.int64, device=device)
        self._audio = torch.zeros(rows, frames, HOP, device=device)
        self._sound = torch.zeros(rows, dtype=torch.bool, device=device)
        on_device = (self._features, self._noise, self._slots, self._audio, self._sound)
        self._host = [torch.zeros(each.shape, dtype=each.dtype, pin_memory=pinned) for each in on_device]
        self.replay = record(self._step)  # over the spare slot only

    def run(
        self, features: Floats, noise: Floats, slots: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Audio [B, T, 80] of B rows, B at most `rows`, and which of them are sound."""
        count = len(slots)
        given = (features, noise, slots)
        for host, device, values in zip(
            self._host, (self._features, self._noise, self._slots), given, strict=False
        ):
            host.numpy()[:count] = values
            if device is self._slots:
                host.numpy()[count:] = self._pool.spare
            device.copy_(host, non_blocking=True)
        self.replay()
        audio, sound = self._host[3:]
        audio.copy_(self._audio, non_blocking=True)
        sound.copy_(self._sound, non_blocking=True)
        if self._audio.is_cuda:
            torch.cuda.current_stream().synchronize()
        return audio.numpy()[:count].copy(), sound.numpy()[:count].copy()

    def _step(self) -> None:
        pool = self._pool
        state, phase = pool.state.index_select(0, self._slots), pool.phase.index_select(0, self._slots)
        audio, state, phase = self._vocode(self._features, self._noise, state, phase)
        sound = state.isfinite().all(1) & phase.isfinite() & audio.isfinite().all(2).all(1)
        pool.state.index_copy_(0, self._slots, torch.where(sound[:, None], state, 0.0))
        pool.phase.index_copy_(0, self._slots, torch.where(sound, phase, 0.0))
        self._audio.copy_(torch.where(sound[:, None, None], audio, 0.0))
        self._sound.copy_(sound)


class GraphRuntime:
    """See tts_core.neural.runtime.Runtime. A shape is recorded when it is first asked for, or by `prepare`.

    Raises Unavailable where there is no CUDA GPU, or no weights for torch.
    """

    name = "torch-cudagraph"

    def __init__(
        self, package: Package, slots: int = SLOTS, device: str = "cuda", record: Recorder = recorded
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise Unavailable("torch finds no CUDA GPU")
        torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa are too few for the tolerance
        model, vocoder = restore(package)
        self._model, self._vocoder = model.to(device), vocoder.to(device)
        self._device, self._record = torch.device(device), record
        self._stream = torch.cuda.Stream() if device == "cuda" else None
        self._pool = Pool(self._vocoder, slots)
        self._largest = self.most = 1 << (slots.bit_length() - 1)
        self._shapes: dict[tuple[int, int], Shape] = {}

    def prepare(self, rows: int, frames: int) -> None:
        """Record what a batch of `rows` rows and `frames` frames needs, before anyone waits for it."""
        with self._on_stream():
            self._shape(rows, frames)

    def replay_s(self, rows: int, frames: int, times: int = 20) -> float:
        """Seconds of one recorded step alone, for benches: the mean of `times`, over what its buffers hold."""
        with self._on_stream():
            replay = self._shape(rows, frames).replay
            began = time.perf_counter()
            for _ in range(times):
                replay()
            self._settle()
            return (time.perf_counter() - began) / times

    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """See Runtime."""
        with self._on_stream():
            meaning, pace = self._model.encode(torch.from_numpy(ids).to(self._device))
            return meaning.cpu().numpy(), pace.cpu().numpy()

    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """See Runtime."""
        with self._on_stream():
            means, belongs, where = (
                torch.from_numpy(each).to(self._device) for each in (meaning, token, place)
            )
            mask = torch.ones(*token.shape, 1, device=self._device)
            features: Floats = self._model.decode(means, belongs, where, mask).cpu().numpy()
            return features

    def fresh(self, rows: int) -> Rows:
        """See Runtime."""
        with self._on_stream():
            return self._pool.take(rows)

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """See Runtime. A batch larger than the largest recorded size goes in pieces."""
        assert rows.state is self._pool.state, "these rows are another runtime's"
        assert rows.slots is not None
        count, frames = features.shape[:2]
        pieces = []
        with self._on_stream():
            for at in range(0, count, self._largest):
                span = slice(at, min(at + self._largest, count))
                shape = self._shape(span.stop - at, frames)
                pieces.append(shape.run(features[span], noise[span], rows.slots[span]))
        if len(pieces) == 1:
            audio, rows.sound = pieces[0]
        else:
            audio, rows.sound = (np.concatenate(each) for each in zip(*pieces, strict=True))
        return audio, rows

    def _settle(self) -> None:
        if self._stream:
            self._stream.synchronize()

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        with torch.no_grad(), torch.cuda.stream(self._stream) if self._stream else nullcontext():
            yield

    def _shape(self, rows: int, frames: int) -> Shape:
        size = bucket(rows, self._largest)
        if (size, frames) not in self._shapes:
            vocode = self._vocode(size, frames)
            self._shapes[size, frames] = Shape(size, frames, self._pool, vocode, self._record)
        return self._shapes[size, frames]

    def _vocode(self, rows: int, frames: int) -> Vocode:
        vocode: Vocode = self._vocoder
        return vocode
