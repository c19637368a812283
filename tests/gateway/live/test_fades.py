"""At the far end: speech that is stopped or paused dies away within 10 ms, and goes on from the same sample."""

import random
import time

import numpy as np
import pytest

from gateway.settings import Settings
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from telephony_codecs import decode
from tts_core import open_default

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))


def _words(text, settings):
    """Octets of a text, and its words in units of 10 ms."""
    source = VoiceSource(open_default(settings.voices_folder), settings.level_dbm0, settings.default_voice)
    stretches = list(source(Recipe("text", text, None, settings.default_voice, 1.0, 0.0, "PCMU", 20)))
    words = [word for stretch in stretches for word in stretch.words]
    return b"".join(stretch.payload for stretch in stretches), words


def _steepest(pcm):
    return np.abs(np.diff(pcm.astype(int))).max()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_stop_is_no_click(api, ear, codec):
    """A tone of 230 Hz, cut at whatever phase, is nowhere steeper than the tone, and gone 10 ms later."""
    listening, late = ear(), []
    for _ in range(2):
        call = api.open(listening.port, codec=codec, silence="send")
        said = api.say(call, prompt="tone-230")
        api.wait(call, said, ["speaking"])
        time.sleep(random.uniform(0.2, 0.25))
        begin_ns = time.monotonic_ns()
        (stopped,) = api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "current"})["stopped"]
        late.append((time.monotonic_ns() - begin_ns) / 1e6)
        time.sleep(0.06)
        api.end(call)
        pcm = listening.recording(call["rtp"]["ssrc"]).pcm
        begin = np.flatnonzero(np.abs(pcm) > 500)[0] // 160 * 160
        cut = begin + 8 * stopped["spoken_ms"]
        tone = pcm[begin + 400 : cut - 80]
        assert len(tone) > 1000
        assert _steepest(pcm[cut - 160 : cut + 320]) <= 1.1 * _steepest(tone)
        level = np.sqrt(np.mean(tone.astype(float) ** 2))
        fading = pcm[cut : cut + 80].astype(float)
        assert np.abs(fading[:20]).max() > 0.3 * np.abs(tone).max(), "it is there to begin with"
        assert np.sqrt(np.mean(fading[60:] ** 2)) < level / 4
        assert np.abs(pcm[cut + 80 :]).max() <= 8, "silence from 10 ms on"
    assert min(late) < 40, "what dies away keeps nobody waiting"


@pytest.mark.parametrize("at", ["now", "word"])
def test_a_pause_dies_away_and_goes_on_from_the_same_sample(api, ear, at):
    listening = ear()
    offline, words = _words(LONG, Settings())
    call = api.open(listening.port)
    said = api.say(call, LONG)
    api.wait(call, said, ["speaking"])
    time.sleep(random.uniform(0.2, 0.5))
    api.ask("POST", f"/v1/calls/{call['id']}/pause", {"at": at} if at == "word" else None, expect=200)
    time.sleep(0.7 if at == "word" else 0.1)
    paused = api.utterance(call, said)
    assert paused["state"] == "paused"
    api.ask("POST", f"/v1/calls/{call['id']}/resume", expect=200)
    time.sleep(0.3)
    api.end(call)
    heard, whole = listening.octets(call["rtp"]["ssrc"]), decode("PCMU", np.frombuffer(offline, np.uint8))
    ms = paused["spoken_ms"]
    at_octet = 8 * ms
    assert heard[:at_octet] == offline[:at_octet]
    end = decode("PCMU", np.frombuffer(heard[at_octet : at_octet + 160], np.uint8)).astype(float)
    next_10_ms = np.abs(whole[at_octet : at_octet + 80].astype(float))
    assert np.all(np.abs(end[:80]) <= 1.1 * next_10_ms + 16)
    assert np.abs(end[60:80]).max() <= 0.2 * next_10_ms.max() + 16
    assert np.abs(end[80:]).max() == 0
    if at == "word":
        cut = [word for word in words if 10 * word.start_unit + 10 < ms < 10 * word.end_unit - 10]
        assert not cut, "no word is cut; the last packet that is whole ends up to 10 ms before its end"
    rest = heard[at_octet + 160 + 80 : -160]  # it comes back within 10 ms, and the call's end cuts it
    assert len(rest) > 800
    assert rest == offline[at_octet + 80 : at_octet + 80 + len(rest)]
