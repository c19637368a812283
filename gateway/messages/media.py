"""Between control and a media worker: legs that are opened, changed and closed, and what their peers do."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.messages.base import Law, Message, SetLogLevel

BED_REPEATED = 480
"""60 ms: no packet's part of a bed is then in two pieces."""

# -- control to media -------------------------------------------------------------------------------------------


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

# -- media to control -------------------------------------------------------------------------------------------


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
