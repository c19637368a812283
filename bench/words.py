"""First word and last word: how soon speech is on the wire after a request, and how soon it is off again.

Both are judged at the receiving socket by kernel timestamps, on the clock that the requests are timed with
(CLOCK_MONOTONIC). The legs suppress silence, so every packet that arrives is speech.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

import numpy as np

from bench.quantiles import quantiles
from bench.traffic import PARAGRAPH, VOICE, Callers, texts
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_FRAME_MS: Final = 20
_QUIET_SECONDS: Final = 0.3


async def _first_words(callers: Callers, count: int) -> list[tuple[int, int, float]]:
    """``count`` fresh texts, one after the other: (SSRC, time of the request, the API's first_audio_ms)."""
    asked = []
    for number in range(count):
        call = await callers.open(silence="suppress")
        await asyncio.sleep(random.uniform(0.02, 0.06))  # no particular place in the leg's packet time
        begin_ns = time.monotonic_ns()
        said = await callers.say(call["id"], f"Your code is {number:04d}. {PARAGRAPH}")
        await asyncio.sleep(_QUIET_SECONDS)
        path = f"/v1/calls/{call['id']}"
        heard = await callers.ask("GET", f"{path}/utterances/{said['id']}")
        asked.append((call["rtp"]["ssrc"], begin_ns, heard["first_audio_ms"] or float("nan")))
        await callers.ask("DELETE", path)
    return asked


async def _measure_first(legs: int, count: int, voice: str) -> dict[str, Any]:
    with RunningGateway() as gateway, ReceiverProcess("127.0.0.1", [0] * 4) as receiver:
        callers = Callers(gateway.url, receiver.local_ports, voice=voice)
        repeats = int((count * 0.5 + legs / 100) // 20 + 2)
        await callers.open_speaking(legs, texts(20), repeats)
        asked = await _first_words(callers, count)
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    on_the_wire = []
    for ssrc, begin_ns, _ in asked:
        arrived = capture.packets["t_ns"][capture.packets["ssrc"] == ssrc]
        on_the_wire.append((int(arrived.min()) - begin_ns) / 1e6 if len(arrived) else float("nan"))
    return {
        "voice": voice,
        "legs_speaking": legs,
        "requests": count,
        "request_to_first_packet_ms": quantiles(on_the_wire),
        "api_first_audio_ms": quantiles([reported for _, _, reported in asked]),
    }


def first_word(legs: int, count: int, voice: str) -> dict[str, Any]:
    """Request to first speech packet at the far end, ``legs`` others speaking; fresh texts, none cached."""
    return asyncio.run(_measure_first(legs, count, voice))


async def _measure_cut(count: int) -> dict[str, Any]:
    with RunningGateway() as gateway, ReceiverProcess("127.0.0.1", [0] * 4) as receiver:
        callers = Callers(gateway.url, receiver.local_ports)
        cuts = []
        for number in range(count):
            call = await callers.open(silence="suppress")
            path = f"/v1/calls/{call['id']}"
            await callers.say(call["id"], f"Message {number}. {PARAGRAPH}")
            await asyncio.sleep(random.uniform(0.4, 1.2))
            begin_ns = time.monotonic_ns()
            stopped = (await callers.ask("POST", f"{path}/stop", {"scope": "all"}))["stopped"]
            answered_ms = (time.monotonic_ns() - begin_ns) / 1e6
            await asyncio.sleep(_QUIET_SECONDS)
            await callers.ask("DELETE", path)
            cuts.append((call["rtp"]["ssrc"], begin_ns, answered_ms, stopped[0]["spoken_ms"]))
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    whole_ms, faded_ms, exact = [], [], 0
    for ssrc, begin_ns, _, spoken_ms in cuts:
        arrived = np.sort(capture.packets["t_ns"][capture.packets["ssrc"] == ssrc])
        whole, faded = (arrived[-2:] - begin_ns) / 1e6  # in the last it dies away, which does not count
        whole_ms.append(whole)
        faded_ms.append(faded)
        exact += (len(arrived) - 1) * _FRAME_MS == spoken_ms
    return {
        "voice": VOICE,
        "cuts": count,
        "stop_to_last_whole_packet_ms": quantiles(whole_ms),
        "stop_to_faded_packet_ms": quantiles(faded_ms),
        "stop_answered_ms": quantiles([answered for _, _, answered, _ in cuts]),
        "spoken_ms_equals_what_arrived": f"{exact} of {count}",
    }


def cut(count: int) -> dict[str, Any]:
    """Stop request to the last packet of whole speech, and to the one in which it dies away, at the far end.

    Negative: it left before the request.
    """
    return asyncio.run(_measure_cut(count))
