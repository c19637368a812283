"""Every request of the API, once: a function makes an ``Ask``, and both clients know how to send one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from voxtrunk.client import orders, results

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """A request, and how its answer is read.

    ``repeatable``: sent twice it does and answers what it does once. Any POST is, by its Idempotency-Key.
    """

    method: str
    path: str
    read: Callable[[bytes], T_co]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = True


def _as(kind: type[T_co]) -> Callable[[bytes], T_co]:
    return partial(msgspec.json.decode, type=kind)


def _call(call_id: str, rest: str = "") -> str:
    return f"/v1/calls/{quote(call_id, safe='')}{rest}"


def _utterance(call_id: str, uid: str, rest: str = "") -> str:
    return _call(call_id, f"/utterances/{quote(uid, safe='')}{rest}")


# -- calls ------------------------------------------------------------------------------------------------


def open_call(**order: Unpack[orders.OpenCall]) -> Ask[results.Call]:
    """Open a leg to an RTP target (``rtp``), or place a SIP call (``sip``)."""
    return Ask("POST", "/v1/calls", _as(results.Call), order)


def calls(**page: Unpack[orders.Page]) -> Ask[results.Calls]:
    """Calls in the order of their opening, lately closed ones among them."""
    return Ask("GET", "/v1/calls", _as(results.Calls), query=page)


def call(call_id: str) -> Ask[results.Call]:
    """The call as it is now."""
    return Ask("GET", _call(call_id), _as(results.Call))


def hang_up(call_id: str) -> Ask[results.Call]:
    """Stop its speech and close it; answers with its statistics."""
    return Ask("DELETE", _call(call_id), _as(results.Call))


def answer(call_id: str) -> Ask[results.Call]:
    """Take an incoming SIP call that rings."""
    return Ask("POST", _call(call_id, "/answer"), _as(results.Call))


def reject(call_id: str, code: int | None = None) -> Ask[results.Call]:
    """Refuse an incoming SIP call that rings."""
    return Ask("POST", _call(call_id, "/reject"), _as(results.Call), {"code": code})


def pause(call_id: str, at: str = "now") -> Ask[results.Call]:
    """Hold what is being said, ``now`` or at the end of the ``word``."""
    return Ask("POST", _call(call_id, "/pause"), _as(results.Call), {"at": at})


def resume(call_id: str) -> Ask[results.Call]:
    """Go on from the same sample."""
    return Ask("POST", _call(call_id, "/resume"), _as(results.Call))


def dtmf(call_id: str, digits: str, duration_ms: int = 100) -> Ask[results.Digits]:
    """Send digits (RFC 4733); speech waits meanwhile."""
    body = {"digits": digits, "duration_ms": duration_ms}
    return Ask("POST", _call(call_id, "/dtmf"), _as(results.Digits), body)


def volume(call_id: str, volume_db: float) -> Ask[results.Call]:
    """The level of all that is said, from the next packet on."""
    return Ask("POST", _call(call_id, "/volume"), _as(results.Call), {"volume_db": volume_db})


def background(call_id: str, **order: Unpack[orders.PlayBackground]) -> Ask[results.Call]:
    """Repeat a prompt behind speech and silence."""
    return Ask("POST", _call(call_id, "/background"), _as(results.Call), order)


def end_background(call_id: str) -> Ask[results.Call]:
    """It fades out."""
    return Ask("DELETE", _call(call_id, "/background"), _as(results.Call))


# -- speech -----------------------------------------------------------------------------------------------


def say(call_id: str, text: str | None = None, /, **order: Unpack[orders.Say]) -> Ask[results.Queued]:
    """Queue a text; or ``ssml``, a ``prompt``, a ``template`` with ``slots``."""
    body = dict(order) if text is None else {"text": text, **order}
    return Ask("POST", _call(call_id, "/utterances"), _as(results.Queued), body)


def say_rest(call_id: str, uid: str, **order: Unpack[orders.SayRest]) -> Ask[results.Queued]:
    """Queue what was not heard of an utterance that was cut, from the first such word on."""
    return Ask("POST", _utterance(call_id, uid, "/resume_from"), _as(results.Queued), order)


def utterances(call_id: str) -> Ask[results.Utterances]:
    """The ended ones in the order of their ends, then the queue."""
    return Ask("GET", _call(call_id, "/utterances"), _as(results.Utterances))


def utterance(call_id: str, uid: str) -> Ask[results.Utterance]:
    """An utterance, and how much of it was heard so far."""
    return Ask("GET", _utterance(call_id, uid), _as(results.Utterance))


def stop(call_id: str, scope: str = "current") -> Ask[results.Stopped]:
    """Stop the ``current`` utterance, or ``all``; answers with what was heard, to the word."""
    return Ask("POST", _call(call_id, "/stop"), _as(results.Stopped), {"scope": scope})


def stop_utterance(call_id: str, uid: str) -> Ask[results.Stopped]:
    """Stop or unqueue this one, and never another."""
    # the second time it would answer that nothing was stopped
    return Ask("DELETE", _utterance(call_id, uid), _as(results.Stopped), repeatable=False)


def speech_path(call_id: str) -> str:
    """Where the call's speech socket is."""
    return _call(call_id, "/speech")


def events_after(call_id: str, after: int = 0) -> Ask[results.Events]:
    """A call's events beyond that ``seq``."""
    return Ask("GET", _call(call_id, "/events"), _as(results.Events), query={"after": after})


# -- the gateway ------------------------------------------------------------------------------------------


def voices() -> Ask[results.Voices]:
    """What can be spoken with."""
    return Ask("GET", "/v1/voices", _as(results.Voices))


def drain() -> Ask[results.Drain]:
    """Whether it is drained, and what is left."""
    return Ask("GET", "/v1/drain", _as(results.Drain))


def start_drain(seconds: float | None = None) -> Ask[results.Drain]:
    """Take no new calls; those that are left after ``seconds`` are ended."""
    return Ask("POST", "/v1/drain", _as(results.Drain), {"seconds": seconds})


def stop_drain() -> Ask[results.Drain]:
    """Take calls again."""
    return Ask("DELETE", "/v1/drain", _as(results.Drain))


def log_level() -> Ask[results.LogLevel]:
    """The level in force."""
    return Ask("GET", "/v1/admin/log-level", _as(results.LogLevel))


def set_log_level(level: orders.Level) -> Ask[results.LogLevel]:
    """From now on, in every process."""
    return Ask("PUT", "/v1/admin/log-level", _as(results.LogLevel), {"level": level})


def reload() -> Ask[results.Reloaded]:
    """Read keys and voices again."""
    return Ask("POST", "/v1/admin/reload", _as(results.Reloaded))


def health() -> Ask[results.Health]:
    """Every check of a gateway that is well; one that is not raises Busy."""
    return Ask("GET", "/health", _as(results.Health), repeatable=False)


def anything(method: str, path: str, body: Any = None) -> Ask[Any]:
    """Any request; its answer's JSON as it is, None where it has no body."""
    return Ask(method, path, _whatever, body, repeatable=method in ("GET", "HEAD", "PUT", "POST"))


def _whatever(body: bytes) -> Any:
    return msgspec.json.decode(body) if body else None
