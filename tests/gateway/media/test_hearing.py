"""Who is heard: espeak's speech is, and silence, hiss, hum, clicks and rumble are not."""

import numpy as np
import pytest

from gateway.media.hearing import Hearing
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, encode

RNG = np.random.default_rng(5)
S = 8000
MS = 1_000_000


def _level(pcm, dbm0):
    rms = 32768 * 10 ** ((dbm0 - 6.15) / 20)
    return np.clip(pcm * rms / np.sqrt(np.mean(pcm**2)), -32768, 32767)


def _white(seconds, dbm0):
    return _level(RNG.normal(size=int(seconds * S)), dbm0)


def _brown(seconds, dbm0):
    wave = np.cumsum(RNG.normal(size=int(seconds * S)))
    return _level(np.diff(wave - np.convolve(wave, np.ones(400) / 400, "same"), prepend=0) + 1e-9, dbm0)


def _telephone(wave):
    """300 to 3400 Hz."""
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / S)
    spectrum[(hz < 300) | (hz > 3400)] = 0
    return np.fft.irfft(spectrum, len(wave))


def _hum(seconds, dbm0):
    t = np.arange(int(seconds * S)) / S
    return _level(np.sin(2 * np.pi * 50 * t) + 0.3 * np.sin(2 * np.pi * 150 * t), dbm0)


def _clicks(seconds):
    wave = np.zeros(int(seconds * S))
    wave[:: S // 3] = 20000
    return wave


def _swelling(seconds):
    return _telephone(_white(seconds, -30)) * np.linspace(0, 1, int(seconds * S))


def _octets(pcm, law=Law.PCMU):
    return encode(law, np.rint(pcm).astype(np.int16)).tobytes()


def _listen(octets, law=Law.PCMU, ptime=20, confirm_ms=0, lose=()):
    """(kind, at ms, voice_ms) of all that is heard, from packets of ``ptime``."""
    hearing, told = Hearing(confirm_ms), []
    size = 8 * ptime
    for n in range(len(octets) // size):
        if n in lose:
            continue
        packet = octets[n * size : (n + 1) * size]
        heard = hearing.hear(5, n * size + 2**32 - 1000 & 0xFFFFFFFF, packet, law, n * ptime * MS)
        told += [(one.kind, (n + 1) * ptime, one.voice_ms) for one in heard]
    return told


@pytest.fixture(scope="module")
def speech():
    """Three seconds of a quiet line, then espeak, then three more; PCMU."""
    said = encode_text("Yes, I would like to book a table for two.", "espeak:en-us", "PCMU", Settings())
    return b"\xff" * 24000 + said + b"\xff" * 24000


@pytest.mark.parametrize(
    "noise",
    [
        np.zeros(5 * S),
        _white(5, -60),
        _white(5, -30),
        np.concatenate([np.zeros(2 * S), _white(4, -30)]),
        np.concatenate([np.zeros(2 * S), _telephone(_white(4, -20))]),
        np.concatenate([_white(2, -50), _brown(4, -20)]),
        np.concatenate([np.zeros(2 * S), _hum(4, -25)]),
        np.concatenate([np.zeros(2 * S), _clicks(4)]),
        np.concatenate([np.zeros(2 * S), _swelling(4)]),
    ],
    ids=["silence", "quiet hiss", "hiss", "sudden hiss", "sudden loud", "rumble", "hum", "clicks", "breath"],
)
@pytest.mark.parametrize("law", list(Law))
def test_what_is_no_voice_is_not_heard(noise, law):
    assert _listen(_octets(noise, law), law) == []


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_speech_is_heard_soon_and_its_end_too(speech, ptime):
    told = _listen(speech, ptime=ptime)
    assert [kind for kind, _, _ in told] == ["started", "stopped"]
    begin = np.flatnonzero(np.abs(np.frombuffer(speech, np.uint8).astype(int) - 0xFF) % 128 > 20)[0] / 8
    assert 50 <= told[0][1] - begin <= 130, "ms after its first sound"
    assert told[1][1] > len(speech) / 8 - 3000, "not before it is over"
    assert told[1][2] > 800


def test_speech_over_noise_is_heard(speech):
    from telephony_codecs import decode

    pcm = decode(Law.PCMU, np.frombuffer(speech, np.uint8)).astype(float)
    told = _listen(_octets(pcm + _telephone(_white(len(pcm) / S, -40))))
    assert [kind for kind, _, _ in told][:1] == ["started"]
    assert told[0][1] > 3000


def test_lost_and_late_packets_do_no_harm(speech):
    told = _listen(speech, lose=set(RNG.choice(len(speech) // 160, 40)))
    kinds = [kind for kind, _, _ in told]
    assert kinds == ["started", "stopped"] * (len(kinds) // 2) != []
    hearing = Hearing(0)
    assert hearing.hear(5, 1000, speech[24000:24160], Law.PCMU, 0) == []
    assert hearing.hear(5, 500, speech[24000:24160], Law.PCMU, 0) == []
    assert hearing.hear(5, 1160, b"", Law.PCMU, 0) == []
    assert hearing.hear(5, 1160, b"\x00" * 7, Law.PCMU, 0) == []


def test_a_caller_who_stops_sending_has_stopped_speaking(speech):
    hearing, told = Hearing(0), []
    for n in range(220):
        told += hearing.hear(5, 160 * n, speech[160 * n : 160 * n + 160], Law.PCMU, 20 * n * MS)
    assert hearing.speaking
    assert [one.kind for one in hearing.miss()] == ["stopped"]


def test_it_is_confirmed_by_as_much_voice_as_was_asked_for(speech):
    told = _listen(speech, confirm_ms=300)
    assert [kind for kind, _, _ in told] == ["started", "confirmed", "stopped"]
    assert 300 <= told[1][2] < 330
    cough = b"\xff" * 8000 + speech[24000 : 24000 + 8 * 180] + b"\xff" * 8000
    assert [kind for kind, _, _ in _listen(cough, confirm_ms=300)] == ["started", "stopped"]


@pytest.mark.parametrize(("ssrc", "jump"), [(6, 0), (6, -(2**20)), (6, 2**20), (5, -(2**20)), (5, 2**31)])
def test_a_caller_whose_clock_begins_anew_goes_on_being_heard(speech, ssrc, jump):
    """As it does when a call is transferred, or comes back from hold."""
    hearing, told, middle = Hearing(0), [], 24000 + 8 * 600
    for n in range(0, len(speech) - 160, 160):
        later = n >= middle
        at = n + 2**21 + (jump if later else 0)
        told += hearing.hear(
            ssrc if later else 5, at & 0xFFFFFFFF, speech[n : n + 160], Law.PCMU, n // 8 * MS
        )
    assert [one.kind for one in told] == ["started", "stopped"]
    assert told[1].voice_ms > 800


def test_what_comes_faster_than_anybody_speaks_is_not_listened_to(monkeypatch):
    hearing, listened = Hearing(0), []
    monkeypatch.setattr(hearing, "_is_voice", lambda frame, ms, law: bool(listened.append(ms)))
    flood = bytes(2032)
    for n in range(4000):  # ten seconds of 400 packets a second, 250 ms in each
        hearing.hear(5, len(flood) * n, flood, Law.PCMU, n * 2_500_000)
    assert 10_000 <= sum(listened) < 11_500
