"""SDP offer/answer (RFC 3264) for one G.711 audio stream: text in, text and a decision out.

    parse(text) -> SessionDescription               SdpError: the peer's fault
    select(offer, capabilities) -> Selection        NotAcceptable: a SIP 488
    answer(offer, local) -> Answer                  the body of our 2xx, and where audio goes
    offer(local) -> Offer                           the body of our INVITE, or of a 2xx to one without a body
    accept_answer(offer, answer) -> Media           where audio goes

Everything is pure: no socket, no clock, no randomness; a session's id is passed in. What we last said is all
the state there is: pass ``Answer.description`` or ``Offer.description`` as ``previous`` next time, and the o=
line's version counts as RFC 3264 8 wants. Whether audio *may* go to ``Media.address`` is not decided here.
"""

from sip_glue.sdp.answerer import Answer, answer
from sip_glue.sdp.choice import Capabilities, Media, Selection, select
from sip_glue.sdp.errors import NotAcceptable, SdpError
from sip_glue.sdp.local import LocalMedia
from sip_glue.sdp.model import Connection, Direction, MediaDescription, SessionDescription
from sip_glue.sdp.offerer import Offer, accept_answer, offer
from sip_glue.sdp.parser import parse
from sip_glue.sdp.renderer import render

__all__ = [
    "Answer",
    "Capabilities",
    "Connection",
    "Direction",
    "LocalMedia",
    "Media",
    "MediaDescription",
    "NotAcceptable",
    "Offer",
    "SdpError",
    "Selection",
    "SessionDescription",
    "accept_answer",
    "answer",
    "offer",
    "parse",
    "render",
    "select",
]
