"""Whether a peer heard what was said: its recording against the reference, by time, level and spectrum. Pure.

The recording may begin early or late, hold silence before and after, and slip by some ms where a jitter buffer
stretched it: the reference is found in it piece by piece, and what was found is compared.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import LINE_RATE, Law, decode

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

BANDS_HZ: Final = ((300, 700), (700, 1400), (1400, 2400), (2400, 3400))
"""Where spectra are compared: four parts of the telephone band."""

_MS: Final = LINE_RATE // 1000
_FRAME: Final = 10 * _MS
_PIECE: Final = 200 * _MS
_REACH: Final = 60 * _MS
"""How far a piece is looked for around the place where the whole fits best."""
_WINDOW: Final = 32 * _MS
_SPEECH: Final = 10 ** (-30 / 10)
"""A frame is speech when its energy is this part of the reference's loudest."""
_HOLE: Final = 10 ** (-15 / 10)
"""A frame of speech is missing when less than this part of its energy is there."""
_FLOOR: Final = 10 ** (-45 / 10)
"""Part of the loudest band of the loudest frame; below it lies G.711's own noise."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """A recording compared with what should have been heard; see `compare`."""

    offset_ms: float
    """Where the reference begins in the recording; negative: before the recording does."""
    slip_ms: float
    """How far the pieces of the reference have moved against each other."""
    length_ms: float
    """First to last speech of the whole recording, minus that of the reference."""
    level_db: float
    """Of the speech, recording minus reference."""
    distance_db: tuple[float, ...]
    """Log-spectral distance of the speech in each of BANDS_HZ: rms over time of the difference in dB."""
    hole_ms: float
    """Longest stretch of the reference's speech that is not there, at its ends too."""
    exact: float
    """Share of the reference's samples that are there, but for the 2 that baresip makes of a mu-law 0."""


def spoken(text: str, law: str = "PCMU", voice: str | None = None) -> Samples:
    """int16[n] at 8 kHz: what a line with that law carries when a gateway with default settings says ``text``."""
    chosen = Law(law)
    return decode(chosen, np.frombuffer(encode_text(text, voice, chosen.value, Settings()), np.uint8))


def compare(recording: Samples, reference: Samples) -> Hearing:
    """Finds ``reference`` int16[n] in ``recording`` int16[m], both at 8 kHz.

    Raises AssertionError for a silent reference or one shorter than a piece, or an empty recording.
    """
    assert len(reference) >= _PIECE, f"a reference of {len(reference)} samples tells nothing"
    assert len(recording) >= _FRAME, f"{len(recording)} samples were recorded"
    wanted, got = reference.astype(np.float64), recording.astype(np.float64)
    threshold = float(_energies(wanted).max()) * _SPEECH
    assert threshold > 0, "the reference is silent"
    edges = np.linspace(0, len(wanted), len(wanted) // _PIECE + 1).astype(np.int64)
    lags = _lags(got, wanted, edges, threshold)
    places = np.arange(len(wanted)) + np.repeat(lags, np.diff(edges))
    there = (places >= 0) & (places < len(got))
    found = np.where(there, got[np.clip(places, 0, len(got) - 1)], 0.0)
    speech = _energies(wanted) > threshold
    missing = speech & (_energies(found) < _energies(wanted) * _HOLE)
    return Hearing(
        offset_ms=float(lags[0]) / _MS,
        slip_ms=float(np.ptp(lags)) / _MS,
        length_ms=_span_ms(_energies(got) > threshold) - _span_ms(speech),
        level_db=_level_db(_energies(found)[speech]) - _level_db(_energies(wanted)[speech]),
        distance_db=_distances(found, wanted),
        hole_ms=_longest(missing) * _FRAME / _MS,
        exact=float(np.mean(there & (np.abs(found - wanted) <= 2))),
    )


def heard(
    recording: Samples,
    reference: Samples,
    *,
    distance_db: float = 4.0,
    level_db: float = 0.5,
    length_ms: float = 60.0,
    hole_ms: float = 50.0,
    slip_ms: float = 60.0,
    exact: float = 0.75,
) -> Hearing:
    """Asserts that the recording is the reference: whole, at its level, and nothing else. Returns the figures.

    The limits are those of linphonec, whose jitter buffer slips by 10 ms where its ticker was late and loses
    the first 40 ms of a call it made. Measured of it, worst of ten: 2.1 dB, 0.06 dB, 40 ms, 40 ms, 10 ms, 0.95;
    of the same sentence with one other word: 5.7 dB.
    """
    hearing = compare(recording, reference)
    assert max(hearing.distance_db) <= distance_db, f"not what was said: {hearing}"
    assert hearing.hole_ms <= hole_ms, f"a part is missing: {hearing}"
    assert abs(hearing.level_db) <= level_db, f"another level: {hearing}"
    assert hearing.slip_ms <= slip_ms, f"stretched or cut: {hearing}"
    assert abs(hearing.length_ms) <= length_ms, f"another length: {hearing}"
    assert hearing.exact >= exact, f"other samples: {hearing}"
    return hearing


def heard_exactly(recording: Samples, reference: Samples) -> Hearing:
    """Asserts that the recording is the reference sample for sample, and otherwise no speech: baresip's is."""
    return heard(
        recording,
        reference,
        distance_db=0.1,
        level_db=0.01,
        length_ms=20.0,
        hole_ms=0.0,
        slip_ms=0.0,
        exact=1.0,
    )


def _energies(pcm: Floats) -> Floats:
    """Mean square of each whole frame."""
    energies: Floats = np.mean(pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME) ** 2, axis=1)
    return energies


