"""The ladder: a peer is given more and more legs until it no longer holds them, each rung judged alike.

A rung is held when every leg is heard, at most 0.1 % of its packets are missing, the gap error's p99 is under
2 ms and the median leg's clock is right to 1,000 ppm (3.6 s in an hour). A rung that is not held is tried once
more: the machine is not ours alone.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.judge import cpu_seconds, judge, memory_mb
from bench.machine import stolen_seconds
from bench.peers.peer import OTHER_CPU, Failed, Peer, Recording, Work
from bench.under_test import default_settings
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
_AU_MULAW: Final = 1
_READY_S: Final = 30.0
_RIGHT: Final = 0.999
_SETTLE_S: Final = 2.0
_TEXT: Final = (
    "This is sentence number {}. Your order has left the warehouse. It should be there in two days. "
)


def write_speech(folder: Path) -> Recording:
    """`FILE_S` seconds of speech: WAV (16 bit, 8 kHz), the mu-law octets that it was decoded from, and .au."""
    octets, number = b"", 0
    while len(octets) < FILE_S * LINE_RATE:
        number += 1
        octets += encode_text(_TEXT.format(number), None, "PCMU", default_settings())
    octets = octets[: FILE_S * LINE_RATE]
    files = Recording(folder / "speech.wav", folder / "speech.ul", folder / "speech.au")
    write_wav(files.wav, decode(Law.PCMU, np.frombuffer(octets, np.uint8)), LINE_RATE)
    files.ulaw.write_bytes(octets)
    header = struct.pack(">4s5I", b".snd", 24, len(octets), _AU_MULAW, LINE_RATE, 1)
    files.au.write_bytes(header + octets)
    return files


def climb(peer: Peer, rungs: Sequence[int], seconds: float) -> Iterator[dict[str, Any]]:
    """Every try: up the rungs, then twice between the highest held and the next. Raises Missing.

    Beyond the first that is not held (tried twice) it goes on while all legs are heard, however late.
    """
    with tempfile.TemporaryDirectory() as folder:
        recording = write_speech(Path(folder))
        held, next_up = 0, 0
        for legs in rungs:
            tried = rung(peer, legs, seconds, recording)
            yield tried
            if tried.get("receiver_drops") or (tried["broke"] and not next_up):
                tried = rung(peer, legs, seconds, recording)
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
            tried = rung(peer, between, seconds, recording)
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
    except (Failed, RuntimeError, TimeoutError) as error:
        return row | {"carried": False, "broke": [" ".join(str(error).split())]}


def _rung(peer: Peer, legs: int, seconds: float, recording: Recording) -> dict[str, Any]:
    keep = legs <= _PROOF_LEGS and peer.plays
    with (
        tempfile.TemporaryDirectory() as folder,
        ReceiverProcess("0.0.0.0", [0], record=keep, cpu=OTHER_CPU, realtime=True) as receiver,
    ):
        work = Work(legs, "127.0.0.1", receiver.local_ports[0], recording, Path(folder))
        try:
            peer.start(work)
            _until_flowing(peer, receiver, legs)
            stolen_s, begin_ns = stolen_seconds(), time.monotonic_ns()
            before, before_all = cpu_seconds(*peer.pids()), cpu_seconds(*peer.all_pids())
            time.sleep(seconds)
            took_s = (time.monotonic_ns() - begin_ns) / 1e9
            used = (cpu_seconds(*peer.pids()) - before) / took_s
            used_all = (cpu_seconds(*peer.all_pids()) - before_all) / took_s
            end_ns, stolen_s = time.monotonic_ns(), stolen_seconds() - stolen_s
            weight = memory_mb(peer.all_pids())
            peer.alive()
            capture = receiver.stop()  # before the sender ends: what is torn down is not judged
        finally:
            peer.stop()
    packets = capture.packets
    window = packets[(packets["t_ns"] > begin_ns) & (packets["t_ns"] < end_ns)]
    found = judge(capture, window)
    found |= {
        "sender_cores": round(used, 3),
        "all_cores": round(used_all, 3),
        "cpu_us_a_leg_second": round(1e6 * used / legs, 1),
        "memory_mb": round(weight, 1),
        "stolen_s": round(stolen_s, 2),
        "load_average": os.getloadavg()[0],
    }
    if keep:
        found["audio"] = _prove(capture, peer.octets(recording))
    not_carried, late = verdict(found, legs)
    return found | {"carried": not not_carried, "broke": not_carried + late}


def _until_flowing(peer: Peer, receiver: ReceiverProcess, legs: int) -> None:
    """Waits until packets come at nine tenths of the rate they should, then a while longer.

    What never gets there is judged all the same, after `_READY_S` (and longer for many legs).
    """
    deadline = time.monotonic() + _READY_S + legs / 80
    before, at = len(receiver), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        peer.alive()
        count, now = len(receiver), time.monotonic()
        if (count - before) / (now - at) > 0.9 * 50 * legs:
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
