"""What the adapter tells its owner. Nothing here is a type of the SIP stack's.

``dialog`` is the adapter's handle for one call (its local tag). SDP is carried as text and not looked at.
A dialog begins with ``Incoming``, or with the return of ``SipAgent.dial``, and ends with exactly one of
``Ended``, ``Rejected`` and ``Failed``; a command that comes after that is without effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header by its full name, in any case of letters."""
    wanted = name.lower()
    return next((value for given, value in headers if given.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Incoming:
    """An INVITE outside any dialog. ``offer`` is None when the offer is left to us (RFC 3261 13.3.1.4).

    ``headers`` are all of them in their order, names in full and in lower case, values unfolded.
    """

    dialog: str
    call_id: str
    from_uri: str
    to_uri: str
    request_uri: str
    headers: Headers
    offer: str | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK to our 200, of an INVITE or a re-INVITE. ``answer`` is set when our 200 held the offer."""

    dialog: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional answer (101 to 199) to our INVITE; ``body`` is early media's SDP."""

    dialog: str
    code: int
    body: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx to our INVITE. The ACK has been sent."""

    dialog: str
    body: str | None


@dataclass(frozen=True, slots=True)
class Reoffered:
    """A re-INVITE that is not a mere refresh. ``offer`` is None when the peer asks us to offer."""

    dialog: str
    offer: str | None


@dataclass(frozen=True, slots=True)
class Info:
    """A DTMF digit by INFO. ``duration_ms`` is None when the peer does not say."""

    dialog: str
    digit: str
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over by somebody's will: BYE, CANCEL, our rejection. ``reason`` is for people."""

    dialog: str
    by: Literal["local", "remote"]
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The peer's final answer (300 to 699) to our INVITE."""

    dialog: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The call is over against everybody's will. ``code`` is the nearest SIP status."""

    dialog: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar holds our contact for ``seconds``."""

    address: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The registrar does not hold our contact; another attempt follows in ``retry_seconds``, unless None."""

    address: str
    code: int
    reason: str
    retry_seconds: float | None


Event: TypeAlias = (
    Incoming
    | Acknowledged
    | Ringing
    | Answered
    | Reoffered
    | Info
    | Ended
    | Rejected
    | Failed
    | Registered
    | Unregistered
)
