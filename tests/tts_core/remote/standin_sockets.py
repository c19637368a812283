"""The stand-in's WebSockets: ElevenLabs' contexts, Deepgram's Speak and Flush, Cartesia's contexts.

Deeds are those of `standin`, and some that only a socket does; those of `HANDSHAKES` are done before there is a
socket, but of Cartesia, whose voices are told on it. Only the process of `standin` imports this.
"""

from __future__ import annotations

import base64
import contextlib
import http
import itertools
import json
import random
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from standin import KEY, cartesia, parts, tones, wave
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from standin import Server

HANDSHAKES = frozenset({"busy", "error", "denied", "silent", "page"})
MOST_CONTEXTS = 5
MOST_FLUSHES = 20
Part = tuple[bytes, str, list[float]]


def serve_sockets(server: Server) -> int:
    """Serve them in a thread of their own; returns the port."""

    def refuse(socket: ServerConnection, request: Request) -> Response | None:
        voice, good = _door(request)
        if not good:
            return _response(400, "no such request")
        _, deed = server.deed(voice, counts=False)
        if deed not in HANDSHAKES or not voice:
            return None
        server.deed(voice)
        server.asked.append({"path": request.path, "voice": voice, "key": KEY in str(request.headers)})
        if deed == "silent":
            time.sleep(30)
        if deed == "page":
            return _response(200, "<html>Sign in to the hotel's network</html>")
        if deed == "busy":
            return _response(429, '{"detail":{"status":"too_many_concurrent_requests"}}', Retry_After="30")
        return _response(500, "oops") if deed == "error" else _response(401, f"no such key: {KEY}")

    def talk(socket: ServerConnection) -> None:
        path = urllib.parse.urlsplit(socket.request.path).path  # type: ignore[union-attr]
        kind = {"/v1/speak": Deepgram, "/tts/websocket": Cartesia}.get(path, ElevenLabs)
        try:
            kind(server, socket).run()
        except ConnectionClosed:
            pass
        except Exception as error:
            server.asked.append({"path": path, "refused": repr(error)})
            socket.close(1008, repr(error)[:100])

    listening = serve(talk, "127.0.0.1", 0, process_request=refuse, compression=None, ping_interval=None)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    return int(listening.socket.getsockname()[1])


def _door(request: Request) -> tuple[str, bool]:
    """The voice that a socket is for, "" when it is told later, and whether such a one is asked for rightly."""
    address = urllib.parse.urlsplit(request.path)
    query = dict(urllib.parse.parse_qsl(address.query))
    if address.path == "/v1/speak":
        good = query.get("sample_rate") == "8000" and query.get("encoding") in ("mulaw", "alaw")
        good = good and "container" not in query and 0.7 <= float(query.get("speed", 1)) <= 1.5
        return query["model"], good and request.headers.get("Authorization") == f"Token {KEY}"
    if address.path == "/tts/websocket":
        return "", request.headers.get("X-API-Key") == KEY
    _, version, tts, voice, stream = address.path.split("/")
    good = (version, tts, stream) == ("v1", "text-to-speech", "multi-stream-input") and bool(
        query["model_id"]
    )
    good = (
        good and query["output_format"] in ("ulaw_8000", "alaw_8000") and query["inactivity_timeout"] == "180"
    )
    return voice, good and request.headers.get("xi-api-key") == KEY


