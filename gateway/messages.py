"""What the three kinds of process say to each other. Frames are not among it: those go through the ring.

A leg is named by its ``row`` in its media worker's ring; an utterance by ``key``, a number that control
gives out and never uses twice. Positions are in units of 10 ms, see ``gateway.ring``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Law = Literal["PCMU", "PCMA"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base: immutable, tagged by the type's name on the wire."""


# -- control to media ---------------------------------------------------------------------------------------


class OpenLeg(Message, frozen=True):
    """Open a leg on ``row``. Answered by LegOpened or LegRefused.

    ``remote_port`` 0: where to send is not known yet; the address, 0.0.0.0 or ``::``, tells the family.
    ``held``: nothing is sent but, once the target is known, RTCP; the RTP clock runs.
    """

    row: int
    remote_address: str
    remote_port: int
    payload_type: int
    law: Law
    ptime_ms: int
    dtmf_payload_type: int | None
    suppress_silence: bool
    remote_rtcp_port: int | None = None
    rtcp_mux: bool = False
    held: bool = False


class ChangeLeg(Message, frozen=True):
    """Send elsewhere or otherwise from the next packet on; SSRC and clock go on. LegTrouble if that cannot be.

    ``with_cut``: this belongs to a cut, see ``changes`` in ``gateway.ring``. ``ptime_ms`` may change only while
    nothing was ever sent.
    """

    row: int
    remote_address: str
    remote_port: int
    remote_rtcp_port: int | None
    payload_type: int
    law: Law
    ptime_ms: int
    dtmf_payload_type: int | None
    held: bool
    with_cut: bool


class CloseLeg(Message, frozen=True):
    """Say BYE and close. Answered by LegClosed, after which the row may be used again."""

    row: int


class SendDigits(Message, frozen=True):
    """Send RFC 4733 events now; speech waits meanwhile and then goes on."""

    row: int
    digits: str
    duration_ms: int


ToMedia = OpenLeg | ChangeLeg | CloseLeg | SendDigits

# -- media to control ---------------------------------------------------------------------------------------


class MediaReady(Message, frozen=True):
    """The worker turns its loop and takes legs."""

    pid: int


class LegOpened(Message, frozen=True):
    """The leg sends from the next tick on."""

    row: int
    local_address: str
    local_port: int
    local_rtcp_port: int
    ssrc: int


class LegRefused(Message, frozen=True):
    """No leg was opened. ``code``: ``no_ports``, ``no_descriptors``, ``address`` (cannot send there)."""

    row: int
    code: Literal["no_ports", "no_descriptors", "address"]
    detail: str


class LegStatistics(msgspec.Struct, frozen=True):
    """A leg's final account. RTCP figures are the peer's newest, None when it never reported."""

    packets: int
    octets: int
    send_errors: int
    unreachable: int
    missed_ticks: int
    underruns: int
    dry_ticks: int
    rtcp_received: int
    fraction_lost: float | None
    cumulative_lost: int | None
    jitter_ms: float | None
    round_trip_ms: float | None
    digits_received: int
    inbound_dropped: int


class LegClosed(Message, frozen=True):
    """The leg is gone, its sockets are closed or draining; the row is free for the pacer."""

    row: int
    statistics: LegStatistics


class DigitReceived(Message, frozen=True):
    """One RFC 4733 event from the peer, reported at its start (``duration_ms`` None) and at its end."""

    row: int
    digit: str
    duration_ms: int | None


class DigitsSent(Message, frozen=True):
    """The last event of a SendDigits has left."""

    row: int
    digits: str


class Quality(Message, frozen=True):
    """The peer's receiver report (RFC 3550 6.4.2): loss and jitter at its end, round trip by our clock."""

    row: int
    fraction_lost: float
    cumulative_lost: int
    jitter_ms: float
    round_trip_ms: float | None


class LegTrouble(Message, frozen=True):
    """``unreachable``: ICMP says nobody listens there; ``timeout``: nothing came from the peer for too long;
    ``bye``: the peer's RTCP said BYE."""

    row: int
    kind: Literal["unreachable", "timeout", "bye"]
    detail: str


class Latched(Message, frozen=True):
    """Symmetric RTP locked on to where the peer's packets come from."""

    row: int
    remote_address: str
    remote_port: int


