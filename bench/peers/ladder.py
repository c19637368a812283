"""The ladder: a peer is given more and more legs until it no longer holds them, each rung judged alike.

A rung is held when every leg is heard, at most 0.1 % of its packets are missing, the gap error's p99 is under
2 ms and the median leg's clock is right to 1,000 ppm (3.6 s in an hour). A rung that is not held is tried once
more: the machine is not ours alone. Every rung ends: it is broken by a peer that dies, does not answer, or has
not set up its legs in `SETUP_S`.
"""

from __future__ import annotations

import math
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.judge import judge
from bench.peers.peer import OTHER_CPU, Failed, Peer, Recording, Work
from bench.under_test import default_settings
from bench.usage import memory_mb
from bench.window import Watch, Window
from gateway.listen.analysis import by_ssrc
from gateway.listen.content import compare, cut
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import Capture
from gateway.speech.offline import encode_text
from telephony_codecs import LINE_RATE, Law, decode, write_wav

RUNGS: Final = (10, 100, 300, 1000, 2000, 3000, 4000, 5000)
_REFINE: Final = 2
P99_MS: Final = 2.0
LOSS: Final = 0.001
CLOCK_PPM: Final = 1000.0
_PROOF_LEGS: Final = 10
"""On rungs no larger than this the receiver keeps the audio, and each leg's is compared with the file."""

FILE_S: Final = 120
SETUP_S: Final = 90.0
"""For a rung's legs to be set up and flow: the first of them still plays the file when the last is judged."""
_AU_MULAW: Final = 1
_READY_S: Final = 30.0
_RIGHT: Final = 0.999
_SETTLE_S: Final = 2.0
LONGEST_S: Final = FILE_S - SETUP_S - _SETTLE_S
"""That a rung may be judged."""
_EDGE_NS: Final = 1_000_000_000
_TEXT: Final = (
    "This is sentence number {}. Your order has left the warehouse. It should be there in two days. "
)


def write_speech(folder: Path) -> Recording:
    """`FILE_S` seconds of speech: WAV (16 bit, 8 kHz), the mu-law octets that it was decoded from, and .au."""
    octets, sentences = b"", 25
    while len(octets) < FILE_S * LINE_RATE:  # in one go: a voice is opened for each
        text = "".join(_TEXT.format(number) for number in range(1, sentences + 1))
        octets = encode_text(text, None, "PCMU", default_settings())
        sentences *= 2
    octets = octets[: FILE_S * LINE_RATE]
    files = Recording(folder / "speech.wav", folder / "speech.ul", folder / "speech.au")
    write_wav(files.wav, decode(Law.PCMU, np.frombuffer(octets, np.uint8)), LINE_RATE)
    files.ulaw.write_bytes(octets)
    header = struct.pack(">4s5I", b".snd", 24, len(octets), _AU_MULAW, LINE_RATE, 1)
    files.au.write_bytes(header + octets)
    return files


class OutOfTime(Exception):
    """What a peer is given was used up before it had climbed the ladder: before which rung."""


def climb(
    peer: Peer, rungs: Sequence[int], seconds: float, most_s: float = math.inf
) -> Iterator[dict[str, Any]]:
    """Every try: up the rungs, then twice between the highest held and the next.

    Beyond the first that is not held (tried twice) it goes on while all legs are heard, however late. Raises
    Missing, and OutOfTime in place of a try that would begin after ``most_s`` seconds.
    """
    until = time.monotonic() + most_s
    with tempfile.TemporaryDirectory() as folder:
        recording = write_speech(Path(folder))

        def attempt(legs: int) -> dict[str, Any]:
            if time.monotonic() > until:
                raise OutOfTime(f"{most_s / 60:g} minutes were over before {legs:,} legs")
            return rung(peer, legs, seconds, recording)

        held, next_up = 0, 0
        for legs in rungs:
            tried = attempt(legs)
            yield tried
            if tried.get("receiver_drops") or (tried["broke"] and not next_up):
                tried = attempt(legs)
                yield tried
            if not tried["broke"] and not next_up:
                held = legs
            elif not next_up:
                next_up = legs
            if not tried["carried"]:
                break
        for _ in range(_REFINE if next_up else 0):
            between = _rounded((held + next_up) / 2)
            if between in (held, next_up):
                return
            tried = attempt(between)
            yield tried
            held, next_up = (held, between) if tried["broke"] else (between, next_up)


def _rounded(legs: float) -> int:
    """To two figures."""
    step: int = 10 ** max(0, len(str(int(legs))) - 2)
    return round(legs / step) * step


