"""Routes over the stand-in's voices, which fail in every way: each word is said once, by whoever can."""

import time

import pytest

from tests.tts_core.remote.opened import bare, line_of, opened, provider, runs, standin, told
from tts_core import Chunk, EngineError, Script

TEXT = "Alpha bravo charlie delta. Echo foxtrot golf hotel india juliet, kilo lima mike november. Oscar papa."
WAYS = (("azure", "http"), ("deepgram", "websocket"), ("elevenlabs", "websocket"))
DEEDS = ("busy", "error", "denied", "stall", "silent", "noise", "page", "empty")


def route(*voices, name="support", **more):
    listed = ", ".join(each if each.startswith("{") else f'"{each}"' for each in voices)
    rest = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[routes.{name}]\nlanguage = "en-us"\nvoices = [{listed}]\n{rest}'


def say(door, text, voice="route:support", rate=1.0):
    chunks = list(door.speak(Script.from_text(text), voice, rate))
    assert {chunk.sample_rate for chunk in chunks} == {8000}
    return chunks, told(line_of(chunks))


def heard_words(chunks, text):
    return [text[word.char_start : word.char_end].lower() for chunk in chunks for word in chunk.words]


@pytest.mark.parametrize(
    ("kind", "transport", "deed"),
    [
        *(("azure", "http", deed) for deed in DEEDS),
        *(("elevenlabs", "websocket", deed) for deed in (*DEEDS, "says-busy", "says-error", "says-denied")),
    ],
)
def test_who_fails_before_the_first_sound_is_not_heard_of(tmp_path, kind, transport, deed):
    text = provider(kind, f"low.{deed}", transport=transport) + provider(
        "cartesia", "high.well", transport=transport
    )
    door, abroad = opened(tmp_path, text + route(f"{kind}:low-{deed}", "cartesia:high-well"))
    chunks, words = say(door, TEXT)
    assert words == [("high", word) for word in bare(TEXT)]
    assert heard_words(chunks, TEXT) == bare(TEXT)
    assert {chunk.voice for chunk in chunks} == {"cartesia:high-well"}
    assert all(chunk.stands_in for chunk in chunks if chunk.words)
    assert abroad.fail_overs() == {("route:support", f"{kind}:low-{deed}", "before"): 1}
    abroad.close()


@pytest.mark.parametrize(
    ("kind", "transport", "deed"),
    [
        ("elevenlabs", "http", "half"),
        ("elevenlabs", "http", "halts"),
        ("elevenlabs", "http", "drip"),
        ("azure", "http", "half"),
        ("openai", "http", "halts"),
        *(("elevenlabs", "websocket", deed) for deed in ("half", "halts", "drip", "closes", "junk")),
        *((kind, "websocket", "half") for kind in ("deepgram", "cartesia")),
    ],
)
def test_who_fails_in_the_middle_is_followed_from_that_word(tmp_path, kind, transport, deed):
    text = provider(kind, f"low.{deed}", transport=transport) + provider(
        "deepgram", "high.well", name="other"
    )
    door, abroad = opened(tmp_path, text + route(f"{kind}:low-{deed}", "other:high-well"))
    chunks, words = say(door, TEXT)
    assert [word for _, word in words] == bare(TEXT)
    assert heard_words(chunks, TEXT) == bare(TEXT)
    assert runs(words) == ["low", "high"]
    assert abroad.fail_overs() == {("route:support", f"{kind}:low-{deed}", "after"): 1}
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_who_fails_at_a_later_clause_is_followed_from_that_clause(tmp_path, kind, transport):
    """The first two requests of this voice are answered well, by way of a voice that fails from then on."""
    voice = f"low.later-2.{kind}-{transport}"
    text = provider(kind, voice, transport=transport) + provider("openai", "high.well")
    door, abroad = opened(tmp_path, text + route(f"{kind}:{voice.replace('.', '-')}", "openai:high-well"))
    chunks, words = say(door, TEXT)
    assert words == [("low", word) for word in bare(TEXT)[:10]] + [("high", word) for word in bare(TEXT)[10:]]
    assert not any(chunk.stands_in for chunk in chunks[:3])
    assert chunks[-1].voice == "openai:high-well"
    abroad.close()


