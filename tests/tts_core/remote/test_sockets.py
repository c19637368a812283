"""Warm WebSockets: kept, replaced, cut, shared, and what they gain. The stand-in is not the providers."""

import contextlib
import json
import statistics
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts_core.remote.opened import bare, line_of, opened, provider, standin, told
from tts_core import Chunk, Script
from tts_core.remote import seats, sockets
from tts_core.remote.asking import Line, Timbre, Told, Unanswered
from tts_core.remote.cartesia_talk import CartesiaTalk
from tts_core.remote.deepgram_talk import DeepgramTalk
from tts_core.remote.elevenlabs_talk import ElevenLabsTalk

KINDS = ("elevenlabs", "deepgram", "cartesia")
TALKS = (ElevenLabsTalk, DeepgramTalk, CartesiaTalk)
TEXT = "Alpha bravo charlie delta. Echo foxtrot golf hotel india juliet, kilo lima mike november. Oscar papa."


def over_sockets(tmp_path, kind, voice, **more):
    """The door, all of it, and the voice's name."""
    door, abroad = opened(tmp_path, provider(kind, voice, transport="websocket", **more))
    return door, abroad, f"{kind}:{voice.replace('.', '-')}"


def say(door, voice, text=TEXT):
    return told(line_of(list(door.speak(Script.from_text(text), voice))))


def clauses(voice):
    return [each for each in standin().asked(voice) if "text" in each]


def until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_clause_after_clause_goes_over_one_socket(tmp_path, kind):
    own = f"low.well.ws.{kind}"
    door, abroad, voice = over_sockets(tmp_path, kind, own)
    for _ in range(2):
        assert say(door, voice) == [("low", word) for word in bare(TEXT)]
    assert len(clauses(own)) == 8
    # the first may be asked for while the one ahead is being opened, and Deepgram takes one clause at a time
    assert len({each["connection"] for each in clauses(own)}) <= 2
    abroad.close()


