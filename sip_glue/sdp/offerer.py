"""Offers of ours, and what the answer makes of them (RFC 3264 5, 7).

For calls that we place, and for INVITEs without a body, where the 2xx carries our offer and the ACK the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sip_glue.sdp.choice import Capabilities, Law, Media, event_type, live_index, media_of
from sip_glue.sdp.errors import NotAcceptable, SdpError
from sip_glue.sdp.local import LocalMedia, audio_line, describe, rejected
from sip_glue.sdp.model import (
    STATIC,
    Direction,
    MediaDescription,
    RtpMap,
    SessionDescription,
)
from sip_glue.sdp.renderer import render

_CODECS: Final[dict[Law, RtpMap]] = {"PCMU": STATIC[0], "PCMA": STATIC[8]}


@dataclass(frozen=True, slots=True)
class Offer:
    """``description`` is what ``accept_answer`` needs, and the ``previous`` of whatever we say next."""

    description: SessionDescription

    @property
    def text(self) -> str:
        """The body, ``application/sdp``."""
        return render(self.description)


def offer(local: LocalMedia, previous: SessionDescription | None = None) -> Offer:
    """All that we speak, sendrecv, rtcp-mux only where the session has it already.

    Within a session (``previous``) the lines keep their places, those rejected stay so, payload types keep
    their meaning (RFC 3264 8.3.2), the codec in use comes first and its ptime stays.
    """
    laws = local.capabilities.laws
    if previous is None:
        return Offer(describe(local, (_line(local, None, laws),), ((0, 0),), None))
    place = live_index(previous)
    in_use = previous.media[place]
    in_use_first = sorted(laws, key=lambda law: not in_use.codecs[0].means(law))
    media = tuple(
        _line(local, in_use, tuple(in_use_first)) if index == place else rejected(line, local)
        for index, line in enumerate(previous.media)
    )
    return Offer(describe(local, media, previous.times, previous))


def accept_answer(
    offered: SessionDescription, answered: SessionDescription, *, ptime_fixed: bool = False
) -> Media:
    """What the peer made of our offer; of several codecs the first that we offered.

    ``ptime_fixed``: the packet time that we offered is in use and stays.

    A codec that we offered may come under another number (RFC 4317 2.3): that number is used. Raises
    NotAcceptable when the peer turned the audio down, SdpError when it did not answer what was offered.
    """
    if len(offered.media) != len(answered.media):
        counts = f"{len(offered.media)}, not {len(answered.media)}"
        raise SdpError(f"an answer has as many m= lines as the offer: {counts}")
    place = live_index(offered)
    ours, line = offered.media[place], answered.media[place]
    if not line.port:
        raise NotAcceptable("the peer turned the audio down")
    if (line.kind, line.protocol.upper()) != (ours.kind, ours.protocol):
        raise SdpError(f"answers {ours.kind} over {ours.protocol} with something else", line.line)
    # what an answer leaves unexplained means what the offer said it does
    explained = replace(line, rtpmaps=line.rtpmaps + ours.rtpmaps)
    spoken = replace(_spoken(ours), ptime_fixed=ptime_fixed)
    if not any(codec.means(law) for codec in explained.codecs for law in spoken.laws):
        raise SdpError(f"answers with formats {' '.join(line.formats)}, none of which was offered", line.line)
    return media_of(explained, spoken)


def _line(local: LocalMedia, in_use: MediaDescription | None, laws: tuple[Law, ...]) -> MediaDescription:
    ours = local.capabilities
    said = in_use.ptime if in_use is not None and not ours.ptime_fixed else None
    return audio_line(
        local,
        tuple(_CODECS[law] for law in laws),
        _event_type(ours.dtmf_payload_type, in_use),
        ptime_ms=said or ours.ptime_ms,
        direction=Direction.SENDRECV,
        rtcp_mux=in_use is not None and in_use.rtcp_mux,
        mid=in_use.mid if in_use else None,
    )


def _event_type(ours: int | None, in_use: MediaDescription | None) -> int | None:
    """The session's number for telephone-event, else ours, else one that the session uses for nothing else."""
    if ours is None or in_use is None:
        return ours
    agreed = event_type(in_use.codecs)
    if agreed is not None:
        return agreed
    taken = {codec.payload_type for codec in in_use.codecs}
    return ours if ours not in taken else min(set(range(96, 128)) - taken)


def _spoken(ours: MediaDescription) -> Capabilities:
    """What we said that we speak."""
    assert ours.ptime is not None, "our own lines always have one"
    return Capabilities(
        laws=tuple(law for law, codec in _CODECS.items() if codec in ours.codecs),
        ptime_ms=ours.ptime,
        dtmf_payload_type=event_type(ours.codecs),
        rtcp_mux=ours.rtcp_mux,
    )
