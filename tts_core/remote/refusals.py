"""What a provider's refusal is: by its HTTP status, or by the words and the close codes of its WebSocket."""

from __future__ import annotations

import email.utils
import re
import time

from tts_core.remote.asking import Unanswered

SHOWN = 200
"""Characters of what a provider says that go into an error."""
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_LONGEST_WAIT_S = 600.0
"""Whatever a provider asks for: one that is well again by then is asked again."""
_TRY_LATER, _POLICY, _INTERNAL = 1013, 1008, 1011
_IDLE = re.compile(r"time.?out|timed out|inactiv|idle")
_REFUSED = re.compile(
    r"quota|credit|payment|api.?key|auth|permission|forbidden|not.?found|invalid|unsupported|too.?long"
)
_BUSY = re.compile(r"concurren|rate.?limit|too.?many|busy|capacity|max_active|exceeded|try again|overload")


def refusal(status: int, said: str, retry_after: str, key: str) -> Unanswered:
    """What an answer of that HTTP status, which is no success, is."""
    wait_s = _wait_s(retry_after)
    return Unanswered(by_status(status), f"it answered {status}: {shown(said, key)}", wait_s)


def by_status(status: int) -> str:
    """The kind of an HTTP status that is no success."""
    if status in (429, 503):
        return "busy"
    return "failed" if status >= 500 else "refused" if status >= 400 else "garbage"


def by_words(said: str, default: str) -> str:
    """The kind of an error that a socket tells in words: a name such as ``quota_exceeded``, or a sentence."""
    said = said.lower()
    if _IDLE.search(said):  # it was not wanted for too long, as it seemed there
        return "broken"
    return "refused" if _REFUSED.search(said) else "busy" if _BUSY.search(said) else default


def by_close(code: int, reason: str) -> str:
    """The kind of a socket's end (RFC 6455 7.4) while it had an answer to give."""
    if code == _TRY_LATER:
        return "busy"
    kinds = {_POLICY: "refused", _INTERNAL: "failed"}
    return by_words(reason, kinds[code]) if code in kinds else "broken"


def shown(said: str, key: str) -> str:
    """What a provider said as it may be repeated: short, on one line, without the key."""
    said = " ".join(said.split())
    if key:
        said = said.replace(key, "(the key)")
    return said[:SHOWN]


def _wait_s(told: str) -> float:
    """Retry-After in seconds (RFC 9110 10.2.3: seconds or a date), _LONGEST_WAIT_S at most; 0 where it says
    nothing."""
    if _SECONDS.fullmatch(told):
        return min(float(told), _LONGEST_WAIT_S)
    try:
        wait_s = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(0.0, wait_s), _LONGEST_WAIT_S)
