"""Templates: what never changes is made once, slots are filled, and the whole is right to the word."""

import wave

import numpy as np
import pytest

from gateway.api.requests import PromptSlot
from gateway.api.saying import fill
from gateway.messages.synthesis import Piece, Resume, Speak
from gateway.speech.recipe import recipe_of
from gateway.speech.splice import CROSSFADE, Sound, Sounds, Splicer
from gateway.speech.voice import VoiceSource
from telephony_codecs import Law, active_speech_level, decode, write_wav
from tts_core import Chunk, Lexicon, Speech, Voice, open_default
from tts_core.script import Alias

VOICE = "espeak:en-us"
TEMPLATE = "Dear {name}, your balance is {amount}. Goodbye."


@pytest.fixture(scope="module")
def source():
    return VoiceSource(open_default(), -20.0, VOICE)


@pytest.fixture
def made(source, monkeypatch):
    """The texts that are really synthesised."""
    texts, speak = [], source._synthesiser.speak

    def counting(script, *rest, **more):
        texts.append(script.text)
        return speak(script, *rest, **more)

    monkeypatch.setattr(source._synthesiser, "speak", counting)
    return texts


def _speak(pieces, **more):
    return recipe_of(Speak(0, 0, 1, VOICE, 1.0, 0.0, pieces=pieces, **more), "PCMU", 20)


def _say(source, pieces, **more):
    stretches = list(source(_speak(pieces, **more)))
    payload = b"".join(stretch.payload for stretch in stretches)
    return payload, [word for stretch in stretches for word in stretch.words]


def _pcm(payload):
    return decode(Law.PCMU, np.frombuffer(payload, np.uint8)).astype(np.float32) / np.float32(32768)


def test_a_template_falls_into_pieces_that_have_something_to_say():
    whole, pieces = fill(TEMPLATE, {"name": "Ann", "amount": "42 dollars"}, {})
    assert whole == "Dear Ann, your balance is 42 dollars. Goodbye."
    assert [piece.text for piece in pieces] == [
        "Dear ",
        "Ann,",
        " your balance is ",
        "42 dollars.",
        " Goodbye.",
    ]
    for piece in pieces:
        assert whole[piece.char : piece.char + len(piece.text)] == piece.text
    whole, pieces = fill("{jingle} Hello!", {"jingle": PromptSlot(prompt="j")}, {"jingle": "/j.wav"})
    assert (whole, pieces) == (" Hello!", (Piece(0, "", "/j.wav"), Piece(0, " Hello!")))


def test_what_never_changes_is_made_once(source, made):
    whole, pieces = fill(TEMPLATE, {"name": "Ann", "amount": "42 dollars"}, {})
    first, words = _say(source, pieces)
    assert len(made) == 5
    del made[:]
    _, others = fill(TEMPLATE, {"name": "Ann", "amount": "7 dollars"}, {})
    second, _ = _say(source, others)
    assert made == ["7 dollars."]
    at = words[[whole[w.char_start : w.char_end] for w in words].index("42")].start_unit
    assert first[: 80 * at - 2 * CROSSFADE] == second[: 80 * at - 2 * CROSSFADE]
    assert first != second


def test_words_are_where_they_sound_and_nothing_is_lost_between_pieces(source):
    whole, pieces = fill(TEMPLATE, {"name": "Ann", "amount": "42 dollars"}, {})
    payload, words = _say(source, pieces)
    texts = [whole[word.char_start : word.char_end] for word in words]
    assert texts == ["Dear", "Ann", "your", "balance", "is", "42", "dollars", "Goodbye"]
    assert all(word.start_unit < word.end_unit for word in words)
    assert [word.start_unit for word in words] == sorted(word.start_unit for word in words)
    assert words[-1].end_unit <= len(payload) // 80
    pcm = _pcm(payload)
    assert active_speech_level(pcm, 8000).dbov == pytest.approx(-26.15, abs=2.5)
    for word in words:
        assert np.abs(pcm[80 * word.start_unit : 80 * word.end_unit]).max() > 0.02, "it sounds there"
    plain = b"".join(
        s.payload for s in source(recipe_of(Speak(0, 0, 1, VOICE, 1.0, 0.0, text=whole), "PCMU", 20))
    )
    assert len(payload) == pytest.approx(len(plain), rel=0.35), "and takes about as long as said in one"


def test_the_rest_of_a_template_joins_what_was_sent(source):
    _, pieces = fill(TEMPLATE, {"name": "Ann", "amount": "42 dollars"}, {})
    payload, words = _say(source, pieces)
    word = words[4]
    rest, others = _say(source, pieces, resume=Resume(word.start_unit, word.char_start, 0, 0))
    assert rest == payload[80 * word.start_unit :]
    assert [other.char_start for other in others] == [other.char_start for other in words[4:]]
    assert others[0].start_unit == 0


