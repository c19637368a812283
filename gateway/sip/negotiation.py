"""Offer and answer of one dialog, from our side: SDP text in, SDP text and where audio goes out. Pure.

    hear_offer -> bind -> answer         the peer offers: its INVITE, or a re-INVITE
    bind -> offer -> hear_answer         we do: our INVITE, or a 200 to one without a body

What is heard takes hold only with ``answer``: an offer that is refused leaves the session as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from gateway.calls.requests import Media, Ptime
from sip_glue import sdp


class Negotiation:
    """``session_id``: see ``sdp.LocalMedia``; ``capabilities``: what we speak while nothing is agreed on."""

    def __init__(self, session_id: int, capabilities: sdp.Capabilities) -> None:
        self._session_id = session_id
        self._capabilities = capabilities
        self._local: sdp.LocalMedia | None = None
        self._said: sdp.SessionDescription | None = None
        self._asked: sdp.SessionDescription | None = None
        self._heard: tuple[sdp.SessionDescription, sdp.Media] | None = None

    @property
    def offering(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._asked is not None

    def bind(self, address: str, port: int, rtcp_port: int) -> None:
        """The leg's own address and ports, as the peer shall see them."""
        self._local = sdp.LocalMedia(address, port, self._session_id, rtcp_port, self._capabilities)

    def hear_offer(self, text: str) -> Media:
        """What the peer's offer comes to. Raises ``SdpError``, ``NotAcceptable``."""
        offer = sdp.parse(text)
        media = sdp.select(offer, self._capabilities, self._said).media
        self._heard = offer, media
        return _decided(media)

    def answer(self) -> str:
        """The body that answers what was heard last."""
        assert self._local is not None
        assert self._heard is not None, "nothing was offered"
        offer, media = self._heard
        self._heard = self._asked = None  # an offer of ours that waits will not be answered any more
        answer = sdp.answer(offer, self._local, self._said)
        self._agreed(media)
        self._said = answer.description
        return answer.text

    def offer(self) -> str:
        """The body that offers all we speak."""
        assert self._local is not None
        offer = sdp.offer(self._local, self._said)
        self._said = self._asked = offer.description
        return offer.text

    def hear_answer(self, text: str) -> Media:
        """What the peer made of our offer. Raises ``SdpError``, ``NotAcceptable``."""
        assert self._asked is not None, "we have not offered"
        asked, self._asked = self._asked, None
        media = sdp.accept_answer(asked, sdp.parse(text), ptime_fixed=self._capabilities.ptime_fixed)
        self._agreed(media)
        return _decided(media)

    def _agreed(self, media: sdp.Media) -> None:
        """From now on the packet time is what it is, and so is whether RTCP has a port of its own."""
        self._capabilities = replace(
            self._capabilities, ptime_ms=media.ptime_ms, ptime_fixed=True, rtcp_mux=media.rtcp_mux
        )
        assert self._local is not None
        self._local = replace(self._local, capabilities=self._capabilities)


def _decided(media: sdp.Media) -> Media:
    return Media(
        address=media.address,
        port=media.port,
        rtcp_port=media.rtcp_port,
        codec=media.law,
        payload_type=media.payload_type,
        ptime=cast(Ptime, media.ptime_ms),
        dtmf_payload_type=media.dtmf_payload_type,
        held=media.direction == "hold",
    )