def test_marks_and_pauses_are_kept_once(tmp_path):
    text = provider("openai", "low.later-1") + provider("deepgram", "high.well")
    door, abroad = opened(tmp_path, text + route("openai:low-later-1", "deepgram:high-well"))
    script = Script.from_ssml(
        '<speak><mark name="a"/>Alpha bravo. <mark name="b"/>Charlie <mark name="c"/>delta.'
        '<break time="700ms"/>Echo.<mark name="d"/></speak>'
    )
    chunks = list(door.speak(script, "route:support"))
    assert [mark.name for chunk in chunks for mark in chunk.marks] == ["a", "b", "c", "d"]
    words = [word for chunk in chunks for word in chunk.words]
    marks = {mark.name: mark.sample for chunk in chunks for mark in chunk.marks}
    assert [marks[name] for name in "abc"] == [words[n].start_sample for n in (0, 2, 3)]
    assert words[4].start_sample - words[3].end_sample == pytest.approx(5600, abs=90)
    assert [who for who, _ in told(line_of(chunks))] == ["low"] * 2 + ["high"] * 3
    abroad.close()


def test_a_voice_of_our_own_is_the_last_resort(tmp_path):
    text = provider("azure", "low.error") + route("azure:low-error", "espeak:en-us")
    door, abroad = opened(tmp_path, text)
    chunks = list(door.speak(Script.from_text("Hello there."), "route:support"))
    own = list(door.speak(Script.from_text("Hello there."), "espeak:en-us"))
    assert len(line_of(chunks)) / 8000 == pytest.approx(len(line_of(own)) / own[0].sample_rate, abs=0.01)
    assert chunks[0].voice == "espeak:en-us"
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_a_provider_that_ails_is_left_alone_and_tried_again(tmp_path, kind, transport):
    voice = f"low.error.4.{kind}"
    text = provider(kind, voice, transport=transport) + route(
        f"{kind}:{voice.replace('.', '-')}", "espeak:en-us"
    )
    door, abroad = opened(tmp_path, text)
    desk = abroad.remotes[0].peer.desk
    now = [0.0]
    desk.clock = lambda: now[0]
    for _ in range(5):
        list(door.speak(Script.from_text("Alpha."), "route:support"))
    assert len(standin().asked(voice)) == 3, "after three failures it is not asked"
    now[0] = 5.0
    list(door.speak(Script.from_text("Alpha."), "route:support"))
    list(door.speak(Script.from_text("Alpha."), "route:support"))
    assert len(standin().asked(voice)) == 4, "one is tried, and fails"
    now[0] = 15.0
    _, words = say(door, "Alpha bravo.")
    assert words == [("low", "alpha"), ("low", "bravo")]
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_retry_after_is_honoured(tmp_path, kind, transport):
    voice = f"low.busy.1.{kind}"
    text = provider(kind, voice, transport=transport) + route(
        f"{kind}:{voice.replace('.', '-')}", "espeak:en-us"
    )
    door, abroad = opened(tmp_path, text)
    desk = abroad.remotes[0].peer.desk
    now = [0.0]
    desk.clock = lambda: now[0]
    list(door.speak(Script.from_text("Alpha."), "route:support"))
    now[0] = 29.0
    list(door.speak(Script.from_text("Alpha."), "route:support"))
    assert len(standin().asked(voice)) == 1
    now[0] = 30.0
    assert say(door, "Alpha.")[1] == [("low", "alpha")]
    abroad.close()


