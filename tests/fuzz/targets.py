"""Every parser of what comes from outside, as a function of octets that raises only what nobody foresaw.

A target takes in whatever an input may be, checks what must hold of what it made of it, and swallows the one
error that its parser may answer with. Anything else that is raised is a bug: of the parser, or of the target.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import itertools
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import typer
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from gateway import cli
from gateway.api import body, requests
from gateway.api.audio import _is_below
from gateway.api.keyring import BadKeys, Keyring
from gateway.api.prompts import Prompts
from gateway.api.server import MESSAGE_OCTETS
from gateway.api.sockets import parsed
from gateway.api.speech import _MESSAGES
from gateway.errors import Refusal
from gateway.listen import rtcp as listened
from gateway.listen.packets import SLOT, parse_headers
from gateway.media import rtcp
from gateway.media.dtmf import DigitReceiver
from gateway.media.packet import MalformedPacket, parse_event, parse_rtp
from gateway.settings import Settings
from sip_glue import sdp
from sip_glue.door import Known, judge
from sip_glue.message import Request, read
from sip_glue.uri import BadUri, parse_address, parse_uri
from telephony_codecs import Law, MediaFileError, decode, read_audio
from tts_core import Lexicon, LexiconError, Recording, Say, Script, ScriptError, follow
from tts_core.neural import graphs, package
from tts_core.piper import settings as piper
from tts_core.plan import Clause, steps
from tts_core.reading.speakable import speakable
from tts_core.remote.asking import KINDS, Unanswered
from tts_core.remote.cartesia_talk import CartesiaTalk
from tts_core.remote.deepgram_talk import DeepgramTalk
from tts_core.remote.elevenlabs import Lines
from tts_core.remote.elevenlabs_talk import ElevenLabsTalk
from tts_core.remote.octets import telephone
from tts_core.remote.timed import Timed
from tts_core.ssml import recordings

Target = Callable[[bytes], None]
LONGEST: Final = 4096
"""Octets of an input."""
_LANGUAGES: Final = ("en-us", "en-gb", "de", "fr", "es", "it", "bn")
_KNOWN: Final = Known(dialog="none", invite="new", retry_after=None)
_HERE: Final = sdp.LocalMedia("127.0.0.1", 20000, session_id=4711)


@cache
def _folder() -> Path:
    """Where targets of files put theirs: in memory, where there is such a place."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="voxtrunk-fuzz-", dir=shared if shared.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def _text(data: bytes) -> str:
    """Text of all kinds, lone surrogates among them, as a JSON string can bring them."""
    return data.decode("utf-8", "surrogatepass" if data[:1] == b"~" and _is_text(data) else "replace")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


# -- from the wire ------------------------------------------------------------------------------------------


def rtp(data: bytes) -> None:
    """A datagram at an RTP port, and at our own ear."""
    slot = np.zeros((1, SLOT), np.uint8)
    data = data[:SLOT]
    slot[0, : len(data)] = np.frombuffer(data, np.uint8)
    headers = parse_headers(slot, np.array([len(data)]))
    if headers.rtp[0]:
        assert 0 <= headers.payload_start[0] + headers.payload_length[0] <= len(data)
        assert headers.payload_length[0] >= 0
    try:
        packet = parse_rtp(data)
    except MalformedPacket:
        return
    assert packet.payload in data
    assert 0 <= packet.payload_type < 128


def rtcp_(data: bytes) -> None:
    """A datagram at an RTCP port, and at our own ear."""
    with contextlib.suppress(MalformedPacket):
        rtcp.parse_compound(data)
    with contextlib.suppress(listened.MalformedRtcp):
        listened.parse_compound(data)


def dtmf(data: bytes) -> None:
    """Telephone-events, one after the other, each with two octets of its timestamp."""
    receiver = DigitReceiver()
    begun = ended = 0
    for at in range(0, len(data), 6):
        try:
            event = parse_event(data[at + 2 : at + 6])
        except MalformedPacket:
            return
        for digit in receiver.receive(int.from_bytes(data[at : at + 2]), event):
            begun, ended = begun + (digit.duration_ms is None), ended + (digit.duration_ms is not None)
        assert begun - ended in (0, 1), "each digit ends once"


def sdp_(data: bytes) -> None:
    """An offer: read, answered, and the answer read."""
    try:
        offer = sdp.parse(_text(data))
        answer = sdp.answer(offer, _HERE)
    except (sdp.SdpError, sdp.NotAcceptable):
        return
    again = sdp.parse(sdp.render(answer.description))
    assert len(again.media) == len(offer.media)
    sdp.parse(sdp.render(offer))


def sip(data: bytes) -> None:
    """A datagram at a SIP port."""
    message = read(data)
    if isinstance(message, Request):
        judge(message, _KNOWN)


def uri(data: bytes) -> None:
    """A SIP URI, and an address as From and To have it."""
    for parse in (parse_uri, parse_address):
        with contextlib.suppress(BadUri):
            parse(_text(data))


# -- from clients -------------------------------------------------------------------------------------------


