"""SSML's words and numbers for rate, volume and pitch, as factors and decibels."""

from __future__ import annotations

import math
import re

_NUMBER = r"[+-]?\d{1,6}(?:\.\d{1,6})?"
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.3, "x-fast": 1.7}
_VOLUMES = {
    "silent": -96.0,
    "x-soft": -12.0,
    "soft": -6.0,
    "medium": 0.0,
    "default": 0.0,
    "loud": 4.0,
    "x-loud": 8.0,
}
_PITCHES = {"x-low": 0.7, "low": 0.85, "medium": 1.0, "default": 1.0, "high": 1.2, "x-high": 1.4}
_ABSOLUTE = frozenset(("medium", "default"))
QUIETEST, LOUDEST = -96.0, 12.0  # dB
_LEAST, _MOST = 0.5, 2.0


class Unusable(ValueError):
    """A value that cannot be followed; the message says what can."""


def rate(written: str, now: float) -> float:
    """The rate that `written` asks for where it is `now`: "slow", "80%", "+10%", "1.2"; kept within 0.5 to 2."""
    return _factor(written, now, _RATES, "slow, 80%, +10% or 1.2")


def pitch(written: str, now: float) -> float:
    """The pitch that `written` asks for, as a factor: "high", "+10%", "-2st"; kept within 0.5 to 2."""
    match = re.fullmatch(rf"({_NUMBER})st", written)
    if match is not None:
        return _kept(now * 2 ** (max(min(float(match[1]), 99), -99) / 12))
    return _factor(written, now, _PITCHES, "high, +10% or -2st")


def volume_db(written: str, now: float) -> float:
    """The volume in dB: "soft", "+6dB", or 0 to 100 of the voice's own; kept within -96 to 12 dB."""
    if written in _VOLUMES:
        return _VOLUMES[written] if written in _ABSOLUTE else _bounded(now + _VOLUMES[written])
    match = re.fullmatch(rf"({_NUMBER})dB", written)
    if match is not None:
        return _bounded(now + float(match[1]))
    match = re.fullmatch(rf"({_NUMBER})(%?)", written)
    if match is None:
        raise Unusable("it may be like soft, +6dB or 80")
    part = float(match[1]) / 100
    if match[1][0] in "+-":
        part += 1
        base = now
    else:
        base = 0.0
    return _bounded(base + 20 * math.log10(part)) if part > 0 else QUIETEST


def _factor(written: str, now: float, names: dict[str, float], like: str) -> float:
    if written in names:
        return 1.0 if written in _ABSOLUTE else _kept(now * names[written])
    match = re.fullmatch(rf"({_NUMBER})(%?)", written)
    if match is None or (not match[2] and match[1][0] in "+-"):
        raise Unusable(f"it may be like {like}")
    value = float(match[1]) / (100 if match[2] else 1)
    factor = now * (1 + value) if match[1][0] in "+-" else now * value
    if factor <= 0:
        raise Unusable(f"it may be like {like}")
    return _kept(factor)


def _kept(factor: float) -> float:
    return min(max(factor, _LEAST), _MOST)


def _bounded(db: float) -> float:
    return min(max(db, QUIETEST), LOUDEST)