def test_conditions(tmp_path):
    text = (
        provider("azure", "low.well.cost", "low.well.load", price_per_million=1000, at_once=4)
        + provider("deepgram", "high.well.gold")
        + provider("openai", "high.well.de")
        + route(
            '{ voice = "deepgram:high-well-gold", tiers = ["gold"] }',
            '{ voice = "openai:high-well-de", languages = ["de"] }',
            '{ voice = "azure:low-well-cost", below_cost = 0.02 }',
            '{ voice = "azure:low-well-load", below_load = 0.5 }',
            "espeak:en-us",
        )
    )
    door, abroad = opened(tmp_path, text)
    names = {voice.name: voice.language for voice in door.voices() if voice.engine == "route"}
    assert names == {
        "route:support": "en-us", "route:support@gold": "en-us",
        "route:support/de": "de", "route:support/de@gold": "de",
    }  # fmt: skip

    def who(text, voice="route:support"):
        return {chunk.voice for chunk in door.speak(Script.from_text(text), voice)}

    assert who("Alpha bravo.") == {"azure:low-well-cost"}
    assert who("Alpha bravo charlie delta.") == {"azure:low-well-load"}, (
        "2.6 cents are too much for the first"
    )
    assert who("Alpha bravo.", "route:support@gold") == {"deepgram:high-well-gold"}
    assert who("Alpha bravo.", "route:support/de") == {"openai:high-well-de"}
    abroad.remotes[0].peer.desk._under_way += 2
    assert who("Alpha bravo charlie delta.") == {"espeak:en-us"}, "half of what it may do at once is in use"
    script = Script.from_ssml('<speak>Alpha. <lang xml:lang="de">Bravo.</lang></speak>')
    assert [c.voice for c in door.speak(script, "route:support") if c.words] == [
        "azure:low-well-cost",
        "openai:high-well-de",
    ]
    abroad.close()


def test_a_day_s_spending_ends_with_the_next_voice(tmp_path):
    text = provider("azure", "low.well.spend", price_per_million=1000, spend_day=0.02)
    door, abroad = opened(tmp_path, text + route("azure:low-well-spend", "espeak:en-us"))
    for expected in ("azure:low-well-spend", "espeak:en-us"):
        chunks = list(door.speak(Script.from_text("Alpha bravo."), "route:support"))
        assert {chunk.voice for chunk in chunks} == {expected}
    assert abroad.accounts()[0].spent == pytest.approx(0.012)
    with pytest.raises(EngineError, match=r"azure has cost 0.01 today, of 0.02 \(spend_day\)"):
        list(door.speak(Script.from_text("Alpha bravo."), "azure:low-well-spend"))
    assert len(standin().asked("low.well.spend")) == 1
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_a_late_first_octet_is_hedged(tmp_path, kind, transport):
    text = provider(kind, "low.slow", first_byte_ms=5000, transport=transport) + provider(
        "openai", "high.well"
    )
    door, abroad = opened(tmp_path, text + route(f"{kind}:low-slow", "openai:high-well", hedge_ms=100))
    began = time.monotonic()
    speech = door.speak(Script.from_text("Alpha bravo."), "route:support")
    chunks = [next(speech)]
    assert time.monotonic() - began < 0.5
    chunks += speech
    assert told(line_of(chunks)) == [("high", "alpha"), ("high", "bravo")]
    assert abroad.fail_overs() == {("route:support", f"{kind}:low-slow", "late"): 1}
    abroad.close()


def test_when_none_is_left_it_says_why(tmp_path):
    text = provider("azure", "low.error") + provider("deepgram", "high.busy")
    door, abroad = opened(tmp_path, text + route("azure:low-error", "deepgram:high-busy"))
    with pytest.raises(EngineError) as caught:
        list(door.speak(Script.from_text("Alpha."), "route:support"))
    assert "azure: it answered 500: oops" in str(caught.value)
    assert "deepgram: it answered 429" in str(caught.value)
    abroad.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_no_more_are_asked_at_once_than_may_be(tmp_path, kind, transport):
    door, abroad = opened(tmp_path, provider(kind, "low.slow.room", at_once=1, transport=transport))
    began = time.monotonic()
    speeches = [door.speak(Script.from_text("Alpha."), f"{kind}:low-slow-room") for _ in range(3)]
    parts = [next(speech.parts) for speech in speeches]
    assert not any(isinstance(part, Chunk) for part in parts), "all three are waited for"
    assert [told(line_of(list(speech))) for speech in speeches] == [[("low", "alpha")]] * 3
    assert time.monotonic() - began > 1.8, "one after the other, 0.6 s each"
    abroad.close()
