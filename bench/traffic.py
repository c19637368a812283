"""Callers for the benches: many calls through the control API of one gateway, as its users make them.

By aiohttp, because its client costs a quarter of httpx's, and it shares a core with what it measures.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

_AT_ONCE: Final = 16
_PATIENCE_S: Final = 60.0
"""How long one who is refused for now comes again."""
VOICE: Final = "espeak:en-us"
"""Who speaks where a bench is about packets: it costs the cores least, and earlier results had it."""

PARAGRAPH: Final = (
    "Thank you for calling. Your call is important to us, and somebody will be with you shortly. "
    "While you wait, you may be glad to hear that your order has left the warehouse this morning, "
    "and that it should reach you within two working days. If you want to change the time of delivery, "
    "press one. To speak to somebody about your bill, press two. For everything else, please hold the line. "
)


def texts(count: int, paragraphs: int = 1) -> list[str]:
    """Different texts, each of about ``PARAGRAPH_SECONDS`` a paragraph."""
    return [f"This is message number {n}. {PARAGRAPH * paragraphs}" for n in range(1, count + 1)]


PARAGRAPH_SECONDS: Final = 20


class Refused(RuntimeError):
    """503: not now, but after so many seconds (RFC 9110 10.2.3, Retry-After)."""

    def __init__(self, said: str, retry_after: float) -> None:
        super().__init__(said)
        self.retry_after = retry_after


@dataclass(slots=True)
class Times:
    """Answer times of API requests in ms, and what went wrong."""

    answered_ms: list[float] = field(default_factory=list)
    refused: int = 0
    """Answers of 503, after which the caller came again."""
    first_audio_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Callers:
    """A client of the gateway at ``url`` whose calls go to ``ports`` of 127.0.0.1, in turn.

    ``apart``: each call goes to a loopback address of its own (127.1.0.1 and on) instead, as calls to different
    peers do; a receiver on 0.0.0.0 hears them all.
    """

    def __init__(self, url: str, ports: Sequence[int], *, apart: bool = False, voice: str = VOICE) -> None:
        self._voice = voice
        connector = aiohttp.TCPConnector(limit=_AT_ONCE)
        self._http = aiohttp.ClientSession(url, connector=connector, timeout=aiohttp.ClientTimeout(30))
        first = int(ipaddress.IPv4Address("127.1.0.1"))
        addresses = (str(ipaddress.IPv4Address(n)) for n in itertools.count(first))
        self._targets = zip(
            addresses if apart else itertools.repeat("127.0.0.1"), itertools.cycle(ports), strict=False
        )
        self.times = Times()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; its time is noted. Raises RuntimeError with the problem's detail, or Refused."""
        begin = time.perf_counter()
        async with self._http.request(method, path, json=body) as answer:
            said = await answer.text()
        self.times.answered_ms.append(1000 * (time.perf_counter() - begin))
        if answer.status == 503 and "Retry-After" in answer.headers:
            raise Refused(f"{method} {path}: 503 {said}", float(answer.headers["Retry-After"]))
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status} {said}")
        return json.loads(said)

    async def insist(self, method: str, path: str, body: Any = None) -> Any:
        """`ask`, and who is refused comes again when he was told to, for a minute: as a caller would."""
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return await self.ask(method, path, body)
            except Refused as refused:
                if time.monotonic() + refused.retry_after > give_up:
                    raise
                self.times.refused += 1
                await asyncio.sleep(refused.retry_after)

    async def text(self, path: str) -> str:
        """What is at a path, as it is."""
        async with self._http.get(path) as answer:
            return await answer.text()

    async def open(self, **more: Any) -> dict[str, Any]:
        """A new call."""
        address, port = next(self._targets)
        order = {"rtp": {"address": address, "port": port}, "voice": self._voice} | more
        call: dict[str, Any] = await self.insist("POST", "/v1/calls", order)
        return call

    async def say(self, call_id: str, text: str, **more: Any) -> dict[str, Any]:
        """Queue a text on a call."""
        said: dict[str, Any] = await self.insist(
            "POST", f"/v1/calls/{call_id}/utterances", {"text": text} | more
        )
        return said

    async def open_speaking(self, count: int, texts: Sequence[str], repeats: int) -> list[dict[str, Any]]:
        """``count`` calls, each saying one of the texts ``repeats`` times in a row."""
        return await self._open_each(
            count, lambda number: [{"text": texts[number % len(texts)]} for _ in range(repeats)]
        )

    async def open_playing(self, count: int, prompt: str, repeats: int = 1) -> list[dict[str, Any]]:
        """``count`` calls, each playing a prompt ``repeats`` times in a row: no speech is to be made for them."""
        return await self._open_each(count, lambda _: [{"prompt": prompt}] * repeats)

    async def _open_each(
        self, count: int, said: Callable[[int], list[dict[str, str]]]
    ) -> list[dict[str, Any]]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> dict[str, Any]:
            async with gate:
                call = await self.open()
                for each in said(number):
                    await self.insist("POST", f"/v1/calls/{call['id']}/utterances", each)
                return call

        return await asyncio.gather(*map(one, range(count)))

    async def churn(self, a_second: float, until: float) -> int:
        """Calls that are created, speak a text of their own, are stopped and deleted, until CLOCK_MONOTONIC
        ``until``; ``a_second`` API requests a second in all. Returns the calls made."""
        pause = 5 / a_second  # five requests a call
        made = 0
        tasks: set[asyncio.Task[None]] = set()
        while (now := time.monotonic()) < until:
            made += 1
            task = asyncio.create_task(self._one_churn(made, pause))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(pause - (time.monotonic() - now))
        await asyncio.gather(*tasks)
        return made

    async def _one_churn(self, number: int, pause: float) -> None:
        try:
            call = await self.open()
            said = await self.say(call["id"], f"Caller {number}, you are next. {PARAGRAPH}")
            path = f"/v1/calls/{call['id']}"
            await asyncio.sleep(4 * pause)
            heard = await self.ask("GET", f"{path}/utterances/{said['id']}")
            if heard["first_audio_ms"] is not None:
                self.times.first_audio_ms.append(heard["first_audio_ms"])
            await self.ask("POST", f"{path}/stop", {"scope": "all"})
            await self.ask("DELETE", path)
        except (RuntimeError, aiohttp.ClientError, TimeoutError) as error:
            self.times.errors.append(str(error))
