"""Finding the SDP in a message's body. Pure."""

from __future__ import annotations

import re
from typing import Final

SDP: Final = "application/sdp"

_BOUNDARY: Final = re.compile(r';\s?boundary\s?=\s?(?:"([^"]{1,70})"|([^";\s]{1,70}))', re.IGNORECASE)


def sdp_in(content_type: str | None, body: bytes) -> str | None:
    """The session description in a body: the body itself, or the first such part of a multipart one (RFC 5621;
    parts of parts are not looked into). None when there is none. Octets that are not UTF-8 come out as U+FFFD.

    ``content_type`` is the header's value with its parameters; None stands for ``application/sdp``.
    """
    if not body.strip():
        return None
    kind = SDP if content_type is None else _kind(content_type)
    if kind == SDP:
        return body.decode(errors="replace")
    boundary = _BOUNDARY.search(content_type or "")
    if not kind.startswith("multipart/") or boundary is None:
        return None
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode()
    for part in (b"\r\n" + body).split(delimiter)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and _part_kind(head) == SDP:
            return content.decode(errors="replace")
    return None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _part_kind(head: bytes) -> str:
    """A part's type; RFC 2046 5.1 has text/plain for a part that names none."""
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() == "content-type":
            return _kind(value)
    return "text/plain"
