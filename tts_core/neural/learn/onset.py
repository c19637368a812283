"""How late a vocoder's voiced source comes up in the first voiced frame.

A source that is there from the frame's begin is heard in the frame before it, one that comes late is missed in
its own. Which is better lies with the teacher's voice, and is found on clauses that were learned from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tts_core.neural.learn import measure, pitch
from tts_core.neural.learn.corpus import Item
from tts_core.neural.learn.vocoder import Vocoder

RISES = (1.0, 1.5, 2.0, 3.0, 4.0)  # powers of the ramp


def settle(vocoder: Vocoder, items: Sequence[Item]) -> float:
    """Give `vocoder` the rise with which it errs least in voicing on `items`; returns the share of frames."""
    own = [pitch.track(item.audio) > 0 for item in items]
    errors = []
    for rise in RISES:
        vocoder.rise.fill_(rise)
        made = [pitch.track(measure.vocode(vocoder, item.features)) > 0 for item in items]
        errors.append(float(np.mean(np.concatenate(made) != np.concatenate(own))))
    best = int(np.argmin(errors))
    vocoder.rise.fill_(RISES[best])
    return errors[best]
