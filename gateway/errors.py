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
        "not_permitted": Kind(403, "Not with this key"),
        "target_not_allowed": Kind(403, "RTP may not be sent there"),
        "audio_not_allowed": Kind(403, "Audio may not be taken from there"),
        "unknown_call": Kind(404, "No such call"),
        "unknown_utterance": Kind(404, "No such utterance"),
        "not_found": Kind(404, "No such resource"),
        "method_not_allowed": Kind(405, "Not with this method"),
        "unknown_voice": Kind(422, "No such voice"),
        "unknown_prompt": Kind(422, "No such prompt"),
        "unknown_lexicon": Kind(422, "No such lexicon"),
        "bad_lexicon": Kind(422, "Lexicon that cannot be read"),
        "bad_prompt": Kind(422, "The prompt cannot be played"),
        "bad_ssml": Kind(422, "The SSML cannot be read"),
        "cannot_clone": Kind(422, "No engine speaks in the voice of reference audio"),
        "bad_audio": Kind(422, "The reference audio cannot be used"),
        "no_speakers": Kind(422, "No speakers are kept here"),
        "unknown_speaker": Kind(404, "No such speaker"),
        "unknown_job": Kind(404, "No such job"),
        "wrong_state": Kind(409, "Not in this state"),
        "duplicate_utterance": Kind(409, "The utterance id is taken"),
        "idempotency_in_flight": Kind(409, "The first request with this key is still being answered", True),
        "idempotency_mismatch": Kind(422, "The Idempotency-Key was used with another body"),
        "events_gone": Kind(410, "Those events are no longer kept"),
        "body_too_large": Kind(413, "The body is too large"),
        "text_too_long": Kind(413, "The text is too long"),
        "audio_too_long": Kind(413, "It takes too long to say"),
        "too_many_requests": Kind(429, "Too many requests with this key", True),
        "too_many_calls": Kind(429, "Too many calls with this key", True),
        "too_many_jobs": Kind(429, "Too many jobs are kept", True),
        "too_many_speakers": Kind(422, "Too many speakers are kept"),
        "queue_full": Kind(429, "Too many utterances are waiting on this call", True),
        "speech_failed": Kind(502, "The engine could not say it"),
        "at_capacity": Kind(503, "The gateway is full", True),
        "no_sip": Kind(422, "The gateway speaks no SIP"),
        "draining": Kind(503, "The gateway is being drained", True),
        "unavailable": Kind(503, "Not just now: something is being replaced or does not answer", True),
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