@pytest.mark.parametrize("deed", ["fleeting", "slams", "naps"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_socket_that_ends_is_replaced_and_no_word_is_lost(tmp_path, kind, deed):
    """At rest, or just as it is asked for another clause: then another socket is asked."""
    own = f"low.{deed}.{kind}"
    door, abroad, voice = over_sockets(tmp_path, kind, own)
    for _ in range(2):
        assert say(door, voice) == [("low", word) for word in bare(TEXT)]
    assert len({each["connection"] for each in clauses(own)}) >= 4
    requests = abroad.accounts()[0].requests
    assert (requests[0], sum(requests)) == (8, 8), "all of them answered"
    abroad.close()


@pytest.mark.parametrize("moment_s", [0, 0.6])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_clause_that_was_cut_follows(tmp_path, kind, moment_s):
    """The caller barges in while audio comes, some of which is on its way: he hears the next utterance alone."""
    own = f"low.lags.{kind}-{round(moment_s * 10)}"
    door, abroad, voice = over_sockets(tmp_path, kind, own, at_once=1)
    speech = door.speak(Script.from_text("Alpha bravo charlie delta echo foxtrot."), voice)
    assert isinstance(next(speech), Chunk)
    speech.parts.close()
    time.sleep(moment_s)
    assert say(door, voice, "India juliet.") == [("low", "india"), ("low", "juliet")]
    account = abroad.accounts()[0]
    assert (account.requests[0], account.requests[8], sum(account.requests)) == (1, 1, 2)
    assert account.under_way == 0
    if kind != "elevenlabs":  # a context that was flushed goes on by itself
        until(lambda: any("cut" in each for each in standin().asked(own)))
    first, second = (each["connection"] for each in clauses(own))
    assert first == second, "one at once: it waits until it is known to be cut"
    abroad.close()


@pytest.mark.parametrize("kind", ["elevenlabs", "deepgram"])
def test_a_socket_that_says_nothing_is_asked_nothing_more(tmp_path, kind):
    own = f"low.stall.1.{kind}"
    door, abroad, voice = over_sockets(tmp_path, kind, own)
    with pytest.raises(Unanswered, match="late"):
        say(door, voice, "Alpha.")
    assert say(door, voice, "Bravo charlie.") == [("low", "bravo"), ("low", "charlie")]
    (dead, alive) = (each["connection"] for each in clauses(own))
    assert dead != alive
    abroad.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_socket_that_speaks_unasked_is_closed(tmp_path, kind):
    own = f"low.babbles.1.{kind}"
    door, abroad, voice = over_sockets(tmp_path, kind, own)
    assert say(door, voice, "Alpha bravo.") == [("low", "alpha"), ("low", "bravo")]
    (socket,) = list(abroad.remotes[0].peer.way._sockets.values())[:1]
    until(lambda: socket not in abroad.remotes[0].peer.way._sockets.values())
    assert say(door, voice, "Charlie.") == [("low", "charlie")]
    abroad.close()


def test_many_at_once_share_sockets_and_none_carries_too_many(tmp_path):
    own = "low.slow.many"
    door, abroad, voice = over_sockets(tmp_path, "elevenlabs", own)
    speeches = [door.speak(Script.from_text("Alpha bravo."), voice) for _ in range(12)]
    waiting = [next(speech.parts) for speech in speeches]
    assert not any(isinstance(part, Chunk) for part in waiting), "all are under way"
    for speech in speeches:
        assert told(line_of(list(speech))) == [("low", "alpha"), ("low", "bravo")]
    used = [each["connection"] for each in clauses(own)]
    assert max(map(used.count, used)) <= 4, "of the five contexts that ElevenLabs allows"
    abroad.close()


def test_deepgram_is_asked_to_flush_no_more_often_than_it_does(tmp_path):
    own = "low.well.often"
    door, abroad, voice = over_sockets(tmp_path, "deepgram", own)
    for _ in range(25):
        assert say(door, voice, "Alpha.") == [("low", "alpha")]
    used = [each["connection"] for each in clauses(own)]
    assert max(map(used.count, used)) <= 20
    abroad.close()


def test_sockets_are_open_before_anybody_speaks_and_told_to_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(seats, "STAYS_S", 0.2)
    own = "espeak.well.stays"
    door, abroad, voice = over_sockets(tmp_path, "elevenlabs", own, warm=True)
    abroad.warm()
    until(lambda: any("stays" in each for each in standin().asked(own)))
    say_began = len(clauses(own))
    list(door.speak(Script.from_text("Hello."), voice))
    assert len({each["connection"] for each in clauses(own)}) == 1
    assert len(clauses(own)) == say_began + 1
    abroad.close()


def test_a_redirect_is_not_followed(tmp_path):
    """The key is in a header."""
    connect = sockets._Connect("ws://127.0.0.1:1/")
    error = ValueError("301")
    assert connect.process_redirect(error) is error


@pytest.mark.parametrize("kind", KINDS)
def test_first_audio_over_a_warm_socket_is_no_later_than_over_a_warm_connection(tmp_path, kind):
    """Both cost a way there and back; what is measured, in turns, is what is added to that. `-s` shows it."""
    ways = ("http", "websocket")
    own = {way: f"low.well.first-{way}" for way in ways}
    text = "".join(provider(kind, own[way], name=way, transport=way) for way in ways)
    door, abroad = opened(tmp_path, text)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(24):
        for way in ways:
            began = time.perf_counter()
            speech = door.speak(Script.from_text("Alpha bravo."), f"{way}:low-well-first-{way}")
            next(speech)
            if number > 3:
                taken[way].append(time.perf_counter() - began)
            list(speech)  # so that the connection is kept
    http, socket = (statistics.median(taken[way]) for way in ways)
    print(f"{kind}: http {http * 1000:.2f} ms, socket {socket * 1000:.2f} ms, {socket / http:.2f}")  # noqa: T201
    assert min(taken["websocket"]) < 2 * min(taken["http"]), "the machine may be busy: of each the best"
    abroad.close()


# -- what is said and told ------------------------------------------------------------------------------


TIMBRE = Timbre(
    "a", "own/voice", "en-us", "", more={"voice_settings": {"stability": 1}, "enable_logging": False}
)


def test_elevenlabs_context_has_its_settings_and_the_socket_the_rest():
    talk = ElevenLabsTalk("alaw")
    line = Line("Hello.", rate=2.0)
    assert talk.address(line, TIMBRE) == (
        "/v1/text-to-speech/own%2Fvoice/multi-stream-input?model_id=eleven_flash_v2_5&output_format=alaw_8000"
        "&auto_mode=true&sync_alignment=true&inactivity_timeout=180&enable_logging=false"
    )
    begin, text, close = map(json.loads, talk.say("7", line, TIMBRE))
    assert begin == {"text": " ", "context_id": "7", "voice_settings": {"stability": 1, "speed": 1.2}}
    assert text == {"text": "Hello. ", "context_id": "7", "flush": True}
    assert close == {"context_id": "7", "close_context": True}


@pytest.mark.parametrize(
    ("talk", "message", "kind"),
    [
        (ElevenLabsTalk, {"error": "max_active_conversations", "code": 1008}, "busy"),
        (ElevenLabsTalk, {"error": "quota_exceeded", "message": "too many credits"}, "refused"),
        (ElevenLabsTalk, {"error": "something_else"}, "failed"),
        (ElevenLabsTalk, {"error": "input_timeout_exceeded", "code": 1008}, "broken"),
        (DeepgramTalk, {"type": "Error", "err_code": "RATE_LIMIT", "err_msg": "slow down"}, "busy"),
        (DeepgramTalk, {"type": "Error", "description": "Invalid model", "code": "X"}, "refused"),
        (DeepgramTalk, {"type": "Warning", "code": "F", "description": "too many flush messages"}, "busy"),
        (DeepgramTalk, {"type": "Warning", "code": "W", "description": "an odd character"}, ""),
        (CartesiaTalk, {"type": "error", "status_code": 429}, "busy"),
        (CartesiaTalk, {"type": "error", "status_code": 402, "message": "no credits"}, "refused"),
        (CartesiaTalk, {"type": "error", "error_code": "model_not_found"}, "refused"),
    ],
)
def test_an_error_is_told_by_what_it_says(talk, message, kind):
    assert talk("mulaw").told(json.dumps(message)).trouble == kind


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "error", "audio", "data", "alignment", "chars", "charStartTimesMs", "isFinal", "done",
             "contextId", "context_id", "status_code", "code", "message"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("talk", TALKS)
@settings(max_examples=60)
@given(message=st.text() | st.binary() | anything.map(json.dumps))
def test_whatever_a_provider_sends_is_told_or_refused(talk, message):
    with contextlib.suppress(Unanswered):
        assert isinstance(talk("mulaw").told(message), Told)
