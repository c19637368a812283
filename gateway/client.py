"""The smallest client that our own tools need: one call, one utterance, wait for its end."""

from __future__ import annotations

import time
from typing import Any, Final

import httpx

_POLL_SECONDS: Final = 0.05
ENDED: Final = ("finished", "stopped", "failed")


class Refused(Exception):
    """The gateway's answer was a problem (RFC 9457); the message says what is wrong."""


class Client:
    """A synchronous client of one gateway. A context manager."""

    def __init__(self, url: str, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises Refused, httpx.HTTPError."""
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            problem = answer.json()
            raise Refused(f"{problem.get('title', answer.status_code)}: {problem.get('detail', '')}")
        return answer.json()

    def say(self, call_id: str, timeout: float, **utterance: Any) -> dict[str, Any]:
        """Speak on a call and wait for the end of it; returns the utterance."""
        said = self.request("POST", f"/v1/calls/{call_id}/utterances", utterance)
        deadline = time.monotonic() + timeout
        while True:
            now: dict[str, Any] = self.request("GET", f"/v1/calls/{call_id}/utterances/{said['id']}")
            if now["state"] in ENDED or time.monotonic() > deadline:
                return now
            time.sleep(_POLL_SECONDS)
