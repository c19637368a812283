"""What the far end hears, decoded from the socket: tones, speech, cuts, and nobody else's words."""

import random
import time

import numpy as np
import pytest

from gateway.listen.analysis import analyse
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it sleeps."
LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))


def _spectrum(pcm):
    window = pcm.astype(float) * np.hanning(len(pcm))
    return np.abs(np.fft.rfft(window)), np.fft.rfftfreq(len(pcm), 1 / 8000)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_tone_in_fft_out(api, ear, codec):
    listening = ear()
    call = api.open(listening.port, codec=codec)
    assert call["rtp"]["payload_type"] == {"PCMU": 0, "PCMA": 8}[codec]
    said = api.wait(call, api.say(call, prompt="tone-1000"))
    api.end(call)
    recording = listening.recording(call["rtp"]["ssrc"])
    assert said["duration_ms"] == said["spoken_ms"] == 2000
    assert len(recording.pcm) == 16000
    size, hz = _spectrum(recording.pcm[800:-800])
    assert hz[size.argmax()] == pytest.approx(1000, abs=1)
    tone = np.abs(hz - 1000) < 20
    noise = 20 * np.log10(np.sqrt((size[tone] ** 2).sum() / (size[~tone] ** 2).sum()))
    assert noise > 33, "G.711 gives a tone of this level 37 dB or so"
    rms = 20 * np.log10(np.std(recording.pcm[800:-800] / 32768)) + 6.15
    assert rms == pytest.approx(-20, abs=0.5), "brought to a telephone's level"


def test_what_a_telephone_cannot_carry_does_not_alias(api, ear):
    listening = ear()
    call = api.open(listening.port)
    api.wait(call, api.say(call, prompt="tone-24k-5000"))
    api.end(call)
    pcm = listening.recording(call["rtp"]["ssrc"]).pcm
    assert len(pcm) == pytest.approx(16000, abs=160)
    assert np.sqrt(np.mean(pcm[800:-800].astype(float) ** 2)) < 32768 * 10 ** (-60 / 20)


@pytest.mark.parametrize(
    ("codec", "ptime"), [("PCMU", 20), ("PCMA", 20), ("PCMU", 10), ("PCMA", 30), ("PCMU", 60)]
)
def test_speech_arrives_octet_for_octet(api, ear, codec, ptime):
    listening = ear()
    call = api.open(listening.port, codec=codec, ptime=ptime)
    said = api.wait(call, api.say(call, SENTENCE))
    final = api.end(call)
    offline = encode_text(SENTENCE, None, codec, Settings(), ptime)
    heard = listening.octets(call["rtp"]["ssrc"])
    assert heard == offline
    assert said["spoken_ms"] == said["duration_ms"] == len(offline) // 8
    assert said["spoken_text"] == SENTENCE
    assert said["remaining_text"] == ""
    assert said["underruns"] == 0
    assert final["statistics"]["packets"] == len(offline) // (8 * ptime)
    pcm = decode(Law(codec), np.frombuffer(heard, np.uint8)).astype(float)
    size, hz = _spectrum(pcm)
    voice = (hz > 300) & (hz < 3400)
    assert (size[voice] ** 2).sum() / (size[(hz > 3600)] ** 2).sum() > 100


def test_two_utterances_share_ssrc_and_clock_without_a_gap(api, ear):
    listening = ear()
    call = api.open(listening.port)
    first = api.say(call, "One two three four five six seven eight nine ten.", id="first")
    second = api.say(call, "Eleven twelve thirteen.")
    assert (first["position"], second["position"]) == (0, 1)
    ended = [api.wait(call, said) for said in (first, second)]
    api.end(call)
    packets, _ = listening.hear()
    (report,) = analyse(packets)
    assert report.lost == report.duplicates == report.reordered == report.timestamp_jumps == 0
    assert np.all(np.diff(packets["timestamp"]) == 160)
    assert report.packets * 20 == sum(said["spoken_ms"] for said in ended)
    assert packets["marker"].tolist() == [1] + [0] * (len(packets) - 1)
    types = [(e["type"], e["utterance_id"]) for e in api.events(call)]
    assert types == [
        ("call.opened", None),
        ("utterance.started", "first"),
        ("utterance.finished", "first"),
        ("utterance.started", second["id"]),
        ("utterance.finished", second["id"]),
        ("call.closed", None),
    ]
    assert [e["seq"] for e in api.events(call)] == list(range(1, 7))


