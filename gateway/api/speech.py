"""``/v1/calls/{id}/speech``: text that is said while it is being written, over a WebSocket.

A writer opens utterances and sends their text in pieces of any size; it is told of each word when it is said. One
socket may write several utterances. What cannot be read is answered by an ``error`` and the socket lives on;
when the socket ends, so does the text of what it was writing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, WebSocket
from pydantic import TypeAdapter
from starlette.websockets import WebSocketState

from gateway.api.context import Context
from gateway.api.permits import check_voice
from gateway.api.saying import say_of
from gateway.api.sockets import read, until_one_ends
from gateway.api.written import ClearText, EndText, FlushText, MoreText, OpenText, SpeechMessage
from gateway.calls.events import Subscription
from gateway.calls.life import ENDS
from gateway.errors import Refusal

router = APIRouter()
_MESSAGES: Final[TypeAdapter[Any]] = TypeAdapter(SpeechMessage)
_WAITING: Final = 4096
"""Messages that wait for a client before it counts as too slow."""
_NORMAL: Final = 1000
_RESTART: Final = 1012
_TOO_SLOW: Final = 1008
_HEARD: Final = ("spoken_text", "remaining_text", "spoken_ms", "heard_ms", "last_word", "last_mark")
_TOLD: Final = {"utterance.started": "started", "utterance.mark": "mark"} | {
    name: name for name in ("word", "paused", "resumed")
}


@router.websocket("/v1/calls/{call_id}/speech")
async def speech(websocket: WebSocket, call_id: str) -> None:
    """See ``docs/streaming.md``. Refused like any request before it is accepted."""
    here: Context = websocket.app.state.context
    here.switchboard.registry.live(call_id)
    subscription = here.switchboard.events.subscribe(call_id=call_id)  # the call may end as it is accepted
    with here.streaming(subscription):
        await websocket.accept()
        await _Session(here, websocket, call_id).run(subscription)


class _Session:
    """One socket."""

    def __init__(self, here: Context, websocket: WebSocket, call_id: str) -> None:
        self._here = here
        self._socket = websocket
        self._call_id = call_id
        self._writing: dict[
            str, bool
        ] = {}  # what this socket has opened and what has not ended: more may follow
        self._outgoing: asyncio.Queue[dict[str, Any] | int] = asyncio.Queue(_WAITING)

    async def run(self, subscription: Subscription) -> None:
        """Until either side closes; `subscription` has the call's events."""
        try:
            reading = read(self._socket, _MESSAGES, self._do, self._refuse)
            await until_one_ends(reading, self._send(), self._follow(subscription))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Nobody writes any more: what was accepted is said to its end."""
        for uid in [uid for uid, open_ in self._writing.items() if open_]:
            with contextlib.suppress(Refusal):  # it has just ended
                self._here.switchboard.speech.end_text(self._call_id, uid, "writer_gone")

    async def _do(self, request: Any) -> None:
        switchboard, call_id = self._here.switchboard, self._call_id
        match request:
            case OpenText():
                await self._open(request)
            case MoreText(id=uid, text=text, mark=mark):
                self._must_be_mine(uid)
                utterance = switchboard.speech.write(call_id, uid, text, mark)
                self._put({"type": "accepted", "id": uid, "buffered_chars": utterance.buffered_chars})
            case FlushText(id=uid):
                self._must_be_mine(uid)
                switchboard.speech.flush(call_id, uid)
            case EndText(id=uid):
                self._must_be_mine(uid)
                self._writing[uid] = False
                switchboard.speech.end_text(call_id, uid)
            case ClearText(id=named):
                # the last one first: what stands behind must not begin meanwhile
                for uid in [*reversed(self._writing)] if named is None else [named]:
                    self._must_be_mine(uid)
                    await switchboard.speech.clear(call_id, uid)

    async def _open(self, request: OpenText) -> None:
        uid, switchboard = request.id, self._here.switchboard
        check_voice(self._socket.state.key, request.voice or switchboard.registry.call(self._call_id).voice)
        say = await say_of(
            self._here,
            request,
            time.monotonic_ns(),
            draft=switchboard.speech.draft(self._call_id, request.voice),
            listener=partial(self._told, uid),
        )
        await switchboard.speech.say(self._call_id, say)
        self._writing[uid] = True
        self._put({"type": "accepted", "id": uid, "buffered_chars": 0})

    def _must_be_mine(self, uid: str) -> None:
        if uid not in self._writing:
            raise Refusal("unknown_utterance", f"This socket writes no utterance {uid!r} (any more)")

    def _told(self, uid: str, kind: str, data: Mapping[str, object]) -> None:
        """What happens to an utterance of this socket."""
        if kind in ENDS:
            self._writing.pop(uid, None)
            if kind == "utterance.stopped":
                self._put({"type": "heard", "id": uid, **{name: data[name] for name in _HEARD}})
            self._put({"type": "finished", "id": uid, "state": kind.partition(".")[2], **data})
        elif kind in _TOLD:
            self._put({"type": _TOLD[kind], "id": uid, **data})

    async def _follow(self, subscription: Subscription) -> None:
        """The call's end is the socket's, and so is the server's."""
        code = _RESTART
        async for event in subscription:
            if event.type == "call.closed":
                code = _NORMAL
                break
        self._put(code)
        await asyncio.Event().wait()  # what stands before it is still to be sent

    async def _refuse(self, error: dict[str, Any]) -> None:
        self._put(error)

    def _put(self, message: dict[str, Any] | int) -> None:
        try:
            self._outgoing.put_nowait(message)
        except asyncio.QueueFull:
            self._outgoing = asyncio.Queue(_WAITING)
            self._outgoing.put_nowait(_TOO_SLOW)

    async def _send(self) -> None:
        while self._socket.application_state is WebSocketState.CONNECTED:
            message = await self._outgoing.get()
            if isinstance(message, int):
                await self._socket.close(message)
                return
            # ASCII escapes, as everywhere
            await self._socket.send_text(json.dumps(message))
