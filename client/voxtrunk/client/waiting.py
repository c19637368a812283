"""What both clients share of waiting and connecting."""

from __future__ import annotations

from typing import Final

from websockets.exceptions import InvalidStatus

from voxtrunk.client import problems
from voxtrunk.client.results import Utterance

SECONDS: Final = 30.0
"""How long an answer may take."""
_SOON: Final = 0.05
_LATE: Final = 1.0


def look_again_after(utterance: Utterance) -> float:
    """Seconds until it is worth asking whether an utterance has ended: about when it will have."""
    if utterance.state != "speaking" or utterance.duration_ms is None:
        return _SOON
    return min(_LATE, max(_SOON, (utterance.duration_ms - utterance.spoken_ms) / 1000))


def socket_url(url: str, path: str) -> str:
    """The WebSocket's URL below a gateway's."""
    return "ws" + url.rstrip("/").removeprefix("http") + path


def of_refusal(refused: InvalidStatus) -> problems.Problem:
    """The problem that a WebSocket was refused with."""
    answer = refused.response
    return problems.of_answer(answer.status_code, answer.headers, bytes(answer.body or b""))