def test_silence_is_sent_while_idle_and_the_clock_never_stops(api, ear):
    listening = ear()
    call = api.open(listening.port, silence="send", codec="PCMA")
    time.sleep(0.4)
    api.wait(call, api.say(call, "Hello."))
    time.sleep(0.3)
    api.end(call)
    packets, _ = listening.hear()
    assert np.all(np.diff(packets["timestamp"]) == 160)
    assert np.all(np.diff(packets["seq"]) == 1)
    assert packets["marker"].sum() == 1
    octets = listening.octets(call["rtp"]["ssrc"])
    assert octets.startswith(b"\xd5" * 160 * 10)
    assert octets.endswith(b"\xd5" * 160 * 5)


def test_stop_in_mid_word_reports_what_was_heard_to_the_frame(api, ear):
    listening = ear()
    offline = encode_text(LONG, None, "PCMU", Settings())
    for _ in range(5):
        call = api.open(listening.port)
        said = api.say(call, LONG)
        api.wait(call, said, ["speaking"])
        time.sleep(random.uniform(0.3, 1.5))
        begin_ns = time.monotonic_ns()
        (stopped,) = api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "current"})["stopped"]
        time.sleep(0.2)
        assert stopped["state"] == "stopped"
        heard = listening.octets(call["rtp"]["ssrc"])
        assert stopped["spoken_ms"] == len(heard) // 8 - 20, "what dies away does not count"
        assert offline.startswith(heard[:-160]), "what was heard is the beginning of what was said"
        assert stopped["spoken_text"] + stopped["remaining_text"] == LONG
        assert 0 < len(stopped["spoken_text"]) < len(LONG)
        packets, _ = listening.hear()
        last_ns = packets["t_ns"][packets["ssrc"] == call["rtp"]["ssrc"]].max()
        assert (last_ns - begin_ns) / 1e6 < 60, "a frame, and room for a busy machine"
        api.end(call)


def test_interrupt_cuts_the_current_keeps_the_queue_and_no_old_sample_follows(api, ear):
    listening = ear()
    call = api.open(listening.port)
    cut, kept = api.say(call, LONG), api.say(call, "This was waiting.")
    api.wait(call, cut, ["speaking"])
    time.sleep(0.7)
    now = api.say(call, "Excuse me.", mode="interrupt")
    ended = {name: api.wait(call, said) for name, said in (("cut", cut), ("now", now), ("kept", kept))}
    api.end(call)
    assert (ended["cut"]["state"], ended["now"]["state"], ended["kept"]["state"]) == (
        "stopped",
        "finished",
        "finished",
    )
    octets = listening.octets(call["rtp"]["ssrc"])
    at = 8 * ended["cut"]["spoken_ms"]
    encoded = {
        text: encode_text(text, None, "PCMU", Settings())
        for text in (LONG, "Excuse me.", "This was waiting.")
    }
    assert octets[:at] == encoded[LONG][:at]
    follows = encoded["Excuse me."] + encoded["This was waiting."]
    gap = len(octets) - at - len(follows)
    assert gap in (0, 160), "it dies away under what follows, or in a packet before it"
    assert octets[at + gap + 80 * (gap == 0) :] == follows[80 * (gap == 0) :]


def test_unqueue_one_and_never_another(api, ear):
    listening = ear()
    call = api.open(listening.port)
    texts = [f"Text number {n}." for n in range(4)]
    said = [api.say(call, text) for text in texts]
    stopped = api.ask("DELETE", f"/v1/calls/{call['id']}/utterances/{said[1]['id']}", expect=200)["stopped"]
    assert [(u["id"], u["spoken_ms"]) for u in stopped] == [(said[1]["id"], 0)]
    states = [api.wait(call, one)["state"] for one in said]
    api.end(call)
    assert states == ["finished", "stopped", "finished", "finished"]
    encoded = [encode_text(text, None, "PCMU", Settings()) for text in texts]
    assert listening.octets(call["rtp"]["ssrc"]) == encoded[0] + encoded[2] + encoded[3]


def test_pause_and_resume_from_the_same_sample(api, ear):
    listening = ear()
    call = api.open(listening.port)
    said = api.say(call, LONG)
    api.wait(call, said, ["speaking"])
    time.sleep(0.5)
    api.ask("POST", f"/v1/calls/{call['id']}/pause", expect=200)
    time.sleep(0.1)
    at = len(listening.octets(call["rtp"]["ssrc"]))
    time.sleep(0.4)
    assert len(listening.octets(call["rtp"]["ssrc"])) == at
    assert api.utterance(call, said)["state"] == "paused"
    api.ask("POST", f"/v1/calls/{call['id']}/pause", expect=409)
    api.ask("POST", f"/v1/calls/{call['id']}/resume", expect=200)
    time.sleep(0.5)
    api.end(call)
    heard = listening.octets(call["rtp"]["ssrc"])
    assert len(heard) > at
    offline = encode_text(LONG, None, "PCMU", Settings())
    assert offline.startswith(heard[: at - 160]), "the last packet before the pause dies away"
    assert offline[at - 160 + 80 :].startswith(heard[at + 80 : -160]), "and its first 10 ms come up again"


