"""How good a voice is, on sentences that it never learned from.

PESQ: ITU-T P.862 narrow band at 8 kHz (raw scores mapped by P.862.1, as the `pesq` package gives them). STOI:
Taal et al. 2011. MCD: 20 / ln 10 sqrt(sum of squared differences / 40) over c1 to c13 of an orthonormal DCT-II
of 40 natural-log mels, frames within 40 dB of the loudest, no time warping (the durations are the teacher's).
F0 RMSE in Hz where both are voiced; voicing error: the share of frames where one is and the other is not.
PESQ is of three takes, which differ in the source's phase and noise: that alone moves a sentence's by 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from pesq import NoUtterancesError, pesq
from pystoi import stoi
from scipy.fft import dct

from tts_core.neural.frame import HOP, RATE, Floats, log_mels
from tts_core.neural.learn import pitch, prompts, train
from tts_core.neural.learn.acoustic import Acoustic
from tts_core.neural.learn.batches import readings
from tts_core.neural.learn.corpus import Item, Reading
from tts_core.neural.learn.vocoder import DELAY, Vocoder

_COUNTED_DB = 40.0
_TAKES = 3
_MCD_SCALE = 20 / np.log(10)


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the sentences; `pesq_p5` is the 5th percentile."""

    sentences: int
    pesq: float
    pesq_p5: float
    stoi: float
    mcd_db: float
    f0_rmse_hz: float
    voicing_error: float

    def table(self) -> dict[str, float | None]:
        """The scores by name, rounded; None where no sentence could be measured."""
        return {
            name: round(float(value), 4) if np.isfinite(value) else None
            for name, value in asdict(self).items()
        }


def vocode(vocoder: Vocoder, features: Floats, seed: int = 0) -> Floats:
    """Audio float32[80 T] of features [T, 42], the source's phase free."""
    padded = np.concatenate((features, np.repeat(features[-1:], DELAY, axis=0)))
    noise = np.random.default_rng(seed).standard_normal((1, len(padded), HOP))
    state, _ = vocoder.fresh(1)
    phase = torch.tensor([np.random.default_rng(seed).uniform(-0.5, 0.5)], dtype=torch.float64)
    with torch.no_grad():
        made, _, _ = vocoder(
            torch.from_numpy(padded)[None], torch.from_numpy(noise.astype(np.float32)), state, phase
        )
    audio: Floats = made[0, DELAY:].flatten().numpy()
    return audio


def copy_synthesis(vocoder: Vocoder, items: Iterable[Item]) -> Scores:
    """The vocoder alone: the teacher's features to audio."""
    return score(items, lambda item, take: vocode(vocoder, item.features, take))


def text_to_speech(model: Acoustic, vocoder: Vocoder, items: Iterable[Item]) -> Scores:
    """Both networks, with the teacher's durations so that frames can be compared."""
    return score(items, lambda item, take: vocode(vocoder, train.predict(model, item), take))


def duration_error_ms(model: Acoustic, items: Iterable[Reading]) -> float:
    """Mean absolute error of a phoneme's duration against the teacher's own, not rounded to frames.

    Pauses at the ends are left out.
    """
    errors = []
    for item in items:
        with torch.no_grad():
            pace = model.timing.pace(readings([item])[0])
        frames = np.expm1(pace[0].numpy())
        errors.append(np.abs(frames - item.exact)[1:-1])
    return float(np.mean(np.concatenate(errors))) * 1000 * HOP / RATE


def report(model: Acoustic, vocoder: Vocoder, items: Sequence[Item]) -> dict[str, object]:
    """All figures of a voice, as metrics.json holds them.

    Of held-out sentences, and of those of them that people really say.
    """
    spoken = {*prompts.ENGLISH, *prompts.GERMAN}
    real = [item for item in items if item.text in spoken]
    return {
        "copy_synthesis_free_phase": copy_synthesis(vocoder, items).table(),
        "text_to_speech_teacher_durations": text_to_speech(model, vocoder, items).table(),
        "text_to_speech_prompts_only": text_to_speech(model, vocoder, real).table() if real else None,
        "duration_error_ms": round(duration_error_ms(model, items), 2),
    }


def score(items: Iterable[Item], speak: Callable[[Item, int], Floats]) -> Scores:
    """Scores of what `speak` makes of each item, given a number of the take, against the teacher's audio."""
    rows, qualities = [], []
    for item in items:
        made = speak(item, 0)
        takes = [made, *(speak(item, take) for take in range(1, _TAKES))]
        judged = [_quality(item.audio, take) for take in takes]
        qualities += judged
        quality = float(np.mean(judged))
        long_enough = len(made) > RATE  # STOI needs 30 frames of 25.6 ms that are not silent
        heard = float(stoi(item.audio, made, RATE)) if long_enough else float("nan")
        hz, own = pitch.track(made), pitch.track(item.audio)
        both = (hz > 0) & (own > 0)
        rmse = float(np.sqrt(np.mean((hz[both] - own[both]) ** 2))) if both.any() else float("nan")
        rows.append((quality, heard, _mcd(made, item.audio), rmse, float(np.mean((hz > 0) != (own > 0)))))
    table = np.array(rows)
    means = np.nanmean(table, axis=0)
    return Scores(len(table), means[0], float(np.nanpercentile(qualities, 5)), *means[1:])


def _quality(own: Floats, made: Floats) -> float:
    try:
        return float(pesq(RATE, own, made, "nb"))
    except NoUtterancesError:  # a word too short for P.862 to find speech in
        return float("nan")


def _mcd(made: Floats, own: Floats) -> float:
    one, other = log_mels(made), log_mels(own)
    level = np.sqrt(np.mean(own.reshape(-1, HOP) ** 2, axis=1) + 1e-12)
    counted = level > level.max() * 10 ** (-_COUNTED_DB / 20)
    gap = (dct(one, norm="ortho", axis=1) - dct(other, norm="ortho", axis=1))[counted, 1:14]
    return float(np.mean(_MCD_SCALE * np.sqrt(np.sum(gap**2, axis=1) / one.shape[1])))
