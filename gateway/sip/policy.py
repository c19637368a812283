"""What an INVITE meets: by configuration, or by what it asks for itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.errors import Refusal
from gateway.settings import Settings
from sip_glue.announcement import BadAnnouncement, asked
from sip_glue.events import Headers, Incoming
from sip_glue.sdp import NotAcceptable, SdpError

REASONS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """``answer`` at once, or ``ring`` until the controller decides, with speech meanwhile if ``early``.

    ``say``: what is said first; ``hang_up`` when it was heard.
    """

    how: Literal["answer", "ring"]
    say: str | None = None
    voice: str | None = None
    hang_up: bool = False
    early: bool = False


class Declined(Exception):
    """An INVITE that is refused: a SIP status, a reason phrase, and headers that say why."""

    def __init__(self, code: int, why: str = "", headers: Headers = ()) -> None:
        super().__init__(f"{code} {why}")
        self.code = code
        self.reason = REASONS[code]
        # RFC 3261 20.43: 399 is a warning for people
        warning = (("Warning", f'399 voxtrunk "{_quotable(why)}"'),) if why else ()
        self.headers = (*headers, *warning)


def plan_for(settings: Settings, incoming: Incoming) -> Plan:
    """What to do with a call. Raises Declined."""
    try:
        announcement = asked(incoming.headers, incoming.request_uri) if settings.sip_say else None
    except BadAnnouncement as error:
        raise Declined(400, str(error)) from None
    if announcement is not None:
        return Plan("answer", announcement.text, announcement.voice, hang_up=True)
    if settings.sip_incoming == "reject":
        raise Declined(settings.sip_reject_code)
    if settings.sip_incoming == "ring":
        return Plan("ring", early=settings.sip_early_media)
    return Plan("answer", settings.sip_greeting, hang_up=settings.sip_hang_up)


def decline(error: SdpError | NotAcceptable | Refusal) -> Declined:
    """The SIP answer to what could not be done."""
    if isinstance(error, SdpError):
        return Declined(400, f"SDP: {error}")
    if isinstance(error, NotAcceptable):
        return Declined(488, str(error))
    if error.retry_after is not None:
        return Declined(503, error.detail, (("Retry-After", str(error.retry_after)),))
    return Declined(403 if error.code == "target_not_allowed" else 400, error.detail)


def _quotable(text: str) -> str:
    """Text for a quoted string of a header: printable ASCII, short, without quotes and backslashes."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain.replace('"', "'").replace("\\", "/")[:200]
