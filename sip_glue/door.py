"""Who is let in: the decisions about a request that need no transaction (RFC 3261 8.2). Pure.

What a request alone decides is answered from the request alone, without state (8.2.7): refusals, OPTIONS, and
INVITEs beyond capacity cost no memory however many come, and the SIP stack sees only what it handles well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sip_glue import dtmf_info
from sip_glue.events import Headers
from sip_glue.message import Request, Unreadable, Via
from sip_glue.uri import BadUri, parse_address, parse_uri

SDP: Final = "application/sdp"
METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "INFO", "OPTIONS")
ALLOW: Final = ("Allow", ", ".join(METHODS))
ACCEPT: Final = ("Accept", SDP)

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    503: "Service Unavailable",
    505: "Version Not Supported",
    513: "Message Too Large",
    603: "Decline",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer without state."""

    code: int
    headers: Headers = ()


Verdict: TypeAlias = Reply | Literal["admit", "ignore"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the adapter knows about a request. ``dialog``: its To tag is that of an open dialog of ours, or of one
    that was over lately. ``invite``: we have its INVITE, the same or one that a proxy forked and that reached us
    twice. ``retry_after``: None, or the seconds after which a new call may be welcome. ``welcome``: it comes from
    where requests are taken from."""

    dialog: Literal["none", "open", "over"]
    invite: Literal["new", "same", "merged"]
    retry_after: int | None
    welcome: bool = True


def judge(request: Request, known: Known) -> Verdict:
    """In the order of RFC 3261 8.2: dialog, method, extensions, content, capacity."""
    method, in_dialog = request.method, request.to.tag is not None
    if method == "ACK":
        return "ignore" if known.dialog == "none" else "admit"
    if method == "CANCEL":
        return "admit" if known.invite == "same" or known.dialog != "none" else Reply(481)
    if not known.welcome and known.dialog == "none":
        return Reply(403)
    if in_dialog and known.dialog != "open":
        return Reply(200) if known.dialog == "over" and method == "BYE" else Reply(481)
    if method not in METHODS:
        return Reply(603) if in_dialog and method == "REFER" else Reply(405, (ALLOW,))
    if required := ", ".join(request.values("require")):
        return Reply(420, (("Unsupported", required),))
    if refusal := _content(request):
        return refusal
    if method == "OPTIONS":
        return "admit" if in_dialog else _options(known.retry_after)
    if not in_dialog and method != "INVITE":
        return Reply(481)
    return _invite(request, known) if method == "INVITE" else "admit"


def _invite(request: Request, known: Known) -> Verdict:
    if not _can_be_reached(request):
        return Reply(400)
    if request.to.tag is not None or known.invite == "same":
        return "admit"
    if known.invite == "merged":
        return Reply(482)
    if known.retry_after is not None:
        return Reply(503, (("Retry-After", str(known.retry_after)),))
    return "admit"


def _can_be_reached(request: Request) -> bool:
    """Whether its Contact and its Record-Route are what later requests can be sent to."""
    contacts = request.values("contact")
    if len(contacts) != 1:
        return False
    try:
        parse_uri(parse_address(contacts[0]).uri)
        for values in request.values("record-route"):
            for one in values.split(","):
                parse_uri(parse_address(one).uri)
    except BadUri:
        return False
    return True


def content_type(request: Request) -> str:
    """The type of its body, without parameters, in lower case."""
    given = request.values("content-type")
    return given[0].partition(";")[0].strip().lower() if given else SDP


def _content(request: Request) -> Reply | None:
    """415 for a body that is not understood, with what would be (RFC 3261 8.2.3)."""
    if not request.body or request.method not in ("INVITE", "INFO"):
        return None
    if any(coding.strip().lower() != "identity" for coding in request.values("content-encoding")):
        return Reply(415, (("Accept-Encoding", "identity"),))
    kind = content_type(request)
    if request.method == "INVITE" and kind != SDP and not kind.startswith("multipart/"):
        return Reply(415, (ACCEPT,))
    if request.method == "INFO" and kind not in dtmf_info.ACCEPTED:
        return Reply(415, (("Accept", ", ".join(dtmf_info.ACCEPTED)),))
    return None


def _options(retry_after: int | None) -> Reply:
    if retry_after is not None:
        return Reply(503, (("Retry-After", str(retry_after)),))
    return Reply(200, (ALLOW, ACCEPT))


def answer(
    request: Request | Unreadable, source: tuple[str, int], reply: Reply, secret: bytes, product: str
) -> bytes:
    """The response on the wire. The same request gives the same octets, To tag included (8.2.7).

    ``source`` is host (IPv6 in brackets) and port that the request came from.
    """
    reason = REASONS[reply.code]
    if isinstance(request, Unreadable) and reply.code == 400:
        reason = f"Bad Request ({request.why})".encode("ascii", "replace").decode()
    lines = [f"SIP/2.0 {reply.code} {reason}"]
    names = {"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
    top = True
    for name, value in request.headers:
        if name == "via":
            lines.append(f"Via: {_received(value, request.via, source) if top else value}")
            top = False
        elif name in names:
            if name == "to" and ";tag=" not in value.lower().replace(" ", ""):
                value += f";tag={_tag(request.headers, secret)}"
            lines.append(f"{names[name]}: {value}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return "\r\n".join((*lines, f"Server: {product}", "Content-Length: 0", "", "")).encode()


def reply_address(via: Via, source: tuple[str, int]) -> tuple[str, int]:
    """Where a response goes: to the source's host; to its port if asked for, else to the port in Via
    (RFC 3261 18.2.2, RFC 3581 4)."""
    return source[0], source[1] if via.rport else via.port or 5060


def _received(value: str, via: Via, source: tuple[str, int]) -> str:
    """The topmost Via with ``received`` and ``rport`` filled in."""
    top, comma, others = value.partition(",")
    parts = [part.strip() for part in top.split(";")]
    parts = [part for part in parts if part.partition("=")[0].strip().lower() not in ("rport", "received")]
    if via.rport:
        parts.append(f"rport={source[1]}")
    if via.rport or via.host != source[0]:
        parts.append(f"received={source[0].strip('[]')}")
    return ";".join(parts) + comma + others


def _tag(headers: Headers, secret: bytes) -> str:
    digest = hashlib.blake2s(key=secret, digest_size=12)
    for name, value in headers:
        if name in ("via", "from", "call-id", "cseq"):
            digest.update(f"{name}:{value}\n".encode())
    return digest.hexdigest()
