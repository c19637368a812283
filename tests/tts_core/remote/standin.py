"""A stand-in for the providers, which cannot be had here: one HTTP server that speaks the shapes of all five.

    python standin.py          prints its ports, of HTTP and of WebSockets (`standin_sockets`);
                               GET /log tells what it was asked

The voice that is asked for says how it answers: "TIMBRE.DEED" or "TIMBRE.DEED.COUNT", the deed for the first
COUNT requests of that voice; "TIMBRE.later-COUNT" fails after so many. Timbres: "low" and "high" say each word as
a tone of its own (see `hz`), so that an ear can tell who said what; "espeak" speaks. Deeds are what the functions
below are called.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import socket
import struct
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soxr

from telephony_codecs import Law, encode
from tts_core import EspeakEngine, Script

KEY = "k-of-the-stand-in"
SSML = "{http://www.w3.org/2001/10/synthesis}"
VOCABULARY = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet",
              "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra",
              "tango")  # fmt: skip
LOWEST = {"low": 300.0, "high": 900.0}
GAP_S = 0.06


def hz(timbre: str, word: str) -> float:
    """The tone of a word: 25 Hz apart, the timbres 600 Hz."""
    return LOWEST[timbre] + 25 * VOCABULARY.index(word)


def tones(timbre: str, text: str, rate: int) -> tuple[np.ndarray, list[float]]:
    """The words of `text` as int16[n], and the second at which each of its characters begins.

    A word is as long as its letters ask for, give or take a sixth; a gap follows.
    """
    pieces, starts, at = [np.zeros(rate // 50)], [], 0.02
    for word in text.split(" "):
        bare = "".join(filter(str.isalpha, word)).lower()
        seconds = (len(word) + 1) / 15 * random.Random(bare).uniform(0.85, 1.15) - GAP_S
        t = np.arange(int(seconds * rate)) / rate
        edge = np.minimum(1, np.minimum(t, seconds - t) / 0.005)
        pieces += [0.15 * edge * np.sin(2 * np.pi * hz(timbre, bare) * t), np.zeros(int(GAP_S * rate))]
        starts += [at + seconds * n / len(word) for n in range(len(word))]
        at = sum(map(len, pieces)) / rate
        starts.append(at - GAP_S)
    return np.round(np.concatenate(pieces) * 32767).astype(np.int16), starts[: len(text)]


class Speaker:
    """espeak in a thread of its own; one request at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._engine = self._thread.submit(EspeakEngine)

    def say(self, text: str, rate: int, speed: float) -> tuple[np.ndarray, list[float]]:
        engine = self._engine.result()
        speech = self._thread.submit(
            lambda: list(engine.speak(Script.from_text(text), "espeak:en-us", speed))
        )
        chunks = speech.result()
        own = chunks[0].sample_rate if chunks else 22050
        pcm = np.concatenate([chunk.pcm for chunk in chunks] or [np.zeros(own // 10, np.int16)])
        starts, words = [0.0] * len(text), [word for chunk in chunks for word in chunk.words]
        for word in words:
            spread = np.linspace(word.start_sample, word.end_sample, word.char_end - word.char_start, False)
            starts[word.char_start : word.char_end] = (spread / own).tolist()
        starts = list(itertools.accumulate(starts, max))
        return soxr.resample(pcm, own, rate), starts


def parts(
    speaker: Speaker, timbre: str, text: str, form: str, speed: float, piece_s: float = 0.1
) -> list[tuple[bytes, str, list[float]]]:
    """An answer in pieces of so much audio, and the characters that begin in each, with their seconds."""
    rate = 24000 if form == "pcm24" else 8000
    pcm, starts = speaker.say(text, rate, speed) if timbre == "espeak" else tones(timbre, text, rate)
    size = int(piece_s * rate) * (5 if timbre == "espeak" else 1)
    pieces = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    law = Law.PCMA if form in ("alaw", "timed-a") else Law.PCMU
    found = []
    for number, piece in enumerate(pieces):
        octets = piece.astype("<i2").tobytes() if form == "pcm24" else encode(law, piece).tobytes()
        until = 1e9 if number == len(pieces) - 1 else (number + 1) * size / rate
        mine = [n for n, start in enumerate(starts) if number * size / rate <= start < until]
        found.append((octets, "".join(text[n] for n in mine), [starts[n] for n in mine]))
    return found


def cartesia(version: str, asked: dict[str, Any]) -> tuple[str, str, str, float]:
    """(voice, text, form, speed) of what Cartesia is asked for, by HTTP or over a socket."""
    assert version == "2025-04-16"
    assert asked["model_id"]
    assert asked["language"] == "en"
    assert asked["voice"]["mode"] == "id"
    out = asked["output_format"]
    assert (out["container"], out["sample_rate"]) == ("raw", 8000)
    form = {"pcm_mulaw": "mulaw", "pcm_alaw": "alaw"}[out["encoding"]]
    return asked["voice"]["id"], asked["transcript"], form, asked.get("generation_config", {}).get("speed", 1)


def wave(pcm: np.ndarray, rate: int) -> bytes:
    """int16[n] as a WAV file."""
    data = pcm.astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    return (
        struct.pack("<4sI8sI", b"RIFF", 36 + len(data), b"WAVEfmt ", 16)
        + form
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._whole(200, "application/json", json.dumps(self.server.asked).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        address = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(address.query).items()}
        try:
            voice, text, form, speed = self._asked(address.path, query, body)
        except (KeyError, ValueError, AssertionError, ET.ParseError) as error:
            self.server.asked.append({"path": address.path, "refused": repr(error)})
            self._whole(400, "application/json", json.dumps({"detail": repr(error)}).encode())
            return
        timbre, deed = self.server.deed(voice)
        self.server.asked.append(
            {"path": address.path, "voice": voice, "text": text, "form": form, "at": time.time(),
             "connection": self.client_address[1], "speed": speed,
             "key": KEY in str(self.headers), "body": body.decode(), "query": query}
        )  # fmt: skip
        try:
            getattr(self, f"_{deed}")(timbre, text, form, speed)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _asked(self, path: str, query: dict[str, str], body: bytes) -> tuple[str, str, str, float]:
        """(voice, text, form, speed) by the shape of the request, which is looked at."""
        if path == "/cognitiveservices/v1":
            assert self.headers["Ocp-Apim-Subscription-Key"] == KEY
            assert self.headers["Content-Type"] == "application/ssml+xml"
            form = {"raw-8khz-8bit-mono-mulaw": "mulaw", "raw-8khz-8bit-mono-alaw": "alaw"}[
                self.headers["X-Microsoft-OutputFormat"]
            ]
            voice = ET.fromstring(body)[0]
            assert voice.tag == f"{SSML}voice"
            (prosody,) = list(voice) or [voice]
            speed = 1 + float(prosody.get("rate", "0%").rstrip("%")) / 100
            return voice.attrib["name"], "".join(voice.itertext()), form, speed
        assert self.headers["Content-Type"] == "application/json"
        asked = json.loads(body)
        if path == "/v1/audio/speech":
            assert self.headers["Authorization"] == f"Bearer {KEY}"
            assert asked["response_format"] == "pcm"
            assert asked["model"]
            assert len(asked["input"]) <= 4096
            assert 0.25 <= asked.get("speed", 1) <= 4
            return asked["voice"], asked["input"], "pcm24", asked.get("speed", 1)
        if path == "/v1/speak":
            assert self.headers["Authorization"] == f"Token {KEY}"
            assert (query["sample_rate"], query["container"]) == ("8000", "none")
            return query["model"], asked["text"], query["encoding"], float(query.get("speed", 1))
        if path == "/tts/bytes":
            assert self.headers["X-API-Key"] == KEY
            return cartesia(self.headers["Cartesia-Version"], asked)
        _, version, tts, voice, stream, timed = path.split("/")
        assert (version, tts, stream, timed) == ("v1", "text-to-speech", "stream", "with-timestamps")
        assert self.headers["xi-api-key"] == KEY
        assert asked["model_id"]
        speed = asked.get("voice_settings", {}).get("speed", 1)
        assert 0.7 <= speed <= 1.2
        return (
            voice,
            asked["text"],
            {"ulaw_8000": "timed", "alaw_8000": "timed-a"}[query["output_format"]],
            speed,
        )

    # -- answers ------------------------------------------------------------------------------------------

    def _whole(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _put(self, octets: bytes) -> None:
        if octets:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(octets), octets))
            self.wfile.flush()

    def _pieces(self, timbre: str, text: str, form: str, speed: float, piece_s: float = 0.1) -> list[bytes]:
        """The answer, in pieces of so much audio."""
        found = parts(self.server.speaker, timbre, text, form, speed, piece_s)
        if not form.startswith("timed"):
            return [octets for octets, _, _ in found]
        lines = []
        for octets, chars, times in found:
            alignment = {
                "characters": list(chars),
                "character_start_times_seconds": times,
                "character_end_times_seconds": times,
            }
            line = {
                "audio_base64": base64.b64encode(octets).decode(),
                "alignment": alignment if chars else None,
            }
            lines.append(json.dumps(line).encode() + b"\n")
        return lines

    def _well(self, *what: object, keep: float = 1.0, pace_s: float = 0.0) -> None:
        pieces = self._pieces(*what)  # type: ignore[arg-type]
        self._begin()
        for piece in pieces[: round(len(pieces) * keep)]:
            self._put(piece)
            time.sleep(pace_s)
        if keep == 1:
            self.wfile.write(b"0\r\n\r\n")

    def _busy(self, *what: object) -> None:
        self._whole(
            429, "application/json", b'{"detail":{"status":"too_many_concurrent_requests"}}', Retry_After="30"
        )

    def _error(self, *what: object) -> None:
        self._whole(500, "text/plain", b"oops")

    def _denied(self, *what: object) -> None:
        self._whole(401, "text/plain", f"no such key: {KEY}".encode())

    def _stall(self, *what: object) -> None:
        self._begin()
        time.sleep(30)

    def _silent(self, *what: object) -> None:
        time.sleep(30)

    def _slow(self, *what: object) -> None:
        time.sleep(0.6)
        self._well(*what)

    def _half(self, *what: object) -> None:
        self._well(*what, keep=0.5)
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _halts(self, *what: object) -> None:
        self._well(*what, keep=0.5)
        time.sleep(30)

    def _drip(self, *what: object) -> None:
        self._well(*what, pace_s=0.2)

    def _noise(self, *what: object) -> None:
        self._begin()
        self._put(random.Random(1).randbytes(16000))
        self.wfile.write(b"0\r\n\r\n")

    def _page(self, *what: object) -> None:
        self._whole(200, "text/html", b"<html>Sign in to the hotel's network</html>")

    def _empty(self, *what: object) -> None:
        self._whole(200, "application/octet-stream", b"")

    def _endless(self, *what: object) -> None:
        pieces = self._pieces(*what)  # type: ignore[arg-type]
        self._begin()
        for piece in itertools.cycle(pieces):
            self._put(piece)

    def _wav16(self, timbre: str, text: str, form: str, speed: float) -> None:
        """Another rate than was asked for, which it says."""
        self._whole(200, "audio/wav", wave(tones(timbre, text, 16000)[0], 16000))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, object]] = []
        self.count: Counter[str] = Counter()
        self.speaker = Speaker()

    def deed(self, voice: str, *, counts: bool = True) -> tuple[str, str]:
        """The timbre of a voice, and what becomes of its next request."""
        number = self.count[voice]
        self.count[voice] += counts
        timbre, _, deed = voice.partition(".")
        deed, most, *_ = *deed.split("."), ""
        if most.isdigit() and number >= int(most):
            deed = "well"
        if deed.startswith("later-"):
            deed = "well" if number < int(deed[6:]) else "error"
        return timbre, deed or "well"


if __name__ == "__main__":
    from standin_sockets import serve_sockets

    server = Server()
    sys.stdout.write(f"{server.server_address[1]} {serve_sockets(server)}\n")
    sys.stdout.flush()
    server.serve_forever()
