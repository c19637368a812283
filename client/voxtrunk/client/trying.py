"""When something is tried again, decided without a socket or a clock.

What is repeatable is sent again when there was no answer, or one that says it may be: a GET, a PUT, what DELETE
answers alike twice, and every POST, which carries an ``Idempotency-Key`` for that.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from voxtrunk.client import problems
from voxtrunk.client.asks import Ask


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how long to wait: ``first_seconds``, then twice that and so on, by chance down to half.

    A ``Retry-After`` is kept to the second; one beyond ``most_seconds`` is the caller's to wait for.
    """

    attempts: int = 3
    first_seconds: float = 0.1
    most_seconds: float = 2.0

    def pause(self, failures: int) -> float:
        """Seconds after so many failures in a row, the first being 1."""
        longest: float = min(self.most_seconds, self.first_seconds * 2 ** min(failures - 1, 16))
        return longest * random.uniform(0.5, 1)

    def again_after(self, problem: problems.Problem, failures: int) -> float:
        """Seconds to wait before what was refused is asked for again. Raises the problem when it is not to be."""
        wait = problem.retry_after
        if (
            not problem.retryable
            or failures >= self.attempts
            or (wait is not None and wait > self.most_seconds)
        ):
            raise problem
        return self.pause(failures) if wait is None else wait


def headers(key: str | None) -> dict[str, str]:
    """What says who asks. Not Authorization: it is dropped where a node sends on to another."""
    return {"X-API-Key": key} if key else {}


class Trying:
    """One request until it is answered, or not worth another try."""

    def __init__(self, ask: Ask[Any], retry: Retry, idempotency_key: str | None = None) -> None:
        self._ask = ask
        self._retry = retry
        self._failures = 0
        self._headers: dict[str, str] = {}
        if ask.body is not None:
            self._headers["Content-Type"] = "application/json"
        if ask.method == "POST":
            self._headers["Idempotency-Key"] = idempotency_key or uuid.uuid4().hex

    def request(self) -> dict[str, Any]:
        """As httpx takes it."""
        ask = self._ask
        content = None if ask.body is None else msgspec.json.encode(ask.body)
        request = {"method": ask.method, "url": ask.path, "headers": self._headers, "content": content}
        return request | ({"params": ask.query} if ask.query else {})

    def failed(self, error: Exception) -> float:
        """There was no answer: seconds to wait before it is sent again. Raises Unreachable."""
        self._failures += 1
        if not self._ask.repeatable or self._failures >= self._retry.attempts:
            raise unreachable(error) from error
        return self._retry.pause(self._failures)

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> float:
        """The answer is an error: seconds to wait before it is sent again. Raises Problem."""
        self._failures += 1
        problem = problems.of_answer(status, headers, body)
        if not self._ask.repeatable:
            raise problem
        return self._retry.again_after(problem, self._failures)


def unreachable(error: Exception) -> problems.Unreachable:
    """That there was no answer, and why."""
    return problems.Unreachable(f"no answer from the gateway: {str(error) or type(error).__name__}")
