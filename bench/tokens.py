"""Streamed text: a language model's tokens, by a trace of their timings, said while they come.

Two questions. How long after the token that completes the first clause is its first packet at the far end? And is
there a hole where there should be none? The legs suppress silence, so a jump of the RTP timestamp is a gap in the
speech. It is a hole when it lies inside a word, or before a word that was written ``_IN_TIME_MS`` before the gap
began and whose clause had begun; otherwise it is a pause that the writer has made.

The trace is drawn, not recorded: twelve answers at 30 to 100 tokens a second with exponential intervals, and two
stalls of 0.5 to 3 s in each. ``python -m bench.tokens`` draws it again.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np

from bench.quantiles import quantiles
from bench.traffic import VOICE, Callers
from gateway.calls.draft import Bounds, Draft
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway
from tts_core.reading import speakable

_TRACE: Final = Path(__file__).parent / "traces" / "tokens.json"
_IN_TIME_MS: Final = 300
_PACKET_MS: Final = 20
_AT_ONCE: Final = 3
_ANSWERS: Final = (
    "Sure, I can help you with that. Your order 4711 left our warehouse on Tuesday, May 5, 2026, and it should "
    "reach you by Friday. Is there anything else that I can do for you?",
    "Let me check that for you. The balance of your account is $1,234.50, and the last payment came in on "
    "March 3. Would you like to hear the last five transactions?",
    "Thank you for waiting. Dr. Smith has time at 10:30 a.m. on Monday, or at half past four on Wednesday. "
    "Which of the two would be better for you?",
    "I am sorry to hear that. A technician can come by tomorrow between 8 and 12, but somebody has to be there. "
    "May I book that for you now?",
    "Of course. To change the address, I need your customer number, which has eight digits and is at the top of "
    "every bill that we have sent to you. Please say it now.",
    "The next train to London leaves at 14:05 from platform 3. It takes 2 hours and 20 minutes, and a second "
    "class ticket costs 48 pounds. Shall I hold a seat?",
)


def draw(seed: int = 1) -> list[dict[str, Any]]:
    """A trace: of each answer its tokens, and when each comes, in ms."""
    chance = random.Random(seed)
    trace = []
    for number in range(2 * len(_ANSWERS)):
        text = _ANSWERS[number % len(_ANSWERS)]
        tokens = [piece for word in re.findall(r" ?\w+|\W", text) for piece in re.findall(r".{1,6}", word)]
        rate = chance.uniform(30, 100)
        stalls = set(chance.sample(range(len(tokens) // 3, len(tokens)), 2))
        at, times = 0.0, []
        for index in range(len(tokens)):
            at += chance.expovariate(rate) * 1000 + (chance.uniform(500, 3000) if index in stalls else 0)
            times.append(round(at, 1))
        trace.append({"tokens": tokens, "at_ms": times})
    return trace


@dataclass(slots=True)
class _Told:
    """What the writer of one answer knows. ``sent_ns``: when each character was sent."""

    ssrc: int = 0
    sent_ns: list[int] = field(default_factory=list)
    speakable_ns: int = 0
    words: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)


async def _write(url: str, call: dict[str, Any], answer: dict[str, Any]) -> _Told:
    told = _Told(call["rtp"]["ssrc"])
    draft = Draft(partial(speakable, language="en-us"), Bounds(20_000, 20_000, 20_000, 0))
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url.replace('http', 'ws')}/v1/calls/{call['id']}/speech") as socket,
    ):
        listening = asyncio.create_task(_listen(socket, told))
        await socket.send_json({"type": "open", "id": "answer"})
        begin = time.monotonic()
        for token, at_ms in zip(answer["tokens"], answer["at_ms"], strict=True):
            await asyncio.sleep(max(0.0, begin + at_ms / 1000 - time.monotonic()))
            now_ns = time.monotonic_ns()
            if draft.write(token, None, now_ns) is not None and not told.speakable_ns:
                told.speakable_ns = now_ns
            told.sent_ns += [now_ns] * len(token)
            await socket.send_json({"type": "text", "id": "answer", "text": token})
        await socket.send_json({"type": "end", "id": "answer"})
        await asyncio.wait_for(listening, 60)
    return told


async def _listen(socket: aiohttp.ClientWebSocketResponse, told: _Told) -> None:
    async for message in socket:
        news = json.loads(message.data)
        if news["type"] == "word":
            told.words.append(news)
        elif news["type"] == "error":
            raise RuntimeError(news["detail"])
        elif news["type"] == "finished":
            told.end = news
            return


def _gaps(told: _Told, packets: np.ndarray[Any, Any], text: str) -> tuple[int, int]:
    """(holes, pauses) of one answer."""
    mine = packets[packets["ssrc"] == told.ssrc]
    jumps = np.flatnonzero(np.diff(mine["timestamp"].astype(np.int64)) > _PACKET_MS * 8)
    holes = 0
    for index in jumps.tolist():
        at_ms, since_ns = (index + 1) * _PACKET_MS, int(mine["t_ns"][index]) + _PACKET_MS * 1_000_000
        inside = any(w["start_ms"] + _PACKET_MS < at_ms < w["end_ms"] - _PACKET_MS for w in told.words)
        behind = next((w for w in told.words if w["start_ms"] >= at_ms - _PACKET_MS), None)
        if behind is None:
            holes += inside
            continue
        before = text[: behind["char_start"]].rstrip()[-1:]
        written_ms = (since_ns - told.sent_ns[behind["char_end"] - 1]) / 1e6
        holes += inside or (before.isalnum() and written_ms > _IN_TIME_MS)
    return holes, len(jumps) - holes


async def _measure(voice: str) -> dict[str, Any]:
    trace = json.loads(_TRACE.read_text())
    with RunningGateway() as gateway, ReceiverProcess("127.0.0.1", [0]) as receiver:
        callers = Callers(gateway.url, receiver.local_ports, voice=voice)
        await callers.say((await callers.open())["id"], "Warm.")
        turns = asyncio.Semaphore(_AT_ONCE)

        async def take_turn(answer: dict[str, Any]) -> _Told:
            async with turns:
                return await _write(gateway.url, await callers.open(silence="suppress"), answer)

        all_told = await asyncio.gather(*map(take_turn, trace))
        await asyncio.sleep(0.2)
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    first = []
    holes = pauses = 0
    for told, answer in zip(all_told, trace, strict=True):
        arrived = capture.packets["t_ns"][capture.packets["ssrc"] == told.ssrc]
        first.append((int(arrived.min()) - told.speakable_ns) / 1e6)
        found = _gaps(told, capture.packets, "".join(answer["tokens"]))
        holes, pauses = holes + found[0], pauses + found[1]
    return {
        "voice": voice,
        "answers": len(trace),
        "tokens": sum(len(answer["tokens"]) for answer in trace),
        "first_speakable_clause_to_first_packet_ms": quantiles(first, "p50", "max"),
        "holes": holes,
        "pauses_of_the_writer": pauses,
        "underruns": sum(told.end["underruns"] for told in all_told),
        "said_to_the_end": sum(told.end["state"] == "finished" for told in all_told),
    }


def run(voice: str = VOICE) -> dict[str, Any]:
    """The trace's answers, each on a leg of its own, three at once."""
    return asyncio.run(_measure(voice))


if __name__ == "__main__":
    _TRACE.write_text(json.dumps(draw(), ensure_ascii=False, indent=0) + "\n")
