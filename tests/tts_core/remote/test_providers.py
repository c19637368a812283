"""Each provider's shape, and what is made of answers that are none. The stand-in is not the providers."""

import base64
import json
import logging
import time

import numpy as np
import pytest

from tests.tts_core.remote.opened import bare, expand, line_of, opened, provider, standin, told
from tests.tts_core.remote.standin import KEY
from tts_core import Script
from tts_core.remote.asking import Line, Timbre, Unanswered
from tts_core.remote.config import BadProviders, read_plan
from tts_core.remote.elevenlabs import ElevenLabs
from tts_core.remote.refusals import refusal

WAYS = (
    ("elevenlabs", "http"), ("azure", "http"), ("openai", "http"), ("deepgram", "http"), ("cartesia", "http"),
    ("elevenlabs", "websocket"), ("deepgram", "websocket"), ("cartesia", "websocket"),
)  # fmt: skip
SOCKETS = ("elevenlabs", "deepgram", "cartesia")
TEXT = "Alpha bravo charlie delta. Echo foxtrot golf hotel india juliet, kilo lima mike november. Oscar papa."


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_every_word_is_heard_and_timed(tmp_path, kind, transport, law):
    door, abroad = opened(tmp_path, provider(kind, "low.well", law=law, transport=transport))
    chunks = list(door.speak(Script.from_text(TEXT), f"{kind}:low-well"))
    rate = chunks[0].sample_rate
    assert rate == (24_000 if kind == "openai" else 8000)
    words = [word for chunk in chunks for word in chunk.words]
    assert [TEXT[word.char_start : word.char_end].lower() for word in words] == bare(TEXT)
    pcm = line_of(chunks)
    assert told(pcm, rate) == [("low", word) for word in bare(TEXT)]
    for word, expected in zip(words, bare(TEXT), strict=True):
        assert told(pcm[word.start_sample : word.end_sample], rate) == [("low", expected)]
    clauses = [each["text"] for each in standin().asked("low.well")][-4:]
    assert clauses == [
        "Alpha bravo charlie delta.",
        "Echo foxtrot golf hotel india juliet,",
        "kilo lima mike november.",
        "Oscar papa.",
    ]
    abroad.close()


def test_the_way_is_kept_warm(tmp_path):
    door, abroad = opened(tmp_path, provider("deepgram", "low.well.warm"))
    for _ in range(2):
        list(door.speak(Script.from_text(TEXT), "deepgram:low-well-warm"))
    asked = standin().asked("low.well.warm")
    assert len(asked) == 8
    assert len({each["connection"] for each in asked}) == 1
    abroad.close()


def test_elevenlabs_is_told_what_stands_around_a_clause(tmp_path):
    door, abroad = opened(tmp_path, provider("elevenlabs", "low.well.around"))
    list(door.speak(Script.from_text("Alpha bravo. Charlie delta. Echo."), "elevenlabs:low-well-around"))
    bodies = [json.loads(each["body"]) for each in standin().asked("low.well.around")]
    assert [(body.get("previous_text"), body.get("next_text")) for body in bodies] == [
        (None, "Charlie delta."),
        ("Alpha bravo.", "Echo."),
        ("Charlie delta.", None),
    ]
    abroad.close()


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_elevenlabs_times_are_read_whether_of_the_whole_or_of_each_piece(relative, size):
    """Two pieces of half a second; which of both ways the times are given is told by their beginning anew."""
    lines = b""
    for number, (chars, starts) in enumerate((("one ", (0.0, 0.1, 0.2, 0.4)), ("two", (0.05, 0.2, 0.3)))):
        times = [start + (0 if relative else 0.5 * number) for start in starts]
        alignment = {"characters": list(chars), "character_start_times_seconds": times}
        audio = base64.b64encode(bytes([0xFF]) * 4000).decode()
        lines += json.dumps({"audio_base64": audio, "alignment": alignment}).encode() + b"\n"
    reader = ElevenLabs("mulaw", expand).answering({})
    heard = [reader.read(lines[at : at + size]) for at in range(0, len(lines), size)] + [reader.end()]
    assert sum(len(each.pcm) for each in heard) == 8000
    onsets = [onset for each in heard for onset in each.onsets]
    assert onsets == [(0, 0), (1, 800), (2, 1600), (3, 3200), (4, 4400), (5, 5600), (6, 6400)]