def rung(peer: Peer, legs: int, seconds: float, recording: Recording) -> dict[str, Any]:
    """One try: `legs` legs for `seconds`. What broke is in `broke`, empty for a rung that is held."""
    row: dict[str, Any] = {"way": peer.name, "legs": legs}
    try:
        return row | _rung(peer, legs, seconds, recording)
    except (Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        return row | {"carried": False, "broke": [why]}


def _rung(peer: Peer, legs: int, seconds: float, recording: Recording) -> dict[str, Any]:
    keep = legs <= _PROOF_LEGS and peer.plays
    with (
        tempfile.TemporaryDirectory() as folder,
        ReceiverProcess("0.0.0.0", [0], record=keep, cpu=OTHER_CPU, realtime=True) as receiver,
    ):
        until = time.monotonic() + SETUP_S
        work = Work(legs, "127.0.0.1", receiver.local_ports[0], recording, Path(folder), until)
        try:
            peer.start(work)
            _until_flowing(peer, receiver, work)
            watch = Watch(receiver, {"sender": peer.pids(), "all": peer.all_pids()})
            time.sleep(seconds)
            window = watch.end()
            weight = memory_mb(peer.all_pids())
            peer.alive()
            capture = receiver.stop()  # before the sender ends: what is torn down is not judged
        finally:
            peer.stop()
    found = judge(capture, window)
    found |= {
        "broke_off": broke_off(capture, window),
        "sender_cores": window.cores["sender"],
        "all_cores": window.cores["all"],
        "cpu_us_a_leg_second": round(1e6 * window.cores["sender"] / legs, 1),
        "memory_mb": round(weight, 1),
        "stolen_s": window.stolen_s,
        "load_average": os.getloadavg()[0],
    }
    if keep:
        found["audio"] = _prove(capture, peer.octets(recording))
    not_carried, late = verdict(found, legs)
    return found | {"carried": not not_carried, "broke": not_carried + late}


def broke_off(capture: Capture, window: Window) -> int:
    """Legs of which nothing came in the window's first or last second: `missed` ends with their last packet."""
    return sum(
        int(stream["t_ns"].min()) > window.begin_ns + _EDGE_NS
        or int(stream["t_ns"].max()) < window.end_ns - _EDGE_NS
        for stream in by_ssrc(window.inside(capture.packets))
    )


def _until_flowing(peer: Peer, receiver: ReceiverProcess, work: Work) -> None:
    """Waits until packets come at nine tenths of the rate they should, then a while longer.

    What never gets there is judged all the same, after `_READY_S` (and longer for many legs).
    """
    deadline = min(work.until, time.monotonic() + _READY_S + work.legs / 80)
    before, at = len(receiver), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        peer.alive()
        count, now = len(receiver), time.monotonic()
        if (count - before) / (now - at) > 0.9 * 50 * work.legs:
            break
        before, at = count, now
    time.sleep(_SETTLE_S)


def verdict(found: dict[str, Any], legs: int) -> tuple[list[str], list[str]]:
    """In words: why not all legs are carried, and what is wrong with how they are; nothing for what is well."""
    lost, late = [], []
    if found["receiver_drops"]:
        lost.append(f"the receiver dropped {found['receiver_drops']}: no verdict")
    if found["streams"] != legs:
        lost.append(f"{found['streams']} of {legs} legs heard")
    if found["broke_off"]:
        lost.append(f"{found['broke_off']} legs broke off")
    missing = max(found["lost"], found["missed"])
    due = missing + found["packets"]
    if missing > LOSS * due:
        lost.append(f"{100 * missing / due:.1f} % of packets missing")
    if found["gap_error_ms"]["p99"] >= P99_MS:
        late.append(f"gap error p99 {found['gap_error_ms']['p99']:.2f} ms")
    clock = found["clock_error_ppm_median"]
    if clock is None or clock > CLOCK_PPM:
        late.append("no clock to tell" if clock is None else f"clock {clock:,.0f} ppm off")
    audio = found.get("audio")
    if audio is not None and audio["right"] < _RIGHT:
        late.append(f"{100 * (1 - audio['right']):.1f} % of the audio is not the file's")
    return lost, late


def _prove(capture: Capture, octets: bytes) -> dict[str, Any]:
    """How much of what each leg played is the file, frame for frame."""
    file = cut(octets)
    heard = [compare(stream, capture.payloads, [file]) for stream in by_ssrc(capture.packets)]
    right, holes, missing, wrong = (
        sum(getattr(content, name) for content in heard) for name in ("right", "holes", "missing", "wrong")
    )
    share = right / max(1, right + holes + missing + wrong)
    return {"right": round(share, 4), "frames": right, "holes": holes, "missing": missing, "wrong": wrong}
