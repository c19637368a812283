"""Isolated words by a recogniser: how many of a closed vocabulary are understood at 8 kHz.

pocketsphinx with its American English model (wide band: 8 kHz audio is resampled to 16 kHz, so its absolute
figure is low; compare teacher, student and espeak with each other). A little noise is added, for a recogniser
stumbles over digital silence.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
from pocketsphinx import Decoder

from tts_core.neural.frame import RATE, Floats
from tts_core.neural.learn.corpus import LEVEL
from tts_core.neural.learn.phrases import VOCABULARY

_MODEL_RATE = 16_000
_DITHER = 2e-4  # of full scale, RMS
_SILENCE_S = 0.2
_AUDIBLE = 3e-3  # of full scale


def words_right(speak: Callable[[str], Floats], words: Sequence[str] = VOCABULARY) -> float:
    """The share of `words` that are recognised when `speak` says each; audio float[n] at 8 kHz, full scale 1.

    Every word is brought to the same level, with the same silence around it.
    """
    with tempfile.TemporaryDirectory() as folder:
        grammar = Path(folder) / "words.gram"
        grammar.write_text(f"#JSGF V1.0;\ngrammar words;\npublic <word> = {' | '.join(words)};\n")
        decoder = Decoder(jsgf=str(grammar), samprate=float(_MODEL_RATE), loglevel="FATAL")
        right = sum(_heard(decoder, speak(word)) == word for word in words)
    return right / len(words)


def _heard(decoder: Decoder, audio: Floats) -> str:
    loud = np.flatnonzero(np.abs(audio) > _AUDIBLE)
    audio = audio[loud[0] : loud[-1] + 1] if loud.size else audio
    audio = audio * LEVEL / max(float(np.sqrt(np.mean(audio**2))), 1e-6)
    quiet = np.zeros(round(_SILENCE_S * RATE), np.float32)
    padded = np.concatenate((quiet, audio, quiet))
    dither = np.random.default_rng(0).standard_normal(len(padded)) * _DITHER
    wide = soxr.resample(padded + dither, RATE, _MODEL_RATE)
    decoder.start_utt()
    decoder.process_raw((np.clip(wide, -0.99, 0.99) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""
