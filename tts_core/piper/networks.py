"""A voice's two graphs in ONNX Runtime on one CPU core: a clause to its latent, any frames of that to audio."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import EngineError
from tts_core.neural.runtime import open_session
from tts_core.piper.package import DECODER, ENCODER, Package
from tts_core.sounding import Floats

RAMP = (8, 16, 32, 64)
"""Frames of the first chunks; the last length stays. A chunk costs its frames and those that the decoder sees
beside them, 23 to 29 in all, so long ones are cheaper and short ones are there sooner."""
_NOISE = 4096  # frames: 48 s at 22,050 Hz


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A clause before it sounds: `latent` [1, C, T], the speaker's `condition` [1, K, 1] if the decoder wants it,
    and `ends` int64[P], the frame before which each token ends."""

    latent: Floats
    condition: Floats | None
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.latent.shape[2])


class Networks:
    """Encoder and decoder. Raises EngineError for graphs that are refused, Unavailable without ONNX Runtime."""

    def __init__(self, package: Package) -> None:
        self._held = package.manifest
        self._encoder = open_session(package.folder / ENCODER)
        self._decoder = open_session(package.folder / DECODER)
        self._given = {each.name for each in self._encoder.get_inputs()}
        self._made = [each.name for each in self._encoder.get_outputs()]

    def compose(self, ids: NDArray[np.int64], rate: float, speaker: int = 0, scale: float = 1.0) -> Score:
        """The score of `ids` int64[P]. `rate` 0.5 to 2.0 times the voice's own pace; `scale` is of its noise.

        The same noise begins every clause, so speech is the same every time. Raises EngineError.
        """
        scales = self._held.scales
        feed: dict[str, NDArray[Any]] = {
            "input": ids[None],
            "input_lengths": np.array([len(ids)]),
            "scales": np.array(
                [scales.noise_scale * scale, scales.length_scale, scales.noise_w * scale], np.float32
            ),
            "vx.noise": _noise(self._held.channels),
            "vx.stretch": np.array([1 / rate], np.float32),
            "vx.rhythm": np.random.default_rng(1)
            .standard_normal((1, len(ids), 2), np.float32)
            .swapaxes(1, 2),
            "sid": np.array([speaker]),
        }
        made = self._run(self._encoder, {name: feed[name] for name in feed if name in self._given})
        found = dict(zip(self._made, made, strict=True))
        frames, latent = found["vx.frames"], found["vx.latent"]
        if frames.shape != (1, 1, len(ids)) or not np.isfinite(frames).all() or frames.min() < 0:
            raise EngineError("the voice's network says that a phoneme lasts no number of frames")
        ends = np.cumsum(frames[0, 0].astype(np.int64))
        ends[-1] = max(ends[-1], 1)  # at least one frame, as in the graph
        if latent.shape != (1, self._held.channels, ends[-1]):
            raise EngineError(f"the voice's network answers a latent {latent.shape} for {ends[-1]} frames")
        return Score(latent, found.get("vx.condition"), ends)

    def decode(self, score: Score, begin: int, end: int) -> Floats:
        """Audio float32[n] of frames `begin` to `end`, as decoding all would give it. Raises EngineError."""
        hop = self._held.hop
        since, until = max(begin - self._held.back, 0), min(end + self._held.ahead, len(score))
        feed: dict[str, NDArray[Any]] = {"vx.latent": np.ascontiguousarray(score.latent[:, :, since:until])}
        if score.condition is not None:
            feed["vx.condition"] = score.condition
        audio: Floats = self._run(self._decoder, feed)[0]
        if audio.shape != (1, (until - since) * hop):
            raise EngineError(
                f"the voice's decoder answers {audio.shape} for {until - since} frames of {hop}"
            )
        return audio[0, (begin - since) * hop : (end - since) * hop]

    def pieces(self, score: Score, ramp: Sequence[int] = RAMP) -> Iterator[Floats]:
        """All of its audio in chunks of `ramp` frames; its last length stays. Raises EngineError."""
        at = index = 0
        while at < len(score):
            end = min(at + ramp[min(index, len(ramp) - 1)], len(score))
            yield self.decode(score, at, end)
            at, index = end, index + 1

    def _run(self, session: Any, feed: dict[str, NDArray[Any]]) -> list[Floats]:
        try:
            made: list[Floats] = session.run(None, feed)
        except Exception as error:  # its errors have no common class of their own
            raise EngineError(f"the voice's network fails: {' '.join(str(error).split())[:300]}") from error
        return made


@functools.cache
def _noise(channels: int) -> Floats:
    """Noise [1, C, N]: the first frames are the same however many there are."""
    noise = np.random.default_rng(0).standard_normal((_NOISE, channels), np.float32)
    return np.ascontiguousarray(noise.T[None])