def test_a_recording_fades_into_speech_and_back(source, tmp_path):
    t = np.arange(8000) / 8000
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes((9000 * np.sin(2 * np.pi * 230 * t)).astype("<i2").tobytes())
    _, pieces = fill("Listen: {tone} Thank you.", {"tone": PromptSlot(prompt="t")}, {"tone": str(path)})
    payload, _ = _say(source, pieces)
    pcm = _pcm(payload)
    size = np.abs(np.fft.rfft(pcm[: len(pcm) // 160 * 160].reshape(-1, 160), axis=1))
    tonal = size[:, 4:6].max(axis=1) > 0.8 * size.max(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], tonal & (size.max(axis=1) > 3), [0]))))
    first, last = max(edges.reshape(-1, 2).tolist(), key=lambda run: run[1] - run[0])
    assert (last - first) * 20 == pytest.approx(1000, abs=160)
    begin = pcm[first * 160 - 160 : first * 160 + 480]
    assert np.abs(np.diff(begin)).max() < 0.1, "no step where one takes over"


def test_two_sounds_of_which_one_is_recorded_are_faded_over_sixty_ms():
    splicer, one = Splicer(), np.ones(4000, np.float32)
    parts = [splicer.add(0, Sound(one)), splicer.add(0, Sound(-one, recorded=True)), splicer.end()]
    pcm = np.concatenate([part.pcm for part in parts])
    assert len(pcm) == 8000 - CROSSFADE
    assert np.abs(np.diff(pcm)).max() < 0.005


def test_a_piece_that_says_nothing_takes_no_time(source):
    payload, words = _say(source, (Piece(0, "Hello."), Piece(6, "…")))
    assert [word.char_start for word in words] == [0]
    assert len(payload) < 8 * 2500


def test_a_sound_that_two_made_at_once_counts_once():
    sounds, second = Sounds(), Sound(np.zeros(8000, np.float32))
    sounds.keep("first", second)
    for _ in range(2000):
        sounds.keep("again", second)
    assert sounds.find("first") is second
    assert sounds.find("again") is second


def test_a_piece_said_while_the_lexicon_changes_is_not_kept(made, monkeypatch, source):
    speak = source._synthesiser.speak
    pieces = (Piece(0, "Ferry terminal."),)

    def changing(script, *rest, **more):
        speech = speak(script, *rest, **more)
        monkeypatch.setattr(source._synthesiser, "speak", speak)
        source.follow((Lexicon("en", {"Ferry": Alias("boat")}),))
        return speech

    try:
        monkeypatch.setattr(source._synthesiser, "speak", changing)
        before, _ = _say(source, pieces)
        after, _ = _say(source, pieces)
        assert len(made) == 2
        assert before != after
        assert after == _say(source, pieces)[0]
        assert len(made) == 2, "the new reading is kept"
    finally:
        source.follow(())


def test_a_recording_in_speech_is_rounded_and_not_cut_off(source, tmp_path):
    path = tmp_path / "tone.wav"
    tone = (9000 * np.sin(2 * np.pi * 230 * np.arange(8000) / 8000)).astype(np.int16)
    write_wav(path, tone, 8000)
    played = source._recorded((str(path), None))
    exact = source._recording(str(path), None).pcm * 16384
    assert np.abs(played - exact).max() <= 0.5


class Route:
    """A synthesiser with a route, which a soft voice says as long as the loud one cannot."""

    resets = 0

    def __init__(self):
        self.stands_in = True

    def voices(self):
        return tuple(
            Voice(name, "en", name.partition(":")[0], "", "") for name in ("route:r", "a:loud", "a:soft")
        )

    def voice(self, name):
        return next(voice for voice in self.voices() if voice.name == name)

    def remote(self, voice):
        return None

    def load(self, voice):
        pass

    def speak(self, script, voice, rate=1.0, play=None):
        own = ("a:soft" if self.stands_in else "a:loud") if voice == "route:r" else voice
        wave = np.sin(np.arange(8000) * 0.4) * {"a:loud": 16000, "a:soft": 200}[own]
        told = own if voice == "route:r" else ""
        return Speech(
            iter([Chunk(wave.astype(np.int16), 8000, voice=told, stands_in=voice != own and self.stands_in)])
        )


def test_a_template_by_a_route_is_at_the_level_and_who_stood_in_is_not_kept():
    route = Route()
    source = VoiceSource(route, -20.0, "a:loud")
    recipe = recipe_of(Speak(0, 0, 1, "route:r", 1.0, 0.0, pieces=(Piece(0, "Hello."),)), "PCMU", 20)
    for stands_in, passing in ((True, True), (False, False), (True, False)):  # the last of what is kept
        route.stands_in = stands_in
        stretches = list(source(recipe))
        pcm = _pcm(b"".join(stretch.payload for stretch in stretches))
        assert active_speech_level(pcm, 8000).dbov == pytest.approx(-26.15, abs=0.5)
        assert [stretch.passing for stretch in stretches] == [passing] * 2
