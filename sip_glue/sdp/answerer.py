"""Answers to a peer's offer (RFC 3264 6)."""

from __future__ import annotations

from dataclasses import dataclass

from sip_glue.sdp.choice import Media, Selection, select
from sip_glue.sdp.local import LocalMedia, audio_line, describe, rejected
from sip_glue.sdp.model import MediaDescription, RtpMap, SessionDescription
from sip_glue.sdp.renderer import render


@dataclass(frozen=True, slots=True)
class Answer:
    """``description`` is the ``previous`` of whatever we say next in this session."""

    description: SessionDescription
    media: Media

    @property
    def text(self) -> str:
        """The body, ``application/sdp``."""
        return render(self.description)


def answer(
    offer: SessionDescription, local: LocalMedia, previous: SessionDescription | None = None
) -> Answer:
    """Take one audio line with one codec, reject every other line, mirror the direction.

    ``previous`` is what we last said in the session, offer or answer. An offer that changes nothing gets the
    very same text again (RFC 4028's refresh). Raises NotAcceptable; the session then stays as it was.
    """
    chosen = select(offer, local.capabilities, previous)
    media = tuple(
        _accepted(line, local, chosen) if index == chosen.index else rejected(line, local)
        for index, line in enumerate(offer.media)
    )
    return Answer(describe(local, media, offer.times, previous), chosen.media)


def _accepted(line: MediaDescription, local: LocalMedia, chosen: Selection) -> MediaDescription:
    media = chosen.media
    return audio_line(
        local,
        (RtpMap(media.payload_type, media.law, 8000),),
        media.dtmf_payload_type,
        ptime_ms=media.ptime_ms,
        direction=line.direction.mirrored,
        rtcp_mux=media.rtcp_mux,
        mid=line.mid,
    )
