"""Espeak's phonemes and flite's phones of the same words, matched by edit distance.

Each espeak phoneme takes 0, 1 or 2 of flite's phones; the cost says how unlike they are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

# espeak (en-us) to ARPAbet as flite writes it; a space parts the two phones of one phoneme, "|" choices
_SAME = {
    "n": "n", "t": "t", "s": "s", "I": "ih", "d": "d", "z": "z", "l": "l", "r": "r", "k": "k", "@": "ax|ah|ih",
    "E": "eh", "m": "m", "D": "dh", "f": "f", "a": "ae", "V": "ah|ax|aa", "eI": "ey", "i:": "iy", "w": "w",
    "aI": "ay", "p": "p", "v": "v", "3": "er", "u:": "uw", "b": "b", "i": "iy", "j": "y", "@2": "ax|ah|ih|iy",
    "oU": "ow", "I2": "ih|ax|iy|eh", "h": "hh", "T": "th", "I#": "ih|ax", "N": "ng", "t#": "t|d", "0": "aa|ao",
    "O@": "ao r", "a#": "ax|ae|ah", "3:": "er", "g": "g", "A@": "aa r", "S": "sh", "dZ": "jh", "r-": "r",
    "aU": "aw", "U@": "uh r|ao r", "@L": "ax l|l", "O:": "ao|aa", "tS": "ch", "U": "uh|uw", "aa": "ae|aa",
    "O2": "ao|ow|aa", "o@": "ao r", "e@": "eh r", "A:": "aa|ao", "t2": "t", "i@": "iy ax|iy|ih r", "OI": "oy",
    "i@3": "ih r|iy r", "Z": "zh", "?": "t", "n-": "n|ax n", "aI@": "ay ax", "aI3": "ay er", "_": "pau",
    "L": "l", "m-": "m", "x": "k",
}  # fmt: skip
_CHOICES = {name: tuple(tuple(one.split()) for one in same.split("|")) for name, same in _SAME.items()}
_VOWELS = frozenset(
    ("aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw")
)
_KIN = ("p b t d k g", "f v th dh s z sh zh hh", "m n ng", "l r w y er", "ch jh sh zh t d")
_SKIPPED, _UNCLAIMED = 1.0, 1.6


@dataclass(frozen=True, slots=True)
class Alignment:
    """`ends[i]` is the index behind the last phone of phoneme i; `cost` is the sum over all."""

    ends: tuple[int, ...]
    cost: float
    one_to_one: int


def align(phonemes: Sequence[str], phones: Sequence[str]) -> Alignment:
    """Match espeak `phonemes` with flite `phones`, in order. An unclaimed phone joins the one before it."""
    rows, columns = len(phonemes), len(phones)
    above = [column * _UNCLAIMED for column in range(columns + 1)]
    step = [[-1] * (columns + 1)]  # how many phones the phoneme took; -1: unclaimed phone
    for name in phonemes:
        skip, best, steps = _skip_cost(name), [0.0] * (columns + 1), [0] * (columns + 1)
        for column in range(columns + 1):
            cost, took = above[column] + skip, 0
            if column and (other := above[column - 1] + _cost(name, phones[column - 1])) < cost:
                cost, took = other, 1
            if column and (other := best[column - 1] + _UNCLAIMED) <= cost:
                cost, took = other, -1
            if column > 1 and (other := above[column - 2] + _cost(name, *phones[column - 2 : column])) < cost:
                cost, took = other, 2
            best[column], steps[column] = cost, took
        step.append(steps)
        above = best
    ends = [0] * rows
    row, column, single = rows, columns, 0
    pending = columns
    while row:
        taken = step[row][column]
        if taken < 0:
            column -= 1
            continue
        ends[row - 1] = pending
        column -= taken
        pending = column
        row -= 1
        single += taken == 1
    return Alignment(tuple(ends), above[columns], single)


def _skip_cost(name: str) -> float:
    return 0.1 if name not in _CHOICES else _SKIPPED  # marks such as ";" have no sound of their own


@functools.cache
def _cost(name: str, *phones: str) -> float:
    choices = _CHOICES.get(name, ())
    if phones in choices:
        return 0.0
    if not choices or len(phones) > 1:
        return 2.5
    return min(_unlike(choice[0], phones[0]) for choice in choices) + 0.4 * (len(choices[0]) > 1)


def _unlike(one: str, other: str) -> float:
    if "pau" in (one, other):
        return 0.0 if one == other else 2.5
    if (one in _VOWELS) != (other in _VOWELS):
        return 0.8 if {one, other} <= {"er", "r"} else 2.0
    if one in _VOWELS:
        return 0.3
    return 0.4 if any({one, other} <= set(kin.split()) for kin in _KIN) else 1.0
