"""What an INVITE asks us to say: ``X-Voxtrunk-Say`` and ``X-Voxtrunk-Voice``, or ``;say=`` in its URI. Pure.

So that ``Dial(PJSIP/…)`` in Asterisk or ``bridge`` in FreeSWITCH alone makes an announcement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from sip_glue.events import Headers, header
from sip_glue.uri import BadUri, parse_uri

SAY: Final = "X-Voxtrunk-Say"
VOICE: Final = "X-Voxtrunk-Voice"
PARAMETER: Final = "say"
LONGEST_VOICE: Final = 128

_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class BadAnnouncement(ValueError):
    """The request asks for speech in a way that cannot be read. Its author's fault; 400."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A text to speak, and the voice asked for."""

    text: str
    voice: str | None


def asked(headers: Headers, request_uri: str, longest: int = 2000) -> Announcement | None:
    """The announcement that a request asks for, if any. The header goes before the URI parameter.

    A header's text is taken as it is; the parameter's is percent-decoded (RFC 3261 19.1.2) to UTF-8. Raises
    ``BadAnnouncement`` for more than ``longest`` characters, broken escapes, octets that are not UTF-8,
    control characters, and nothing but blanks.
    """
    text = header(headers, SAY)
    if text is None:
        text = _from_uri(request_uri)
    if text is None:
        return None
    voice = header(headers, VOICE)
    return Announcement(_checked(text, longest, SAY), voice and _checked(voice, LONGEST_VOICE, VOICE))


def _from_uri(request_uri: str) -> str | None:
    try:
        escaped = parse_uri(request_uri).parameter(PARAMETER)
    except BadUri:
        return None
    if escaped is None:
        return None
    if _BROKEN_ESCAPE.search(escaped):
        raise BadAnnouncement(f";{PARAMETER}= has a broken escape")
    try:
        return unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError as error:
        raise BadAnnouncement(f";{PARAMETER}= is not UTF-8") from error


def _checked(text: str, longest: int, name: str) -> str:
    text = text.strip()
    if not text:
        raise BadAnnouncement(f"{name} is empty")
    if len(text) > longest:
        raise BadAnnouncement(f"{name} has {len(text)} characters, {longest} are allowed")
    if _CONTROL.search(text):
        raise BadAnnouncement(f"{name} has control characters")
    return text