def _lags(got: Floats, wanted: Floats, edges: Ints, threshold: float) -> Ints:
    """Where each piece of ``wanted`` lies in ``got``, against where it lies in ``wanted``, in samples."""
    whole = int(np.argmax(signal.correlate(got, wanted, method="fft"))) - (len(wanted) - 1)
    # silence enough on both sides that no piece reaches beyond
    margin = len(wanted) + abs(whole) + _REACH
    padded = np.pad(got, margin)
    lags = np.full(len(edges) - 1, whole)
    known = np.zeros(len(lags), np.bool_)
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        piece = wanted[begin:end]
        if np.mean(piece**2) <= threshold:
            continue
        around = padded[margin + begin + whole - _REACH : margin + end + whole + _REACH]
        likeness = signal.correlate(around, piece, mode="valid", method="fft")
        energy = np.convolve(around**2, np.ones(len(piece)), mode="valid")
        likeness /= np.sqrt(np.maximum(energy, 1.0) * np.sum(piece**2))
        best = int(np.argmax(likeness))
        if likeness[best] > 0.5:
            lags[number], known[number] = whole + best - _REACH, True
    # a piece without speech lies beside the one before it
    last = np.maximum.accumulate(np.where(known, np.arange(len(lags)), int(np.argmax(known))))
    return lags[last]


def _distances(found: Floats, wanted: Floats) -> tuple[float, ...]:
    """Log-spectral distance in each band, over the times when ``wanted`` has something there."""
    hz, _, spectra = signal.stft(
        np.stack([found, wanted]), LINE_RATE, nperseg=_WINDOW, noverlap=_WINDOW - _FRAME, padded=False
    )
    powers = [np.sum(np.abs(spectra[:, (hz >= low) & (hz < high)]) ** 2, axis=1) for low, high in BANDS_HZ]
    floor = max(float(power[1].max()) for power in powers) * _FLOOR
    distances = []
    for power in powers:
        levels = 10 * np.log10(np.maximum(power, floor))
        difference = (levels[0] - levels[1])[power[1] > floor]
        distances.append(float(np.sqrt(np.mean(difference**2))) if len(difference) else 0.0)
    return tuple(distances)


def _level_db(energies: Floats) -> float:
    return 10 * float(np.log10(max(float(energies.mean()), 1e-9)))


def _span_ms(speech: Bools) -> float:
    """From the first frame of speech to the end of the last."""
    frames = np.flatnonzero(speech)
    return float(frames[-1] + 1 - frames[0]) * _FRAME / _MS if len(frames) else 0.0


def _longest(flags: Bools) -> int:
    """Length of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))