def _response(status: int, body: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body.encode()
    told = Headers({"Content-Type": "text/plain", "Content-Length": str(len(data)), **named})
    return Response(status, http.HTTPStatus(status).phrase, told, data)


class Clause:
    """One that is asked for, and how it is answered: `put` sends a part, `over` that it was the last."""

    def __init__(self, name: str, voice: str, text: str, form: str, speed: float) -> None:
        self.name, self.voice, self.text, self.form, self.speed = name, voice, text, form, speed
        self.cut = threading.Event()

    def parts(self, server: Server, timbre: str) -> list[Part]:
        return parts(server.speaker, timbre, self.text, self.form, self.speed)


class Talk:
    """One socket's. Subclasses say how it is spoken; the deeds are here."""

    def __init__(self, server: Server, socket: ServerConnection) -> None:
        self.server, self.socket = server, socket
        self.path = socket.request.path  # type: ignore[union-attr]
        self.query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.clauses = 0

    def run(self) -> None:
        for message in self.socket:
            self.hear(json.loads(message))

    def hear(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def put(self, clause: Clause, part: Part) -> None:
        raise NotImplementedError

    def over(self, clause: Clause) -> None:
        raise NotImplementedError

    def error(self, clause: Clause, code: str, status: int, said: str) -> None:
        raise NotImplementedError

    def begin(self, clause: Clause) -> threading.Thread:
        """Answer it, in a thread of its own."""
        timbre, deed = self.server.deed(clause.voice)
        self.clauses += 1
        self.server.asked.append(
            {"path": self.path, "voice": clause.voice, "text": clause.text, "form": clause.form, "key": True,
             "at": time.time(), "connection": self.socket.remote_address[1], "speed": clause.speed}
        )  # fmt: skip

        def answer() -> None:
            with contextlib.suppress(ConnectionClosed):
                getattr(self, f"_{deed.replace('-', '_')}")(clause, timbre)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        return thread

    # -- deeds --------------------------------------------------------------------------------------------

    def _say(self, clause: Clause, found: Iterator[Part], pace_s: float = 0.0) -> None:
        for part in found:
            if clause.cut.is_set():
                return
            self.put(clause, part)
            time.sleep(pace_s)

    def _well(self, clause: Clause, timbre: str, pace_s: float = 0.0) -> None:
        self._say(clause, iter(clause.parts(self.server, timbre)), pace_s)
        if not clause.cut.is_set():
            self.over(clause)

    def _slow(self, clause: Clause, timbre: str) -> None:
        time.sleep(0.6)
        self._well(clause, timbre)

    def _drip(self, clause: Clause, timbre: str) -> None:
        self._well(clause, timbre, 0.2)

    def _paced(self, clause: Clause, timbre: str) -> None:
        """As fast as it is heard."""
        self._well(clause, timbre, 0.08)

    def _lags(self, clause: Clause, timbre: str) -> None:
        """As fast as it is heard, and for a while after it was cut."""
        left = 4
        for part in clause.parts(self.server, timbre):
            left -= clause.cut.is_set()
            if left < 0:
                return
            self.put(clause, part)
            time.sleep(0.08)
        self.over(clause)

    def _stall(self, clause: Clause, timbre: str) -> None:
        clause.cut.wait(30)

    def _halts(self, clause: Clause, timbre: str) -> None:
        found = clause.parts(self.server, timbre)
        self._say(clause, iter(found[: len(found) // 2]))
        clause.cut.wait(30)

    def _half(self, clause: Clause, timbre: str) -> None:
        """Half of it, then its socket breaks without a word."""
        found = clause.parts(self.server, timbre)
        self._say(clause, iter(found[: len(found) // 2]))
        self.socket.socket.shutdown(2)

    def _noise(self, clause: Clause, timbre: str) -> None:
        octets = random.Random(1).randbytes(16000)
        self._say(clause, ((octets[at : at + 800], "", []) for at in range(0, 16000, 800)))
        self.over(clause)

    def _empty(self, clause: Clause, timbre: str) -> None:
        self.over(clause)

    def _endless(self, clause: Clause, timbre: str) -> None:
        self._say(clause, itertools.cycle(clause.parts(self.server, timbre)))

    def _wav16(self, clause: Clause, timbre: str) -> None:
        whole = wave(tones(timbre, clause.text, 16000)[0], 16000)
        self._say(clause, ((whole[at : at + 3000], "", []) for at in range(0, len(whole), 3000)))
        self.over(clause)

    def _junk(self, clause: Clause, timbre: str) -> None:
        """Half of it, then a frame that is no message of anybody's."""
        found = clause.parts(self.server, timbre)
        self._say(clause, iter(found[: len(found) // 2]))
        self.socket.send("<html>Bad gateway</html>")

    def _error(self, clause: Clause, timbre: str) -> None:
        self.error(clause, "internal_error", 500, "oops")

    def _busy(self, clause: Clause, timbre: str) -> None:
        self.error(clause, "too_many_concurrent_requests", 429, "come back later")

    def _denied(self, clause: Clause, timbre: str) -> None:
        self.error(clause, "quota_exceeded", 401, f"no credits for {KEY}")

    _says_error, _says_busy, _says_denied = _error, _busy, _denied

    def _closes(self, clause: Clause, timbre: str) -> None:
        """Half of it, then it asks to be left alone."""
        found = clause.parts(self.server, timbre)
        self._say(clause, iter(found[: len(found) // 2]))
        self.socket.close(1013, "overloaded")

    def _fleeting(self, clause: Clause, timbre: str) -> None:
        """All of it, then the socket ends, as one that is idle for long."""
        self._well(clause, timbre)
        self.socket.close(1000)

    def _babbles(self, clause: Clause, timbre: str) -> None:
        """All of it, and then what nobody has asked for, without end."""
        self._well(clause, timbre)
        for part in itertools.cycle(clause.parts(self.server, timbre)):
            self.put(clause, part)

    def _slams(self, clause: Clause, timbre: str) -> None:
        """A socket's second clause finds it closing."""
        if self.clauses > 1:
            self.socket.close(1000)
        else:
            self._well(clause, timbre)

    def _naps(self, clause: Clause, timbre: str) -> None:
        """A socket's second clause comes as it ends because there was none for too long."""
        if self.clauses > 1:
            if isinstance(self, ElevenLabs):
                self.socket.send(json.dumps({"error": "input_timeout_exceeded", "code": 1008}))
            self.socket.close(1008, "input_timeout_exceeded")
        else:
            self._well(clause, timbre)


class ElevenLabs(Talk):
    """Contexts; the times of a piece's characters are its own, as the SDK has it."""

    def __init__(self, server: Server, socket: ServerConnection) -> None:
        super().__init__(server, socket)
        self.voice = self.path.split("/")[3]
        self.form = {"ulaw_8000": "mulaw", "alaw_8000": "alaw"}[self.query["output_format"]]
        self.open: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.heard_s: dict[str, float] = {}

    def hear(self, message: dict[str, Any]) -> None:
        if message == {"text": ""}:
            self.server.asked.append({"path": self.path, "voice": self.voice, "stays": True})
            return
        name = message["context_id"]
        if name not in self.open:
            assert message["text"] == " ", "a context begins with a blank"
            assert "voice_settings" in message
            if len(self.open) >= MOST_CONTEXTS:
                self.socket.send(json.dumps({"error": "max_active_conversations", "code": 1008}))
                self.socket.close(1008, "max_active_conversations")
            self.open[name], self.heard_s[name] = message, 0.0
            return
        if message.get("close_context"):
            return
        assert message["text"].endswith(" ")
        assert message["flush"] is True
        speed = self.open[name]["voice_settings"].get("speed", 1)
        assert 0.7 <= speed <= 1.2
        self.begin(Clause(name, self.voice, message["text"][:-1], self.form, speed))

    def put(self, clause: Clause, part: Part) -> None:
        octets, chars, starts = part
        since = self.heard_s[clause.name]
        if not since:
            chars, starts = f" {chars}", [0.0, *starts]
        self.heard_s[clause.name] += len(octets) / 8000
        times = [round((start - since) * 1000) for start in starts]
        alignment = {"chars": list(chars), "charStartTimesMs": times, "charDurationsMs": [0] * len(times)}
        told = {
            "audio": base64.b64encode(octets).decode(),
            "isFinal": None,
            "alignment": alignment if times else None,
            "normalizedAlignment": None,
            "contextId": clause.name,
        }
        self.socket.send(json.dumps(told))

    def over(self, clause: Clause) -> None:
        self.open.pop(clause.name, None)
        self.socket.send(json.dumps({"isFinal": True, "contextId": clause.name}))

    def error(self, clause: Clause, code: str, status: int, said: str) -> None:
        self.open.pop(clause.name, None)
        told = {"message": said, "error": code, "code": 1008, "contextId": clause.name}
        self.socket.send(json.dumps(told))


class Deepgram(Talk):
    """One clause at a time. After Clear nothing more of it comes."""

    def __init__(self, server: Server, socket: ServerConnection) -> None:
        super().__init__(server, socket)
        self.numbers = itertools.count()
        self.text = ""
        self.now: tuple[Clause, threading.Thread] | None = None
        self.flushes: list[float] = []
        self.owes = False  # the end of a clause that was cut, which it tells late
        socket.send(
            json.dumps({"type": "Metadata", "request_id": "r", "model_name": "m", "model_version": "v"})
        )

    def hear(self, message: dict[str, Any]) -> None:
        does: dict[str, Callable[[dict[str, Any]], None]] = {
            "Speak": self._speak,
            "Flush": self._flush,
            "Clear": self._clear,
            "Close": lambda _: self.socket.close(),
        }
        does[message["type"]](message)

    def _speak(self, message: dict[str, Any]) -> None:
        assert self.now is None or not self.now[1].is_alive(), "one clause at a time is what is tested"
        self.text += message["text"]

    def _flush(self, message: dict[str, Any]) -> None:
        now = time.monotonic()
        self.flushes = [*(at for at in self.flushes if now - at < 60), now]
        if len(self.flushes) > MOST_FLUSHES:
            told = {"type": "Warning", "code": "FLUSH_LIMIT", "description": "too many flushes"}
            self.socket.send(json.dumps(told))
            return
        speed = float(self.query.get("speed", 1))
        clause = Clause("", self.query["model"], self.text, self.query["encoding"], speed)
        self.text = ""
        if self.owes:
            self.over(clause)
        self.now = clause, self.begin(clause)

    def _clear(self, message: dict[str, Any]) -> None:
        if self.now is not None:
            self.now[0].cut.set()
            self.now[1].join()
            self.server.asked.append({"path": self.path, "voice": self.now[0].voice, "cut": True})
            self.owes = ".lags" in self.now[0].voice
        self.socket.send(json.dumps({"type": "Cleared", "sequence_id": next(self.numbers)}))

    def put(self, clause: Clause, part: Part) -> None:
        self.socket.send(part[0])

    def over(self, clause: Clause) -> None:
        self.socket.send(json.dumps({"type": "Flushed", "sequence_id": next(self.numbers)}))

    def error(self, clause: Clause, code: str, status: int, said: str) -> None:
        self.socket.send(json.dumps({"type": "Error", "code": code, "description": said}))


class Cartesia(Talk):
    """Contexts of any number."""

    def __init__(self, server: Server, socket: ServerConnection) -> None:
        super().__init__(server, socket)
        self.version = self.query["cartesia_version"]
        self.now: dict[str, Clause] = {}

    def hear(self, message: dict[str, Any]) -> None:
        name = message["context_id"]
        if message.get("cancel"):
            self.server.asked.append({"path": self.path, "voice": self.now[name].voice, "cut": True})
            self.now[name].cut.set()
            return
        assert message["continue"] is False
        clause = self.now[name] = Clause(name, *cartesia(self.version, message))
        self.begin(clause)

    def put(self, clause: Clause, part: Part) -> None:
        data = base64.b64encode(part[0]).decode()
        told = {"type": "chunk", "data": data, "done": False, "status_code": 206, "context_id": clause.name}
        self.socket.send(json.dumps(told))

    def over(self, clause: Clause) -> None:
        self.socket.send(
            json.dumps({"type": "done", "done": True, "status_code": 200, "context_id": clause.name})
        )

    def error(self, clause: Clause, code: str, status: int, said: str) -> None:
        told = {"type": "error", "done": True, "status_code": status, "error_code": code, "message": said}
        self.socket.send(json.dumps({**told, "context_id": clause.name}))

    def _page(self, clause: Clause, timbre: str) -> None:
        self.socket.send("<html>Sign in to the hotel's network</html>")

    def _silent(self, clause: Clause, timbre: str) -> None:
        self._stall(clause, timbre)