def text(data: bytes) -> None:
    """Plain text in one of the languages that are read, cut into clauses; and as it is written."""
    script = Script.from_text(_text(data[1:]))
    language = _LANGUAGES[data[0] % len(_LANGUAGES)] if data else "en-us"
    _planned(script, language)
    assert 0 <= speakable(script.text, language) <= len(script.text)


def ssml(data: bytes) -> None:
    """An SSML document, every other recording of which can be had."""
    written = _text(data)
    try:
        asked = recordings(written)
        script = Script.from_ssml(written, lambda src: "" if asked.index(src) % 2 == 0 else "gone")
    except ScriptError:
        return
    spoken = [piece for piece in script.pieces if isinstance(piece, Say | Recording)]
    assert all(a.end <= b.start for a, b in itertools.pairwise(spoken))
    kept = tuple(piece for piece in script.pieces if not isinstance(piece, Recording))
    _planned(Script(script.text, kept), "en-us")


def _planned(script: Script, language: str) -> None:
    at = 0
    for step in steps(script, language):
        if isinstance(step, Clause):
            assert at <= step.start <= step.end <= len(script.text)
            at = step.start


def pls(data: bytes) -> None:
    """A lexicon, followed in a text that has its words."""
    try:
        lexicon = Lexicon.from_pls(data)
    except LexiconError:
        return
    words = " ".join(list(lexicon.entries)[:50])
    script = follow(Script.from_text(words), (lexicon,), lexicon.language or "en")
    said = "".join(script.text[piece.start : piece.end] for piece in script.pieces if isinstance(piece, Say))
    assert said == words


def socket(data: bytes) -> None:
    """A message of the speech socket."""
    with contextlib.suppress(Refusal, RequestValidationError):
        parsed({"text": _text(data)}, _MESSAGES)


def frames(data: bytes) -> None:
    """What a client sends on an open WebSocket: frames as the server reads them, and the messages in them."""
    protocol = ServerProtocol(state=State.OPEN, max_size=MESSAGE_OCTETS)
    protocol.receive_data(data)
    message = b""
    for event in protocol.events_received():
        if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
            message = (b"" if event.opcode is Opcode.TEXT else message) + bytes(event.data)
            assert len(message) <= MESSAGE_OCTETS
            if event.fin and _is_text(message):
                socket(message)


def bodies(data: bytes) -> None:
    """A JSON body, as each kind of request; what begins with ``*`` is a recipe of one instead.

    Chance hardly ever writes JSON, let alone a request's.
    """
    try:
        value = _composed(data[1:], *_members()) if data[:1] == b"*" else body.parse(data)
    except json.JSONDecodeError:
        return
    for kind in _BODIES:
        with contextlib.suppress(ValidationError):
            kind.model_validate(value)


_BODIES: Final = (
    requests.CreateCall,
    requests.CreateUtterance,
    requests.SayRest,
    requests.SendDtmf,
    requests.PlayBackground,
    requests.Synthesize,
)
_DEEPEST: Final = 4


@cache
def _members() -> tuple[list[str], list[Any]]:
    """Names of the requests' members, and values that some of them may have or stand at the edge of it."""
    names: list[str] = []
    values: list[Any] = [None, True, 0, -1, 20, 1e308, 2**63, 10**400, "", "\ufffd", "127.0.0.1"]

    def collect(schema: object) -> None:
        if isinstance(schema, dict):
            names.extend(name for name in schema.get("properties", ()) if name not in names)
            values.extend(value for value in schema.get("enum", ()) if value not in values)
            schema = list(schema.values())
        for each in schema if isinstance(schema, list) else ():
            collect(each)

    for kind in _BODIES:
        collect(kind.model_json_schema())
    return names, values


def _composed(data: bytes, names: list[str], values: list[Any]) -> dict[str, Any]:
    """A mapping by recipe: an octet for what comes next, one for which; text is what follows, to a zero."""
    left = iter(data)

    def text() -> str:
        return bytes(itertools.takewhile(bool, left)).decode(errors="replace")

    def value(depth: int) -> Any:
        what, which = next(left, 0), next(left, 0)
        if what % 4 == 0 and depth < _DEEPEST:
            return {names[next(left, 0) % len(names)]: value(depth + 1) for _ in range(which % 8)}
        if what % 4 == 1 and depth < _DEEPEST:
            return [value(depth + 1) for _ in range(which % 8)]
        return text() if what % 4 == 2 else values[which % len(values)]

    return {names[octet % len(names)]: value(1) for octet in left}


def names(data: bytes) -> None:
    """What SSML's <audio> names: nothing outside the prompts' folder, nor another server, is asked for."""
    written = _text(data)
    with contextlib.suppress(Refusal):
        assert Prompts(_folder()).find(written).is_relative_to(_folder())
    if _is_below(_PREFIX, written):
        asked = httpx.URL(written)
        assert (asked.scheme, asked.host, asked.path[:3]) == ("https", "cdn.example.com", "/a/")
        assert ".." not in asked.path.split("/")


