"""baresip's remote control (module ctrl_tcp): JSON in netstrings, commands one way, events the other."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Final

Event = dict[str, Any]
"""``type``, ``param`` and, of a call, ``direction``, ``peeruri`` and ``id``."""

_POLL_S: Final = 0.1


class BaresipControl:
    """A connection to ``port`` of a running baresip, which serves one at a time. Raises OSError."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_POLL_S)
        self._received = b""
        self._commands = 0
        self._answers: dict[str, Event] = {}
        self.events: list[Event] = []

    def close(self) -> None:
        """Hangs up the connection, not the calls."""
        self._socket.close()

    def command(self, name: str, parameters: str | None = None, seconds: float = 5.0) -> str:
        """Runs a command; returns what it printed. Raises RuntimeError when it fails, TimeoutError."""
        self._commands += 1
        token = str(self._commands)
        message = {"command": name, "token": token} | ({} if parameters is None else {"params": parameters})
        encoded = json.dumps(message).encode()
        self._socket.sendall(b"%d:%s," % (len(encoded), encoded))
        deadline = time.monotonic() + seconds
        while token not in self._answers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer to {name!r} within {seconds:.0f} s")
            self.receive()
        answer = self._answers.pop(token)
        if not answer["ok"]:
            raise RuntimeError(f"{name} {parameters or ''}: {answer['data']}")
        return str(answer["data"])

    def receive(self) -> None:
        """Takes what comes within a moment. Raises ConnectionError when baresip is gone."""
        try:
            chunk = self._socket.recv(65536)
        except TimeoutError:
            return
        if not chunk:
            raise ConnectionError("baresip closed its control connection")
        self._received += chunk
        while (message := self._next()) is not None:
            if message.get("event"):
                self.events.append(message)
            else:
                self._answers[message["token"]] = message

    def _next(self) -> Event | None:
        """The next whole netstring, taken off the buffer."""
        length, colon, rest = self._received.partition(b":")
        if not colon or len(rest) <= int(length):
            return None
        body, self._received = rest[: int(length)], rest[int(length) + 1 :]
        decoded: Event = json.loads(body)
        return decoded
