"""Between control and a synthesis worker: legs to write for, utterances to lay, and what is made of them."""

from __future__ import annotations

import msgspec

from gateway.messages.base import Law, Message, SetLogLevel
from gateway.messages.work import SynthesisStatistics

# -- control to synthesis ---------------------------------------------------------------------------------------


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

# -- synthesis to control ---------------------------------------------------------------------------------------


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