@pytest.mark.parametrize(
    ("kind", "transport"), [("azure", "http"), ("elevenlabs", "websocket"), ("deepgram", "websocket")]
)
def test_first_audio_leaves_before_the_answer_is_whole(tmp_path, kind, transport):
    door, abroad = opened(tmp_path, provider(kind, "low.drip", stall_ms=30_000, transport=transport))
    began = time.monotonic()
    speech = door.speak(Script.from_text("Alpha bravo."), f"{kind}:low-drip")
    first = next(speech)
    first_s = time.monotonic() - began
    assert len(first.words) == 1
    list(speech)
    assert time.monotonic() - began > first_s + 0.5, "the stand-in takes two seconds for one of speech"
    abroad.close()


WRONG = (
    ("busy", "busy", "azure"), ("error", "failed", "deepgram"), ("denied", "refused", "openai"),
    ("stall", "late", "deepgram"), ("silent", "late", "azure"), ("half", "broken", "deepgram"),
    ("half", "broken", "elevenlabs"), ("halts", "late", "openai"), ("drip", "late", "deepgram"),
    ("noise", "garbage", "azure"), ("noise", "garbage", "elevenlabs"), ("page", "garbage", "deepgram"),
    ("page", "garbage", "elevenlabs"), ("empty", "broken", "openai"), ("endless", "garbage", "deepgram"),
    ("denied", "refused", "cartesia"), ("half", "broken", "cartesia"),
)  # fmt: skip
WRONG_ON_A_SOCKET = {
    "busy": "busy", "error": "failed", "denied": "refused", "stall": "late", "silent": "late", "half": "broken",
    "halts": "late", "drip": "late", "noise": "garbage", "page": "garbage", "empty": "broken",
    "endless": "garbage",
    "says-busy": "busy", "says-error": "failed", "says-denied": "refused", "junk": "garbage", "closes": "busy",
}  # fmt: skip


@pytest.mark.parametrize(
    ("provided", "transport", "deed", "kind"),
    [
        *((provided, "http", deed, kind) for deed, kind, provided in WRONG),
        *(
            (each, "websocket", deed, kind)
            for each in SOCKETS
            for deed, kind in WRONG_ON_A_SOCKET.items()
            if each == "elevenlabs" or kind != "late" or deed == "stall"
        ),
    ],
)
def test_what_goes_wrong_is_told(tmp_path, caplog, provided, transport, deed, kind):
    door, abroad = opened(tmp_path, provider(provided, f"low.{deed}", transport=transport))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unanswered) as caught:
        list(door.speak(Script.from_text("Alpha bravo charlie delta echo."), f"{provided}:low-{deed}"))
    assert caught.value.kind == kind, caught.value
    assert provided in str(caught.value)
    assert KEY not in str(caught.value) + caplog.text
    over_http = transport == "http" or provided != "cartesia"  # whose refusals come on the socket
    assert caught.value.wait_s == (30 if deed == "busy" and over_http else 0)
    assert abroad.accounts()[0].under_way == 0
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), [("openai", "http"), ("deepgram", "websocket")])
def test_who_cannot_be_reached(tmp_path, kind, transport):
    text = provider(kind, "low.well", transport=transport)
    text = text.replace(standin().sockets_url, standin().url).replace(standin().url, "http://127.0.0.1:9")
    door, abroad = opened(tmp_path, text)
    with pytest.raises(Unanswered) as caught:
        list(door.speak(Script.from_text("Alpha."), f"{kind}:low-well"))
    assert caught.value.kind == "unreachable"
    abroad.close()


