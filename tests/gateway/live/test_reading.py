"""Text and SSML at the far end of a real RTP leg: what is read how long, where, how loud, and by whom."""

import httpx
import numpy as np
import pytest

from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode
from tests.gateway.live.conftest import PLS, Api, Ear

VOICE = "espeak:en-us"


@pytest.fixture
def heard(gateway):
    """``heard(text=… or ssml=…) -> (utterance, answer, marks by spoken_ms, pcm int16 at 8 kHz)``."""
    api, ear = Api(gateway.url), Ear()

    def hear(**what):
        call = api.open(ear.port, voice=VOICE)
        answer = api.say(call, **what)
        said = api.wait(call, answer)
        marks = {e["data"]["name"]: e["data"] for e in api.events(call) if e["type"] == "utterance.mark"}
        api.end(call)
        assert said["state"] == "finished", said
        return said, answer, marks, ear.recording(call["rtp"]["ssrc"]).pcm

    yield hear
    api.close()
    ear.close()


def pauses(pcm, shortest_ms=60):
    """(begin, length) in ms of each silence inside it."""
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > 40)
    gaps = np.diff(loud)
    return [(int(loud[at]) / 8, int(gaps[at] - 1) / 8) for at in np.flatnonzero(gaps > 8 * shortest_ms)]


def level(pcm):
    return 20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)))


def test_a_break_is_as_long_as_it_says_and_a_mark_falls_on_its_word(heard):
    said, answer, marks, pcm = heard(
        ssml="<speak>Please wait<break time='500ms'/><mark name='now'/>now <bogus>or</bogus> later</speak>"
    )
    assert any("<bogus>" in warning for warning in answer["warnings"])
    assert said["spoken_text"] == "Please waitnow or later"
    (pause,) = [found for found in pauses(pcm) if found[1] > 300]
    assert pause[1] == pytest.approx(500, abs=40), "less what is faint at the edges of two words"
    assert said["last_mark"] == "now"
    assert marks["now"]["at_ms"] == pytest.approx(sum(pause), abs=40), "where the sound begins again"


def test_digits_are_said_in_groups_and_text_is_told_as_it_was_written(heard):
    text = "Code 12345678."
    said, _, _, pcm = heard(text=text)
    assert (said["text"], said["spoken_text"]) == (text, text)
    spelled = "Code one two three four, five six seven eight."
    offline = encode_text(spelled, VOICE, "PCMU", Settings())
    assert len(pcm) == pytest.approx(len(offline), abs=1600)
    groups = [found for found in pauses(pcm, 90) if found[1] > 90]
    assert len(groups) >= 1, "a pause between the groups of four"


def test_louder_is_louder_by_so_many_decibels(heard):
    _, _, _, plain = heard(text="One two three four")
    _, _, _, soft = heard(ssml="<speak><prosody volume='-9dB'>One two three four</prosody></speak>")
    assert len(plain) == len(soft)
    assert level(plain) - level(soft) == pytest.approx(9, abs=0.7)


def test_two_languages_in_a_sentence_with_word_times_right_through(heard, gateway):
    ssml = "<speak>We say <lang xml:lang='de'>achtung</lang> and <voice name='nobody'>mind</voice></speak>"
    said, answer, _, pcm = heard(ssml=ssml)
    assert answer["warnings"] == ["no voice is named 'nobody': espeak:en-us says it"]
    assert said["spoken_text"] == "We say achtung and mind"
    parts = [("We say,", VOICE), ("achtung,", "espeak:de"), ("and,", VOICE)]
    lengths = [len(encode_text(text, voice, "PCMU", Settings())) for text, voice in parts]
    assert len(pcm) == pytest.approx(sum(lengths) + 2000, rel=0.25)
    german = encode_text("achtung,", "espeak:de", "PCMU", Settings())
    wanted = decode(Law("PCMU"), np.frombuffer(german, np.uint8)).astype(float)[400:2800]
    like = np.correlate(pcm.astype(float), wanted, "valid")
    energy = np.convolve(pcm.astype(float) ** 2, np.ones(len(wanted)), "valid")
    match = like / np.sqrt(np.maximum(energy, 1) * np.sum(wanted**2))
    assert match.max() > 0.9, "the German voice's own sound is in the midst of it"
    assert 0.15 < match.argmax() / len(pcm) < 0.7


def test_a_lexicon_that_is_named_says_its_words(heard, gateway):
    _, _, _, plain = heard(text="This is the gateway")
    said, _, _, named = heard(text="This is Voxtrunk", lexicons=["names"])
    assert said["spoken_text"] == "This is Voxtrunk"
    assert np.array_equal(plain, named)
    with httpx.Client(base_url=gateway.url) as http:
        call = http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": 9}}).json()
        for names, code in (
            (["none"], "unknown_lexicon"),
            (["bad"], "bad_lexicon"),
            (["../bad"], "unknown_lexicon"),
        ):
            answer = http.post(f"/v1/calls/{call['id']}/utterances", json={"text": "x", "lexicons": names})
            assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_lexicon_of_all_speech_is_put_reloaded_and_kept_when_a_bad_one_comes(api, ear, lexicons):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    done = 0

    def hears(said, text):
        nonlocal done
        now = api.wait(call, api.say(call, text))
        assert now["spoken_text"] == text
        begin, done = done, done + 8 * now["spoken_ms"]
        listening.wait(call["rtp"]["ssrc"], done)
        heard = listening.octets(call["rtp"]["ssrc"])[begin:done]
        return heard == encode_text(said, VOICE, "PCMU", Settings())

    def pls(alias):
        return PLS.replace("the gateway", alias).encode()

    assert hears("Voxtrunk", "Voxtrunk")
    try:
        assert api.http.put("/v1/lexicons/global", content=pls("gate")).status_code == 201
        assert hears("gate", "Voxtrunk"), "and not what was in the cache"
        (lexicons / "global.pls").write_bytes(pls("cat"))
        answer = api.ask("POST", "/v1/admin/reload")
        assert "global.pls" in answer["changed"]["lexicons"]
        assert "lexicons" not in answer["errors"]
        assert hears("cat", "Voxtrunk")
        (lexicons / "global.pls").write_text("<lexicon><lexeme/></lexicon>")
        answer = api.ask("POST", "/v1/admin/reload")
        assert "global.pls: line 1" in answer["errors"]["lexicons"][0]
        assert hears("my cat", "my Voxtrunk"), "the old one stays in force, for what is made anew, too"
    finally:
        assert api.http.delete("/v1/lexicons/global").status_code == 204
    assert hears("Voxtrunk", "Voxtrunk")
    api.end(call)
