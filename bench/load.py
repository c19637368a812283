"""Call load: Locust's callers (`bench/locustfile.py`) on a gateway, more at each step, until a level breaks.

The callers' own journal says what each call was to hear and when; a receiver says what was heard: every call's
octets are held against its texts, and the first packet of every utterance against its request. The media worker
has one core; the rest of the gateway has the other. Locust, SIPp (which answers the SIP calls) and the receiver
use what the media worker leaves of its core: it runs in real time and does not wait for them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.judge import judge
from bench.peers.answering import Answering
from bench.peers.peer import OTHER_CPU, SENDER_CPU, Missing, die_with_parent
from bench.quantiles import quantiles
from bench.under_test import default_settings, processes
from bench.window import Watch, Window
from gateway.listen.analysis import by_ssrc
from gateway.listen.content import FRAME, Content, audible, compare, cut
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import Capture
from gateway.listen.store import Records
from gateway.media.fades import Fades
from gateway.ring import UNIT_OCTETS
from gateway.running import RunningGateway
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from telephony_codecs import LINE_RATE, Law
from tts_core import open_default

PROFILES: Final = {"30000-a-day": 125, "200-concurrent": 200}
"""Named loads, in calls at once. 30,000 calls a day of 3 minutes, with a peak hour of twice the mean: 125."""

STEPS: Final = (125, 200, 300, 400, 500, 600, 800, 1000)
FIRST_AUDIO_P95_MS: Final = 200.0
GAP_P99_MS: Final = 2.0
_LOCUSTFILE: Final = Path(__file__).parent / "locustfile.py"
_OPENED_A_SECOND: Final = 20  # the locustfile's
_PATIENCE_S: Final = 20.0  # the locustfile's
_END_S: Final = 30.0


class Script:
    """What the gateway makes of a text with a voice, its default one if not told, without a gateway."""

    def __init__(self, voice: str | None = None) -> None:
        settings = default_settings()
        self._voice = voice or settings.default_voice
        door = open_default(settings.voices_folder, settings.neural_runtime)
        self._source = VoiceSource(door, settings.level_dbm0, self._voice)
        self._made: dict[str, bytes] = {}

    def octets(self, text: str) -> bytes:
        """The PCMU octets of a text."""
        if text not in self._made:
            recipe = Recipe("text", text, None, self._voice, 1.0, 0.0, "PCMU", 20)
            self._made[text] = b"".join(stretch.payload for stretch in self._source(recipe))
        return self._made[text]

    def heard(self, text: str, spoken_ms: int, *, stopped: bool) -> bytes:
        """The octets of so much of a text; when it was cut, the packet in which it dies away besides."""
        octets = self.octets(text)
        heard, rest = octets[: 8 * spoken_ms], octets[8 * spoken_ms :][:UNIT_OCTETS]
        if not stopped or not rest:
            return heard
        fades, last = Fades(), np.full((1, FRAME), Law.PCMU.silence, np.uint8)
        fades.fall(0, np.frombuffer(rest, np.uint8), alaw=False)
        fades.mix(last, np.zeros(1, np.bool_), np.zeros(1, np.bool_))
        return heard + last.tobytes()


def climb(steps: Sequence[int], seconds: float, compress: float) -> Iterator[dict[str, Any]]:
    """Every try at every step, until one breaks a level twice. Raises Missing without Locust or SIPp."""
    script = Script()
    for calls in steps:
        for _ in range(2):
            row = step(calls, seconds, compress, script)
            yield row
            if not row["broke"]:
                break
        else:
            return


def step(calls: int, seconds: float, compress: float, script: Script) -> dict[str, Any]:
    """About ``calls`` calls at once for ``seconds``; ``broke`` says which levels did not hold."""
    fill_s = calls / _OPENED_A_SECOND
    settings = {
        "media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "rtp_ports": "16000-21999",
        "sip_listen": "127.0.0.1:0",
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as name,
        RunningGateway(cpus=(OTHER_CPU,), **settings) as gateway,
        ReceiverProcess("127.0.0.1", [0], record=True, cpu=SENDER_CPU, realtime=True) as receiver,
    ):
        folder = Path(name)
        journal = folder / "journal"
        answering = Answering(receiver.local_ports[0], folder, SENDER_CPU)
        callers = _locust(
            folder, "--host", gateway.url, "--calls", calls, "--rtp", f"127.0.0.1:{receiver.local_ports[0]}",
            "--sip", f"sip:x@{answering.place}", "--compress", compress, "--load-seconds", fill_s + seconds + 3,
            "--journal", journal,
        )  # fmt: skip
        try:
            _until_begun(callers, journal, folder)
            time.sleep(fill_s + 2)
            watch = Watch(receiver, processes(gateway))
            time.sleep(seconds)
            window = watch.end()
            ended = callers.wait(_END_S + 180 / compress + _PATIENCE_S)
            if ended not in (0, 1):  # 1: Locust's own way to say that a request or a level failed
                raise RuntimeError(f"Locust ended with {ended}: {(folder / 'locust.log').read_text()[-400:]}")
            capture = receiver.stop()
        finally:
            callers.kill()
            callers.wait()
            answering.stop()
        notes = [json.loads(line) for line in journal.read_text().splitlines()]
    row: dict[str, Any] = {
        "profile": next((name for name, load in PROFILES.items() if load == calls), f"{calls} calls"),
        "asked": calls,
        "compress": compress,
        "cores": dict(window.cores),
        "cores_used": round(sum(window.cores.values()), 3),
        "stolen_s": window.stolen_s,
        "load_average": os.getloadavg()[0],
    }
    row |= account(notes, capture, window, script)
    return row | {"broke": broken(row)}


def _locust(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "-u", "1", "-r", "1",
                "--only-summary", *map(str, arguments),
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, preexec_fn=die_with_parent,
        )  # fmt: skip
    os.sched_setaffinity(process.pid, {SENDER_CPU})
    return process


def _until_begun(callers: subprocess.Popen[bytes], journal: Path, folder: Path) -> None:
    deadline = time.monotonic() + _END_S
    while not journal.exists():
        if callers.poll() is not None or time.monotonic() > deadline:
            said = (folder / "locust.log").read_text()[-400:]
            if "No module named locust" in said:
                raise Missing("not installed: pip install 'voxtrunk[load]' (scripts/peers does it)")
            raise RuntimeError(f"Locust did not begin: {said}")
        time.sleep(0.1)


def account(
    notes: Sequence[dict[str, Any]], capture: Capture, window: Window, script: Script
) -> dict[str, Any]:
    """What the callers asked for and heard. Utterances count whose request lies in the window."""
    streams = {int(stream["ssrc"][0]): stream for stream in by_ssrc(capture.packets)}
    said = {
        note["ssrc"]: [
            cut(script.heard(u["text"], u["spoken_ms"], stopped=u["state"] == "stopped"))
            for u in note["utterances"]
        ]
        for note in notes
        if "ssrc" in note
    }
    everybody = audible(np.concatenate([cut(b""), *(cut(octets) for octets in script._made.values())]))
    heard: list[Content] = []
    first_ms: list[float] = []
    unheard = 0
    for note in notes:
        if note["error"] or "ssrc" not in note:
            continue
        stream = streams.get(note["ssrc"], capture.packets[:0])
        heard.append(compare(stream, capture.payloads, said[note["ssrc"]], everybody))
        asked = [u["asked_ns"] for u in note["utterances"] if window.holds(u["asked_ns"])]
        waits = [first_packet_ms(stream, ns) for ns in asked]
        first_ms += [wait for wait in waits if wait is not None]
        unheard += waits.count(None)
    up_s = sum(
        max(0, min(note["ended_ns"], window.end_ns) - max(note["opened_ns"], window.begin_ns))
        for note in notes
    )
    received = judge(capture, window)
    del received["missed"]  # between utterances there is silence, by rights
    return {
        "calls": len(notes),
        "sip_calls": sum(note["sip"] for note in notes),
        "failed": sum(bool(note["error"]) for note in notes),
        **refusals(notes, window),
        "failures": sorted({str(note["error"])[:160] for note in notes if note["error"]})[:5],
        "utterances": len(first_ms) + unheard,
        "fresh": sum(u["fresh"] for note in notes for u in note["utterances"]),
        "cut_off": sum(u["state"] == "stopped" for note in notes for u in note["utterances"]),
        "unheard": unheard,
        "first_audio_ms": quantiles(first_ms, "p50", "p95", "p99"),
        "calls_at_once": round(up_s / (window.end_ns - window.begin_ns)),
        "legs_speaking": round(len(window.inside(capture.packets)) * 0.02 / window.seconds),
        "underruns": sum(u["underruns"] for note in notes for u in note["utterances"]),
        "compared_s": round(sum(content.right for content in heard) * 160 / LINE_RATE),
        "holes": sum(content.holes for content in heard),
        "missing": sum(content.missing + content.unsaid for content in heard),
        "wrong_leg": sum(content.wrong_leg for content in heard),
        "wrong": sum(content.wrong for content in heard),
    } | received


def refusals(notes: Sequence[dict[str, Any]], window: Window) -> dict[str, int]:
    """503 in the window, and besides: who was refused came again, and what that took is in his first audio."""
    at = [ns for note in notes for ns in note["refused_ns"]]
    inside = sum(map(window.holds, at))
    return {"refused": inside, "refused_besides": len(at) - inside}


def first_packet_ms(stream: Records, asked_ns: int) -> float | None:
    """Request to the first packet after it. Between utterances nothing is sent, so it is the utterance's."""
    after = stream["t_ns"][stream["t_ns"] >= asked_ns]
    return (int(after.min()) - asked_ns) / 1e6 if len(after) else None


def broken(row: dict[str, Any]) -> list[str]:
    """Which levels did not hold, in words."""
    why = []
    if row["receiver_drops"]:
        why.append(f"the receiver dropped {row['receiver_drops']}: no verdict")
    if row["failed"]:
        why.append(f"{row['failed']} of {row['calls']} calls failed: {row['failures'][0]}")
    if row["refused"]:
        why.append(f"{row['refused']} requests refused")
    if row["unheard"]:
        why.append(f"{row['unheard']} utterances never began")
    p95 = row["first_audio_ms"]["p95"]
    if not p95 <= FIRST_AUDIO_P95_MS:
        why.append(f"first audio p95 {p95} ms")
    if row["holes"] or row["missing"]:
        why.append(f"{row['holes']} frames of silence in speech, {row['missing']} missing")
    if row["wrong_leg"] or row["wrong"]:
        why.append(f"{row['wrong_leg']} frames of another leg, {row['wrong']} of nobody")
    if row["gap_error_ms"]["p99"] >= GAP_P99_MS:
        why.append(f"gap error p99 {row['gap_error_ms']['p99']} ms")
    if row["calls_at_once"] < 0.85 * row["asked"]:
        why.append(f"only {row['calls_at_once']} calls came to be up at once")
    return why
