"""The rules of a call's queue: what a new utterance cuts, where it goes, and what the caller cuts.

    mode        cuts                                      the new one goes
    append      nothing                                   last
    interrupt   the current one, if it is ``any``         first, behind a current one that is protected
    replace     every one that is ``any``                 first, behind a current one that is protected

The caller cuts the current and the queued (as MRCPv2's barge-in does, RFC 6787 8.4.2): with a digit that is in
their digit map those that are ``dtmf`` or ``any``, with his voice those that are ``any`` and listen to it. What
is ``none`` he cannot cut. An explicit stop cuts whatever it names. Those that are being stopped do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.calls.requests import Mode
from gateway.calls.utterance import Utterance


def survivors(queue: Sequence[Utterance]) -> list[Utterance]:
    """Those of the queue that are to be spoken, in order; the first one is the current."""
    return [utterance for utterance in queue if utterance.survives]


def cut_by_mode(queue: Sequence[Utterance], mode: Mode) -> list[Utterance]:
    """What a new utterance with this mode cuts, in order."""
    living = survivors(queue)
    reach = {"append": 0, "interrupt": 1, "replace": len(living)}[mode]
    return [utterance for utterance in living[:reach] if utterance.interruptible == "any"]


def cut_by_digit(queue: Sequence[Utterance], digit: str) -> list[Utterance]:
    """What a digit from the caller cuts, in order."""
    return [
        utterance
        for utterance in survivors(queue)
        if utterance.interruptible != "none" and digit in utterance.barge_in.digits
    ]


def cut_by_voice(queue: Sequence[Utterance]) -> list[Utterance]:
    """What the caller's voice cuts, in order."""
    return [utterance for utterance in survivors(queue) if utterance.yields_to_voice]


def cut_by_stop(queue: Sequence[Utterance], scope: Literal["current", "all"]) -> list[Utterance]:
    """What an explicit stop cuts, in order."""
    living = survivors(queue)
    return living[:1] if scope == "current" else living


def protected_current(queue: Sequence[Utterance], mode: Mode) -> Utterance | None:
    """The current utterance if a new one with this mode neither cuts it nor waits for all to end."""
    living = survivors(queue)
    if mode == "append" or not living or living[0].interruptible == "any":
        return None
    return living[0]


def place(queue: Sequence[Utterance], mode: Mode, behind: Utterance | None) -> int:
    """The index where a new utterance goes: last, ``behind`` a protected one, or first of those that stay."""
    if mode == "append":
        return len(queue)
    if behind is not None:
        return queue.index(behind) + 1
    return next((index for index, entry in enumerate(queue) if entry.survives), len(queue))
