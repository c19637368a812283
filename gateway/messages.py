"""What the three kinds of process say to each other. Frames are not among it: those go through the ring.

A leg is named by its ``row`` in its media worker's ring; an utterance by ``key``, a number that control
gives out and never uses twice. Positions are in units of 10 ms, see ``gateway.ring``.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Law = Literal["PCMU", "PCMA"]
BED_REPEATED = 480
"""60 ms: no packet's part of a bed is then in two pieces."""


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


class SetLogLevel(Message, frozen=True):
    """From now on log what is at least so severe. Said to workers of either kind."""

    level: str


class Listen(Message, frozen=True):
    """Tell when the caller speaks, and when he has done so for ``confirm_ms`` (0: that is not asked).

    ``confirm_ms`` None: listen no more; what he sends is again dropped in the kernel.
    """

    row: int
    confirm_ms: int | None


class MixLeg(Message, frozen=True):
    """From the next packet on: the level of all that is said, and the sound behind it, as linear factors.

    ``bed`` is the sound's number, 0 for none, and ``memory`` where it is: int16 at 8 kHz, with BED_REPEATED
    samples of its beginning once more at its end. It is repeated for ever at ``bed_level``, and at ``duck`` times
    that while the leg speaks.
    """

    row: int
    gain: float
    bed: int = 0
    memory: str = ""
    bed_level: float = 0.0
    duck: float = 1.0


class DropBed(Message, frozen=True):
    """Nobody will be told of this sound again."""

    bed: int


class RingCut(Message, frozen=True):
    """A ring was cut: to be looked at now, and not at the next tick in which a leg sends."""


ToMedia = OpenLeg | ChangeLeg | CloseLeg | SendDigits | Listen | MixLeg | DropBed | RingCut | SetLogLevel

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
    """A leg's final account. RTCP figures are the peer's newest, None when it never reported.

    ``underruns``: times that speech broke off, ``underrun_causes`` whose fault it was (see ``gateway.ring``).
    """

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
    underrun_causes: dict[str, int]


class LegClosed(Message, frozen=True):
    """The leg is gone, its sockets are closed or draining; the row is free for the pacer."""

    row: int
    statistics: LegStatistics


class DigitReceived(Message, frozen=True):
    """One RFC 4733 event from the peer, reported at its start (``duration_ms`` None) and at its end."""

    row: int
    digit: str
    duration_ms: int | None


class VoiceHeard(Message, frozen=True):
    """The caller has begun to speak, has spoken for ``confirm_ms``, or has stopped.

    ``voice_ms``: how much of it was voice so far. ``at_ns``: when the packet came that told, CLOCK_MONOTONIC.
    """

    row: int
    kind: Literal["started", "confirmed", "stopped"]
    voice_ms: int
    at_ns: int


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
    | VoiceHeard
    | DigitsSent
    | Quality
    | LegTrouble
    | Latched
)

# -- control to synthesis -----------------------------------------------------------------------------------


class AttachLeg(Message, frozen=True):
    """From now on this worker is the row's one writer, for ``generation``.

    ``patient``: whoever reads the row does so as fast as it is written, and nobody hears a gap.
    """

    ring: int
    row: int
    generation: int
    law: Law
    ptime_ms: int
    patient: bool = False


class DetachLeg(Message, frozen=True):
    """Forget the leg and all its utterances. Answered by LegDetached; then the row may be used again."""

    ring: int
    row: int


class Resume(msgspec.Struct, frozen=True):
    """Where an utterance goes on that another worker had begun: at its unit ``unit``.

    ``char``: where a word begins whose place in the audio is known; ``skip``: octets from there to ``unit``,
    negative when ``unit`` lies before it. Without a word (None) ``skip`` counts from the beginning. ``marks``:
    how many of the utterance's first marks lie before ``unit``.
    """

    unit: int
    char: int | None
    skip: int
    marks: int


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of a template that is made and kept by itself: ``text``, or a recording (``prompt``, a path).

    ``char``: where it begins in the utterance's text.
    """

    char: int
    text: str = ""
    prompt: str | None = None


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Whole clauses of a text that is being written. ``marks``: name, and char of ``text`` it stands before."""

    text: str
    marks: tuple[tuple[str, int], ...] = ()


class Speak(Message, frozen=True):
    """Put an utterance into the leg's queue, before the entry ``before`` (None: at the end).

    Exactly one of ``text``, ``ssml``, ``prompt`` (a path), ``pieces`` and ``parts`` is set, ``lexicons`` are
    paths, ``audio`` src and path of the recordings in the SSML; control has checked it all. ``parts`` are of a
    text that is being written, and others follow by Append while it is ``open``. With ``resume`` only the rest is
    said, and what the worker tells of it still counts from the utterance's beginning. The ids are for the log.
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
    resume: Resume | None = None
    call_id: str = ""
    utterance_id: str = ""
    pieces: tuple[Piece, ...] | None = None
    lexicons: tuple[str, ...] = ()
    audio: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] | None = None
    open: bool = False


class Append(Message, frozen=True):
    """More of an utterance that is being written; ``last``: nothing follows."""

    ring: int
    row: int
    key: int
    part: Part | None
    last: bool


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


class AskCache(Message, frozen=True):
    """Would ``speak`` cost nothing, because its audio is made already, or being made for somebody else?

    Answered by CacheKnown with ``speak.key``.
    """

    speak: Speak


class RenewVoices(Message, frozen=True):
    """Look through the voices' folder and read global.pls now. Answered by VoicesRenewed."""


