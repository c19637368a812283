"""Providers' voices against the stand-in, and an ear for its tones."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path

import httpx
import numpy as np

from telephony_codecs import Law, decode
from tests.tts_core.remote.standin import GAP_S, KEY, VOCABULARY, hz
from tts_core import Chunk, EspeakEngine, Script, Synthesiser
from tts_core.remote.config import read_plan
from tts_core.remote.engine import RemoteEngine
from tts_core.remote.opening import Abroad, open_plan

KEY_VARIABLE = "STANDIN_KEY"


class StandIn:
    """The server's process."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("standin.py"))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        assert self._process.stdout is not None
        http, sockets = map(int, self._process.stdout.readline().split())
        self.url, self.sockets_url = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{sockets}"

    def asked(self, voice: str = "") -> list[dict[str, object]]:
        """What it was asked, of this voice or of all."""
        log = httpx.get(f"{self.url}/log", trust_env=False).json()
        return [each for each in log if not voice or each.get("voice") == voice]

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@cache
def standin() -> StandIn:
    """The one of this test run; it ends with the run."""
    import atexit

    made = StandIn()
    atexit.register(made.close)
    return made


def provider(kind: str, *voices: str, name: str = "", **settings: object) -> str:
    """A provider's part of a file, its voices named as the stand-in's are, dots as dashes.

    It is as patient as a busy machine needs, but not with voices that are to be late.
    """
    deeds = {voice.split(".")[1] for voice in voices}
    given: dict[str, object] = {
        "first_byte_ms": 400 if deeds & {"stall", "silent"} else 4000,
        "stall_ms": 500 if deeds & {"halts", "drip"} else 3000,
        "warm": False,
    }
    given |= settings
    url = standin().sockets_url if settings.get("transport") == "websocket" else standin().url
    lines = [f"[providers.{name or kind}]", f'kind = "{kind}"', f'base_url = "{url}"']
    lines += [f'key_env = "{KEY_VARIABLE}"', *(f"{key} = {_toml(value)}" for key, value in given.items())]
    for voice in voices:
        lines.append(f'voices.{voice.replace(".", "-")} = {{ own = "{voice}", language = "en-us" }}')
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def opened(folder: Path, text: str, **more: object) -> tuple[Synthesiser, Abroad]:
    """The door with what such a file says, espeak beside it."""
    os.environ[KEY_VARIABLE] = KEY
    file = folder / "providers.toml"
    file.write_text(textwrap.dedent(text))
    abroad = open_plan(read_plan(file), expand, **more)  # type: ignore[arg-type]
    door = Synthesiser([EspeakEngine(), *abroad.engines])
    abroad.open(door)
    return door, abroad


def expand(law: str, octets: bytes) -> np.ndarray:
    codes = np.frombuffer(octets, np.uint8)
    return decode({"mulaw": Law.PCMU, "alaw": Law.PCMA}[law], codes)


def line_of(chunks: list[Chunk]) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in chunks] or [np.zeros(0, np.int16)])


def told(pcm: np.ndarray, rate: int = 8000) -> list[tuple[str, str]]:
    """Who said which word, by the stand-in's tones in int16[n]: what sounds between two gaps is one word."""
    loud = np.abs(pcm.astype(float)) > 0.1 * np.abs(pcm).max()
    at = np.flatnonzero(loud)
    ends = np.flatnonzero(np.diff(at) > GAP_S * 0.5 * rate)
    begins = [at[0], *at[ends + 1]] if len(at) else []
    words = []
    for begin, end in zip(begins, [*at[ends], at[-1]] if len(at) else [], strict=True):
        sound = pcm[begin : end + 1] * np.hanning(end + 1 - begin)
        found = np.abs(np.fft.rfft(sound, 1 << 16)).argmax() * rate / (1 << 16)
        near = {(who, word): abs(found - hz(who, word)) for who in ("low", "high") for word in VOCABULARY}
        best = min(near, key=near.__getitem__)
        assert near[best] < 12, f"{found:.0f} Hz is no word"
        words.append(best)
    return words


def bare(text: str) -> list[str]:
    """The words of a text as `told` tells them."""
    return ["".join(filter(str.isalpha, word)).lower() for word in text.split()]


def runs(words: list[tuple[str, str]]) -> list[str]:
    """Who spoke, in order, each once a turn."""
    return [who for who, _ in itertools.groupby(who for who, _ in words)]


def engine_of_contract() -> RemoteEngine:
    """A provider's voice that speaks, for the contract of engines."""
    with tempfile.TemporaryDirectory() as folder:
        door, _ = opened(Path(folder), provider("openai", "espeak.well", first_byte_ms=10_000, stall_ms=5000))
    engine = door.remote("openai:espeak-well")
    assert engine is not None
    list(
        engine.speak(Script.from_text("One, two, three, four, five, six, seven."), "openai:espeak-well", 1.0)
    )
    assert engine.manner("openai:espeak-well") is not None, "what it sounds like is known from here on"
    return engine