FromMedia = (
    MediaReady
    | LegOpened
    | LegRefused
    | LegClosed
    | DigitReceived
    | DigitsSent
    | Quality
    | LegTrouble
    | Latched
)

# -- control to synthesis -----------------------------------------------------------------------------------


class AttachLeg(Message, frozen=True):
    """From now on this worker is the row's one writer, for ``generation``."""

    ring: int
    row: int
    generation: int
    law: Law
    ptime_ms: int


class DetachLeg(Message, frozen=True):
    """Forget the leg and all its utterances. Answered by LegDetached; then the row may be used again."""

    ring: int
    row: int


class Speak(Message, frozen=True):
    """Put an utterance into the leg's queue, before the entry ``before`` (None: at the end).

    Exactly one of ``text``, ``ssml``, ``prompt`` (a path) is set; the request was checked by control.
    """

    ring: int
    row: int
    key: int
    voice: str
    rate: float
    gain_db: float
    text: str | None = None
    ssml: str | None = None
    prompt: str | None = None
    before: int | None = None


class Remove(Message, frozen=True):
    """Take an utterance out of the queue. Answered by Removed."""

    ring: int
    row: int
    key: int


class Cut(Message, frozen=True):
    """Control has cut the ring (generation ``generation``): drop these utterances, and once the pacer has let
    go, lay the rest of the queue again from what was not heard of it, in ``law``."""

    ring: int
    row: int
    generation: int
    drop: tuple[int, ...]
    law: Law


class RingReset(Message, frozen=True):
    """The media worker of this ring died: forget all its legs (no LegDetached is sent for them)."""

    ring: int


ToSynthesis = AttachLeg | DetachLeg | Speak | Remove | Cut | RingReset

# -- synthesis to control -----------------------------------------------------------------------------------


class VoiceInfo(msgspec.Struct, frozen=True):
    """A voice that the worker can speak with."""

    name: str
    language: str
    engine: str
    description: str
    gender: str | None


class SynthesisReady(Message, frozen=True):
    """The engines are loaded."""

    pid: int
    voices: tuple[VoiceInfo, ...]


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A word's characters in the utterance's plain text and its units in the utterance's audio."""

    char_start: int
    char_end: int
    start_unit: int
    end_unit: int


class MarkAt(msgspec.Struct, frozen=True, array_like=True):
    """A mark and the unit of the utterance's audio at which it stands."""

    name: str
    unit: int


class Described(Message, frozen=True):
    """What the next stretch of an utterance's audio holds; always sent before any of it is laid.

    ``units``: length of the utterance's audio as far as it is made; ``complete``: that is all of it.
    """

    row: int
    ring: int
    key: int
    units: int
    complete: bool
    words: tuple[Word, ...]
    marks: tuple[MarkAt, ...]
    cached: bool


class Laying(Message, frozen=True):
    """The utterance's unit ``offset`` lies at the ring position ``at`` and the rest follows on.

    Sent before the first of it is laid, and again after each cut that it survives.
    """

    row: int
    ring: int
    key: int
    generation: int
    at: int
    offset: int


class Removed(Message, frozen=True):
    """The answer to Remove. ``laid_at``: ring position of its first laid unit, None when none was laid.

    The worker lays nothing more on a row with ``laid_at`` set until control has cut it.
    """

    row: int
    ring: int
    key: int
    laid_at: int | None


class SpeechFailed(Message, frozen=True):
    """No more audio will come for this utterance, ``end_unit`` units in all; what was laid is still sent."""

    row: int
    ring: int
    key: int
    cause: str
    detail: str
    end_unit: int


class LegDetached(Message, frozen=True):
    """The answer to DetachLeg: the worker will not touch the row again."""

    row: int
    ring: int


class SynthesisStatistics(Message, frozen=True):
    """A worker's running totals, about once a second."""

    utterances: int
    cache_hits: int
    cache_misses: int
    cache_octets: int
    cache_entries: int
    synthesis_seconds: float
    audio_seconds: float
    streams: int
    resets: int


FromSynthesis = (
    SynthesisReady | Described | Laying | Removed | SpeechFailed | LegDetached | SynthesisStatistics
)