ToSynthesis = (
    AttachLeg | DetachLeg | Speak | Append | Remove | Cut | RingReset | AskCache | RenewVoices | SetLogLevel
)

# -- synthesis to control -----------------------------------------------------------------------------------


class VoiceInfo(msgspec.Struct, frozen=True):
    """A voice that the worker can speak with."""

    name: str
    language: str
    engine: str
    description: str
    gender: str | None
    version: str = ""


class SynthesisReady(Message, frozen=True):
    """The engines are loaded."""

    pid: int
    voices: tuple[VoiceInfo, ...]


class VoicesChanged(Message, frozen=True):
    """Voices were added or removed: these are those that the worker speaks with from now on."""

    voices: tuple[VoiceInfo, ...]


class VoicesRenewed(Message, frozen=True):
    """The answer to RenewVoices: the voices that are others than before, and what is left out, and why."""

    changed: tuple[str, ...]
    left_out: tuple[str, ...]


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A word's characters in the utterance's plain text and its units in the utterance's audio.

    ``into``: octets of its first unit before it begins.
    """

    char_start: int
    char_end: int
    start_unit: int
    end_unit: int
    into: int = 0


class MarkAt(msgspec.Struct, frozen=True, array_like=True):
    """A mark and the unit of the utterance's audio at which it stands."""

    name: str
    unit: int


class Described(Message, frozen=True):
    """What the next stretch of an utterance's audio holds; always sent before any of it is laid.

    ``units``: length of the utterance's audio as far as it is made; ``complete``: that is all of it. ``awaits``:
    all that was written is made, so many parts; there is more when the next one comes.
    """

    row: int
    ring: int
    key: int
    units: int
    complete: bool
    words: tuple[Word, ...]
    marks: tuple[MarkAt, ...]
    cached: bool
    awaits: int | None = None


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


class CacheKnown(Message, frozen=True):
    """The answer to AskCache."""

    key: int
    cached: bool


class VoiceCost(msgspec.Struct, frozen=True, array_like=True):
    """What a voice costs its worker: ``ratio`` seconds for a second of audio, ``first_s`` for a first stretch."""

    name: str
    ratio: float
    first_s: float


class SharedStatistics(msgspec.Struct, frozen=True, array_like=True):
    """What became of speech that was asked of Redis, and of what was to be stored there. ``up``: it answers."""

    up: bool
    hits: int
    misses: int
    unanswered: int
    stored: int
    dropped: int


STEP_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class VoiceWork(msgspec.Struct, frozen=True, array_like=True):
    """What a voice has taken and made, in running totals.

    ``steps`` took ``steps_s`` for ``streams`` utterances, and ``room`` could have shared them; ``buckets`` counts
    them by STEP_BUCKETS_S, the last one open-ended. ``audio_s`` of speech took ``busy_s``. ``first``,
    ``next``: legs that now wait for a first stretch, and for the next.
    """

    name: str
    steps: int
    streams: int
    room: int
    steps_s: float
    busy_s: float
    audio_s: float
    buckets: tuple[int, ...]
    first: int
    next: int


class GpuMemory(msgspec.Struct, frozen=True, array_like=True):
    """Octets of a GPU's memory, by all who use it."""

    device: str
    used: int
    total: int


class ProviderWork(msgspec.Struct, frozen=True, array_like=True):
    """What a worker asked of one provider, in running totals.

    ``requests`` by what became of them, as in ``tts_core.remote.KINDS``. ``first``: counts of seconds to the
    first audio by ``tts_core.remote.FIRST_BUCKETS_S``, the last open-ended; ``first_s`` in all.
    ``left_alone``: its breaker is open.
    """

    name: str
    requests: tuple[int, ...]
    characters: int
    spent: float
    first: tuple[int, ...]
    first_s: float
    under_way: int
    left_alone: bool


class FailOvers(msgspec.Struct, frozen=True, array_like=True):
    """How often a route went on without a voice: ``before`` or ``after`` its first sound, or ``late``."""

    route: str
    voice: str
    when: str
    count: int


class SynthesisStatistics(Message, frozen=True):
    """A worker's running totals, about four times a second: its sign of life, too."""

    utterances: int
    cache_hits: int
    cache_misses: int
    cache_octets: int
    cache_entries: int
    streams: int
    resets: int
    utilisation: float = 0.0
    """The part of the last second in which the voices' thread was busy."""
    costs: tuple[VoiceCost, ...] = ()
    work: tuple[VoiceWork, ...] = ()
    gpu: GpuMemory | None = None
    shared: SharedStatistics | None = None
    providers: tuple[ProviderWork, ...] = ()
    fail_overs: tuple[FailOvers, ...] = ()


FromSynthesis = (
    SynthesisReady
    | VoicesChanged
    | VoicesRenewed
    | Described
    | Laying
    | Removed
    | SpeechFailed
    | LegDetached
    | CacheKnown
    | SynthesisStatistics
)