_PREFIX: Final = httpx.URL("https://cdn.example.com/a/")

# -- from files ---------------------------------------------------------------------------------------------


def settings(data: bytes) -> None:
    """voxtrunk.toml, or after ``*`` a recipe of one; every sixteenth as the command reads it, which is slow."""
    recipe = data[:1] == b"*"
    if len(data) % 16 == 0 and not recipe:
        os.environ["VOXTRUNK_CONFIG"] = str(_file("voxtrunk.toml", data))
        try:
            with contextlib.suppress(typer.Exit), contextlib.redirect_stderr(io.StringIO()):
                cli._settings()
        finally:
            del os.environ["VOXTRUNK_CONFIG"]
        return
    try:
        values = _composed(data[1:], *_settings()) if recipe else tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return
    os.environ["VOXTRUNK_CONFIG"] = os.devnull
    try:
        with contextlib.suppress(ValidationError):
            Settings(**{name: value for name, value in values.items() if not name.startswith("_")})
    finally:
        del os.environ["VOXTRUNK_CONFIG"]


@cache
def _settings() -> tuple[list[str], list[Any]]:
    """Names of settings, and values that some of them may have or stand at the edge of it."""
    fields = Settings.model_fields.values()
    defaults = [field.get_default(call_default_factory=True, validated_data={}) for field in fields]
    values = [each for each in defaults if isinstance(each, str | int | float)]
    edges = [
        True,
        0,
        -1,
        10**400,
        "",
        "127.0.0.1:5060",
        "10.0.0.0/8",
        "20000-20001",
        "a=b",
        "https://x/",
        "~x",
    ]
    return list(Settings.model_fields), [*values, *edges]


def keys(data: bytes) -> None:
    """The file of API keys."""
    with contextlib.suppress(BadKeys):
        Keyring(_keyed(_file("keys.toml", data)))


@cache
def _keyed(path: Path) -> Settings:
    return Settings(api_keys_file=path)


def voice(data: bytes) -> None:
    """A voice package's manifest."""
    path = _folder() / "voice"
    path.mkdir(exist_ok=True)
    (path / "voice.json").write_bytes(data)
    package.engine_of(path)
    with contextlib.suppress(package.BadPackage):
        package.read(path)


def graph(data: bytes) -> None:
    """A voice package's network."""
    for name in ("encoder.onnx", "vocoder.onnx"):
        with contextlib.suppress(graphs.BadGraph):
            graphs.check(name, data)


def piper_(data: bytes) -> None:
    """The JSON beside a Piper voice."""
    with contextlib.suppress(piper.BadSettings):
        piper.speakers(piper.read(data))


def prompt(data: bytes) -> None:
    """A recording, through FFmpeg."""
    with contextlib.suppress(MediaFileError):
        audio = read_audio(_file("prompt", data), max_seconds=2)
        assert 0 < len(audio.pcm) <= 2 * audio.rate


_TALKS: Final = (ElevenLabsTalk("mulaw"), DeepgramTalk("alaw"), CartesiaTalk("mulaw"))


def provider(data: bytes) -> None:
    """What a provider sends, as an answer over HTTP, and as messages of its sockets, a line each."""
    with contextlib.suppress(Unanswered):
        lines = Lines("mulaw", _expand)
        lines.read(data[: len(data) // 2])
        lines.read(data[len(data) // 2 :])
        lines.end()
    for talk in _TALKS:
        heard = Timed(telephone(talk.law, _expand, {}))
        with contextlib.suppress(Unanswered):
            for message in data.split(b"\n"):
                told = talk.told(message.decode("utf-8", "replace"))
                assert told.trouble in ("", *KINDS)
                heard.read(told.octets, told.chars, told.starts)
            heard.read(talk.told(data).octets, "", ())
            heard.end()


def _expand(law: str, octets: bytes) -> np.ndarray:
    return decode({"mulaw": Law.PCMU, "alaw": Law.PCMA}[law], np.frombuffer(octets, np.uint8))


TARGETS: Final[dict[str, Target]] = {
    "rtp": rtp, "rtcp": rtcp_, "dtmf": dtmf, "sdp": sdp_, "sip": sip, "uri": uri, "text": text, "ssml": ssml,
    "pls": pls, "socket": socket, "frames": frames, "bodies": bodies, "names": names, "settings": settings,
    "keys": keys, "voice": voice, "graph": graph, "piper": piper_, "prompt": prompt,
    "provider": provider,
}  # fmt: skip

_MORE: Final = {"sip": Path(__file__).parents[1] / "sip_glue" / "rfc4475"}
CORPUS: Final = Path(__file__).parent / "corpus"


def corpora(name: str) -> list[Path]:
    """The folders of a target's kept inputs."""
    return [CORPUS / name, *([_MORE[name]] if name in _MORE else [])]


def kept(name: str) -> list[bytes]:
    """A target's kept inputs, in order."""
    files = (file for folder in corpora(name) for file in sorted(folder.iterdir()))
    return [file.read_bytes() for file in files]