@pytest.mark.parametrize(
    ("kind", "transport", "rate"),
    [("openai", "http", 24_000), *((kind, "websocket", 8000) for kind in SOCKETS)],
)
def test_another_rate_that_is_told_is_read_at_that(tmp_path, kind, transport, rate):
    door, abroad = opened(tmp_path, provider(kind, "low.wav16", transport=transport))
    chunks = list(door.speak(Script.from_text("Alpha bravo charlie delta."), f"{kind}:low-wav16"))
    assert {chunk.sample_rate for chunk in chunks} == {rate}
    assert told(line_of(chunks), rate) == [("low", word) for word in bare("Alpha bravo charlie delta.")]
    abroad.close()


def test_a_voice_that_is_warm_is_known(tmp_path):
    door, abroad = opened(tmp_path, provider("azure", "espeak.well.warm", warm=True))
    abroad.warm()
    remote = door.remote("azure:espeak-well-warm")
    deadline = time.monotonic() + 20
    while remote.manner("azure:espeak-well-warm") is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    manner = remote.manner("azure:espeak-well-warm")
    assert 1.5 < len(manner.pcm) / manner.rate < 6
    assert np.abs(manner.pcm).max() > 3000
    abroad.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = ", "Invalid value"), ("[provider.x]", "provider: there is no such setting"),
     ("[providers.espeak]", "another engine's name"), ("[providers.x]\nkind='y'", "'y' is none of elevenlabs"),
     ("[providers.azure]", "base_url: must begin with https://"),
     ("[providers.openai]\nkey='x'\nvoices.a={language='en'}", "key: there is no such setting"),
     ("[providers.openai]\nkey_env='NOT_THERE'\nvoices.a={language='en'}", "the environment has no NOT_THERE"),
     ("[providers.openai]\nkey_file='not-there'\nvoices.a={language='en'}", "key_file"),
     ("[providers.openai]", "voices: name at least one"),
     ("[providers.openai]\nvoices.a={}", "voices.a.language: must be a text, and is missing"),
     ("[providers.openai]\nvoices.a={language='English!'}", "must be a tag such as en-us"),
     ("[providers.openai]\nat_once=inf\nvoices.a={language='en'}", "must be a number of at least 0, not inf"),
     ("[providers.openai]\nat_once=-1\nvoices.a={language='en'}", "at_once: must be a number of at least 0"),
     ("[providers.openai]\nspend_day=5\nvoices.a={language='en'}", "needs price_per_million"),
     ("[providers.openai]\ntransport='websocket'\nvoices.a={language='en'}", "openai is asked over http only"),
     ("[providers.deepgram]\ntransport='grpc'\nvoices.a={language='en'}", "must be http or websocket"),
     ("[routes.r]\nlanguage='en'", "voices: name at least one"),
     ("[routes.r]\nlanguage='en'\nvoices=['route:q']", "names voices, not routes"),
     ("[routes.r]\nlanguage='en'\nvoices=[{voice='a:b', when=1}]", "voices[0].when: there is no such setting")],
)  # fmt: skip
def test_a_file_that_is_wrong_says_where(tmp_path, text, said):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(BadProviders) as caught:
        read_plan(tmp_path / "p.toml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [("30", 30), ("1.5", 1.5), ("inf", 0), ("nan", 0), ("-3", 0), ("9999999", 600), ("soon", 0), ("", 0),
     ("Fri, 31 Dec 9999 23:59:59 GMT", 600), ("Mon, 01 Jan 0001 00:00:00 +2359", 0)],
)  # fmt: skip
def test_no_retry_after_keeps_a_provider_away_for_long(told: str, wait_s: float):
    assert refusal(429, "busy", told, "").wait_s == wait_s


def test_a_voice_s_own_name_is_one_part_of_the_path():
    timbre = Timbre("a", "../x?y", "en")
    assert ElevenLabs("mulaw", None).asking(Line("Hi."), timbre).path == (  # type: ignore[arg-type]
        "/v1/text-to-speech/..%2Fx%3Fy/stream/with-timestamps"
    )