def test_two_hundred_calls_each_hear_their_own_and_only_their_own(api, ear):
    listening = ear(4)
    texts = [f"You are caller {n}, and your number is {n * 7919 % 10000:04d}." for n in range(200)]
    calls = []
    for n, text in enumerate(texts):
        call = api.open(listening.receiver.local_ports[n % 4])
        calls.append((call, api.say_patiently(call, text)))
    ended = [api.wait(call, said) for call, said in calls]
    for call, _ in calls:
        api.end(call)
    assert {said["state"] for said in ended} == {"finished"}
    for (call, _), text in zip(calls, texts, strict=True):
        assert listening.octets(call["rtp"]["ssrc"]) == encode_text(text, None, "PCMU", Settings())


def test_twenty_thousand_characters_are_spoken_as_they_are_made(api, ear):
    listening = ear()
    call = api.open(listening.port)
    text = (LONG * 60)[:20_000]
    said = api.say(call, text)
    begun = api.wait(call, said, ["speaking"], seconds=5)
    assert begun["first_audio_ms"] < 1000
    assert begun["duration_ms"] is None, "the rest is not made yet"
    time.sleep(2)
    (stopped,) = api.ask("DELETE", f"/v1/calls/{call['id']}/utterances/{said['id']}")["stopped"]
    assert stopped["underruns"] == 0
    assert stopped["spoken_ms"] >= 1500
    api.ask("POST", f"/v1/calls/{call['id']}/utterances", {"text": "x" * 20_001}, expect=413)
    api.end(call)


@pytest.mark.parametrize(
    "text", ["\x00\x01\x1b[2J", "\ud800", "\u202eabc", "مرحبا بالعالم", "🙂🙃 ok 👩‍👩‍👧", "ok\u0000ok", "…"]
)
def test_text_that_nobody_can_say_neither_crashes_nor_stalls(api, ear, text):
    listening = ear()
    call = api.open(listening.port)
    said = api.http.post(
        f"/v1/calls/{call['id']}/utterances",
        content='{"text": "' + "".join(f"\\u{ord(c):04x}" for c in text if ord(c) < 65536) + '"}',
        headers={"content-type": "application/json"},
    )
    assert said.status_code in (202, 422), said.text
    after = api.wait(call, api.say(call, "Still here."))
    assert after["state"] == "finished"
    assert listening.octets(call["rtp"]["ssrc"]).endswith(
        encode_text("Still here.", None, "PCMU", Settings())
    )
    api.end(call)


def test_a_cached_text_starts_on_the_next_frame_and_is_the_same(api, ear):
    listening = ear()
    call = api.open(listening.port)
    text = "Thank you for calling, please hold the line."
    ended = [api.wait(call, api.say(call, text)) for _ in range(3)]
    api.end(call)
    offline = encode_text(text, None, "PCMU", Settings())
    assert listening.octets(call["rtp"]["ssrc"]) == offline * 3
    cached = [e["data"]["cached"] for e in api.events(call) if e["type"] == "utterance.started"]
    assert cached == [False, True, True]
    assert min(said["first_audio_ms"] for said in ended[1:]) < 35
    metrics = api.http.get("/metrics").text
    hits = [line for line in metrics.splitlines() if line.startswith("voxtrunk_cache_hits_total")]
    assert hits
    time.sleep(1.2)


def test_marks_and_breaks_fall_where_they_stand(api, ear):
    listening = ear()
    call = api.open(listening.port)
    ssml = '<speak>Press one <mark name="here"/> now. <break time="500ms"/> Goodbye.</speak>'
    said = api.wait(call, api.say(call, None, ssml=ssml))
    api.end(call)
    (mark,) = [e for e in api.events(call) if e["type"] == "utterance.mark"]
    assert mark["data"]["name"] == "here"
    assert said["last_mark"] == "here"
    pcm = listening.recording(call["rtp"]["ssrc"]).pcm
    quiet = np.abs(pcm.astype(int)) < 100
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]]))))[::2]
    assert runs.max() / 8 == pytest.approx(500, abs=120)
