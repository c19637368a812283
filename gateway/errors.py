"""Refusals: everything that the gateway says no to, and whose fault it is.

A ``Refusal`` is always an answer to somebody's request. It becomes an RFC 9457 problem at the API's edge, in
one place (``gateway.api.problems``). Anything else that is raised there is our own bug and a 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """What every refusal of one code has in common."""

    status: int
    title: str
    retryable: bool = False


KINDS: Final = MappingProxyType(
    {
        "bad_request": Kind(400, "The request cannot be read"),
        "invalid": Kind(422, "The request is understood and wrong"),
        "unauthorized": Kind(401, "A key is needed"),
        "target_not_allowed": Kind(403, "RTP may not be sent there"),
        "unknown_call": Kind(404, "No such call"),
        "unknown_utterance": Kind(404, "No such utterance"),
        "not_found": Kind(404, "No such resource"),
        "method_not_allowed": Kind(405, "Not with this method"),
        "unknown_voice": Kind(422, "No such voice"),
        "unknown_prompt": Kind(422, "No such prompt"),
        "bad_prompt": Kind(422, "The prompt cannot be played"),
        "bad_ssml": Kind(422, "The SSML cannot be read"),
        "wrong_state": Kind(409, "Not in this state"),
        "duplicate_utterance": Kind(409, "The utterance id is taken"),
        "idempotency_in_flight": Kind(409, "The first request with this key is still being answered", True),
        "idempotency_mismatch": Kind(422, "The Idempotency-Key was used with another body"),
        "events_gone": Kind(410, "Those events are no longer kept"),
        "body_too_large": Kind(413, "The body is too large"),
        "text_too_long": Kind(413, "The text is too long"),
        "queue_full": Kind(429, "Too many utterances are waiting on this call", True),
        "at_capacity": Kind(503, "The gateway is full", True),
        "no_sip": Kind(422, "The gateway speaks no SIP"),
        "draining": Kind(503, "The gateway is shutting down", True),
        "unavailable": Kind(503, "A worker is being replaced", True),
    }
)


class Refusal(Exception):
    """A request that is refused.

    ``detail`` says what is wrong and what would be right, in one sentence, naming the field or setting.
    ``retry_after`` is in seconds; it is set on every retryable refusal.
    """

    def __init__(self, code: str, detail: str, *, field: str | None = None, retry_after: int = 1) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.field = field
        self.retry_after = retry_after if self.kind.retryable else None
