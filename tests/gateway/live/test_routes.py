"""Providers' voices and routes at the far end of a real RTP leg: a caller hears every word once.

The providers are stand-ins (tests/tts_core/remote/standin.py): the real ones cannot be had here. All legs speak
at the same time, and the tests look at what each of them heard.
"""

import time
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.running import RunningGateway
from tests.gateway.live.conftest import Api, Ear
from tests.gateway.live.test_metrics import DOCUMENTED, scraped
from tests.tts_core.remote.opened import KEY_VARIABLE, bare, provider, runs, standin, told
from tests.tts_core.remote.standin import KEY

TEXT = "Alpha bravo charlie delta. Echo foxtrot golf."
CLAUSES = 2
BEFORE = {"busy": "azure", "error": "openai", "stall": "elevenlabs", "noise": "azure"}
AFTER = {"half": "openai", "halts": "azure", "drip": "elevenlabs"}
DEEDS = BEFORE | AFTER


def _providers():
    """A route for each way to fail, over a provider of its own: none is left alone for another's failures."""
    text = provider("deepgram", "high.well.live", "high.well.direct")
    for deed, kind in DEEDS.items():
        text += provider(kind, f"low.{deed}", name=f"p-{deed}")
        voices = f'["p-{deed}:low-{deed}", "deepgram:high-well-live"]'
        text += f'[routes.{deed}]\nlanguage = "en-us"\nvoices = {voices}\n'
    text += provider("openai", "low.well.priced", name="good", price_per_million=15)
    text += '[routes.good]\nlanguage = "en-us"\nvoices = ["good:low-well-priced", "espeak:en-us"]\n'
    return text


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    file = tmp_path_factory.mktemp("providers") / "providers.toml"
    file.write_text(_providers())
    running = RunningGateway(rtp_ports="23000-23099", providers_file=file, warm_voices="")
    running.environment[KEY_VARIABLE] = KEY
    with running:
        client = Api(running.url)
        yield client
        client.close()


@pytest.fixture(scope="module")
def rounds(api):
    """What became of the utterance on each leg, and who was heard to say which word; two then said it again."""
    voices = {deed: f"route:{deed}" for deed in DEEDS} | {
        "good": "route:good", "direct": "deepgram:high-well-direct", "nobody": "p-stall:low-stall",
        "own": "espeak:en-us",
    }  # fmt: skip
    with ExitStack() as stack:
        ears = {name: stack.enter_context(_listening()) for name in voices}
        calls = {
            name: api.open(ears[name].port, voice=voice, codec="PCMA" if name == "direct" else "PCMU")
            for name, voice in voices.items()
        }
        first = {name: api.say(call, TEXT) for name, call in calls.items()}
        first = {name: api.wait(calls[name], said) for name, said in first.items()}
        heard = {name: _told(ears[name], call) for name, call in calls.items() if name != "own"}
        second = {name: api.say(calls[name], TEXT) for name in ("error", "good")}
        for name, said in second.items():
            api.wait(calls[name], said, ["speaking"])
        for call in calls.values():
            api.end(call)
    return first, heard


class _listening:
    def __enter__(self):
        self._ear = Ear()
        return self._ear

    def __exit__(self, *_):
        self._ear.close()


def _told(ear, call):
    time.sleep(0.1)
    try:
        return told(ear.recording(call["rtp"]["ssrc"]).pcm)
    except StopIteration:
        return []


@pytest.mark.parametrize("deed", DEEDS)
def test_the_caller_hears_every_word_once(rounds, deed):
    said, words = rounds[0][deed], rounds[1][deed]
    assert [word for _, word in words] == bare(TEXT)
    assert runs(words) == (["high"] if deed in BEFORE else ["low", "high"])
    assert (said["state"], said["spoken_text"]) == ("finished", TEXT)


def test_a_provider_s_voice_is_a_voice(api, rounds):
    offered = {voice["name"]: voice for voice in api.ask("GET", "/v1/voices")["voices"]}
    assert offered["deepgram:high-well-live"]["engine"] == "deepgram"
    assert offered["route:good"]["language"] == "en-us"
    said, words = rounds[0]["direct"], rounds[1]["direct"]
    assert words == [("high", word) for word in bare(TEXT)]
    assert (said["state"], said["spoken_text"]) == ("finished", TEXT)


def test_one_that_says_nothing_keeps_nobody_waiting(rounds):
    """Its own utterance fails; another leg's, made by the same thread, began while it was waited for."""
    first, heard = rounds
    assert (first["nobody"]["state"], first["nobody"]["cause"]) == ("failed", "error")
    assert heard["nobody"] == []
    assert first["own"]["first_audio_ms"] < first["stall"]["first_audio_ms"], "which waited for one like it"


def test_what_another_voice_stood_in_for_is_not_kept(rounds):
    """Two legs said the same again: one from the cache, the other by asking again."""
    assert len(standin().asked("low.well.priced")) == CLAUSES
    first_clause = [each for each in standin().asked("high.well.live") if each["text"].startswith("Alpha")]
    assert len(first_clause) == len(BEFORE) + 1


def test_providers_are_seen_in_metrics(api, rounds):
    time.sleep(0.3)
    assert _metric(api, "voxtrunk_provider_requests_total", provider="good", outcome="answered") == CLAUSES
    assert _metric(api, "voxtrunk_provider_requests_total", provider="p-busy", outcome="busy") == 1
    assert _metric(api, "voxtrunk_provider_left_alone", provider="p-busy") == 1, "it said Retry-After: 30"
    assert _metric(api, "voxtrunk_provider_characters_total", provider="good") == len(TEXT) - 1
    cost = pytest.approx(15e-6 * (len(TEXT) - 1))
    assert _metric(api, "voxtrunk_provider_spent_total", provider="good") == cost
    assert _metric(api, "voxtrunk_provider_first_audio_seconds_count", provider="good") == CLAUSES
    assert _metric(api, "voxtrunk_route_fail_overs_total", route="route:busy", when="before") == 1
    assert _metric(api, "voxtrunk_route_fail_overs_total", route="route:half", when="after") == 1
    got = scraped(api.http.base_url)
    for name in DOCUMENTED:
        if name.startswith(("voxtrunk_provider_", "voxtrunk_route_")):
            assert got[name] == DOCUMENTED[name], name


def test_a_leg_that_is_cut_drops_its_request(api, rounds):
    with _listening() as ear:
        call = api.open(ear.port, voice="p-halts:low-halts")
        said = api.say(call, TEXT)
        api.wait(call, said, ["speaking"])
        stopped = api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "all"})["stopped"]
        assert [each["id"] for each in stopped] == [said["id"]]
        api.end(call)
    deadline = time.monotonic() + 5
    while _metric(api, "voxtrunk_provider_requests_total", provider="p-halts", outcome="dropped") < 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert _metric(api, "voxtrunk_provider_requests_active", provider="p-halts") == 0


def _metric(api, name, **labels):
    families = text_string_to_metric_families(api.http.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
