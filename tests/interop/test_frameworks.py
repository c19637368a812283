"""Agent frameworks' own plug-ins against the gateway, by base URL alone. By hand, being heavy (extra frameworks).

What each plug-in hands to its framework is what the gateway says of the text: as long, as loud, in the same
bands, and with each word once and at its time. The versions that were run are in docs/.

In an environment of its own, as it cannot be there beside extra grpc, and by uv, which resolves it in a second:

    uv venv fw && uv pip install --python fw/bin/python '.[frameworks,sip,neural,bench]' pytest pytest-asyncio \
        pytest-timeout hypothesis && fw/bin/python -m pytest tests/interop/test_frameworks.py
"""

import base64
import warnings

import aiohttp
import httpx
import numpy as np
import pytest

from gateway.running import RunningGateway
from telephony_codecs import Law, decode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs, not ours
    livekit = pytest.importorskip("livekit.agents", reason="extra frameworks")
    pytest.importorskip("pipecat", reason="extra frameworks")
    from livekit.plugins import deepgram as livekit_deepgram
    from livekit.plugins import elevenlabs as livekit_elevenlabs
    from livekit.plugins import openai as livekit_openai
    from pipecat.frames.frames import (
        ErrorFrame,
        InterruptionFrame,
        LLMFullResponseStartFrame,
        TextFrame,
        TTSAudioRawFrame,
        TTSSpeakFrame,
        TTSTextFrame,
    )
    from pipecat.services.deepgram.tts import DeepgramHttpTTSService, DeepgramTTSService
    from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
    from pipecat.services.openai.tts import OpenAITTSService
    from pipecat.tests.utils import SleepFrame, run_test

pytestmark = pytest.mark.filterwarnings("ignore")
KEY = "the-key"
VOICE = "espeak:en-us"
TEXT = "Hello there, my friend. The total is five dollars."
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def url():
    with RunningGateway(api_keys=KEY, default_voice=VOICE, rtp_ports="25000-25999") as running:
        yield running.url


@pytest.fixture(scope="module")
def line(url):
    """What is said, as float at 8 kHz."""
    asked = {"model": VOICE, "encoding": "mulaw", "sample_rate": 8000, "container": "none"}
    headers = {"Authorization": f"Token {KEY}"}
    answer = httpx.post(f"{url}/v1/speak", params=asked, json={"text": TEXT}, headers=headers)
    return decode(Law.PCMU, np.frombuffer(answer.read(), np.uint8)).astype(float)


def alike(pcm, rate, line, slack=0.35):
    """``pcm`` is as long as ``line``, pauses of half a second aside, and as loud where it speaks."""
    assert len(pcm) / rate == pytest.approx(len(line) / 8000, abs=slack)
    level = 10 * np.log10((pcm**2).sum() / rate / ((line**2).sum() / 8000))
    assert abs(level) < 0.7
    power, hz = np.abs(np.fft.rfft(pcm)) ** 2, np.fft.rfftfreq(len(pcm), 1 / rate)
    true, true_hz = np.abs(np.fft.rfft(line)) ** 2, np.fft.rfftfreq(len(line), 1 / 8000)
    for low, high in ((200, 400), (400, 800), (800, 1600), (1600, 3200)):
        mine = power[(hz >= low) & (hz < high)].sum() / power.sum()
        theirs = true[(true_hz >= low) & (true_hz < high)].sum() / true.sum()
        assert mine == pytest.approx(theirs, rel=0.25, abs=0.01)


# -- LiveKit ------------------------------------------------------------------------------------------------


def livekit_plugins(url, http):
    return {
        "openai": lambda: livekit_openai.TTS(base_url=f"{url}/v1", api_key=KEY),
        "openai-wav": lambda: livekit_openai.TTS(
            base_url=f"{url}/v1", api_key=KEY, model="tts-1", voice="nova", response_format="wav"
        ),
        "elevenlabs": lambda: livekit_elevenlabs.TTS(base_url=f"{url}/v1", api_key=KEY, http_session=http),
        "elevenlabs-pcm": lambda: livekit_elevenlabs.TTS(
            base_url=f"{url}/v1", api_key=KEY, http_session=http, encoding="pcm_16000", voice_id=VOICE
        ),
        "deepgram": lambda: livekit_deepgram.TTS(base_url=f"{url}/v1/speak", api_key=KEY, http_session=http),
    }


async def gathered(stream):
    frames, words = [], []
    async for audio in stream:
        frames.append(audio.frame)
        words += audio.frame.userdata.get(livekit.types.USERDATA_TIMED_TRANSCRIPT, [])
    pcm = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames]).astype(float)
    return pcm, frames[0].sample_rate, words


@pytest.mark.parametrize("name", ["openai", "openai-wav", "elevenlabs", "elevenlabs-pcm", "deepgram"])
async def test_livekit_synthesizes(url, line, name):
    async with aiohttp.ClientSession() as http:
        tts = livekit_plugins(url, http)[name]()
        async with tts.synthesize(TEXT) as stream:
            pcm, rate, _ = await gathered(stream)
        await tts.aclose()
    alike(pcm, rate, line)


@pytest.mark.parametrize("name", ["elevenlabs", "elevenlabs-pcm", "deepgram"])
async def test_livekit_streams_as_it_is_written(url, line, name):
    async with aiohttp.ClientSession() as http:
        tts = livekit_plugins(url, http)[name]()
        tts.prewarm()
        for _ in range(2):  # on the same connection
            async with tts.stream() as stream:
                for at in range(0, len(TEXT), 5):
                    stream.push_text(TEXT[at : at + 5])
                stream.end_input()
                pcm, rate, words = await gathered(stream)
            alike(pcm, rate, line, slack=0.8)
            if name != "deepgram":
                assert [str(word).strip() for word in words if str(word).strip()] == WORDS
                starts = [word.start_time for word in words]
                assert starts == sorted(starts)
                assert len(line) / 8000 * 0.5 < starts[-1] < len(pcm) / rate
        await tts.aclose()


async def test_livekit_tells_what_is_wrong(url):
    async with aiohttp.ClientSession() as http:
        options = livekit.APIConnectOptions(max_retry=0)
        wrong = {
            401: livekit_deepgram.TTS(base_url=f"{url}/v1/speak", api_key="another", http_session=http),
            404: livekit_elevenlabs.TTS(
                base_url=f"{url}/v1", api_key=KEY, http_session=http, voice_id="nobody"
            ),
            400: livekit_openai.TTS(base_url=f"{url}/v1", api_key=KEY, voice="nobody"),
        }
        for status, tts in wrong.items():
            with pytest.raises(livekit.APIStatusError) as refused:
                async with tts.synthesize(TEXT, conn_options=options) as stream:
                    await gathered(stream)
            assert refused.value.status_code == status
            await tts.aclose()


# -- pipecat ------------------------------------------------------------------------------------------------


def pipecat_services(url, http):
    socket = url.replace("http", "ws", 1)
    return {
        "openai": lambda: OpenAITTSService(api_key=KEY, base_url=f"{url}/v1", sample_rate=24000),
        "elevenlabs": lambda: ElevenLabsTTSService(
            api_key=KEY,
            url=socket,
            sample_rate=16000,
            settings=ElevenLabsTTSService.Settings(voice="21m00Tcm4TlvDq8ikWAM"),
        ),
        "elevenlabs-http": lambda: ElevenLabsHttpTTSService(
            api_key=KEY,
            base_url=url,
            aiohttp_session=http,
            sample_rate=24000,
            settings=ElevenLabsHttpTTSService.Settings(
                voice="21m00Tcm4TlvDq8ikWAM", model="eleven_flash_v2_5"
            ),
        ),
        "deepgram": lambda: DeepgramTTSService(api_key=KEY, base_url=socket, sample_rate=16000),
        "deepgram-http": lambda: DeepgramHttpTTSService(
            api_key=KEY, base_url=url, aiohttp_session=http, sample_rate=24000
        ),
    }


def of(frames, kind):
    return [frame for frame in frames if isinstance(frame, kind)]


@pytest.mark.parametrize("name", ["openai", "elevenlabs", "elevenlabs-http", "deepgram", "deepgram-http"])
async def test_pipecat_speaks(url, line, name):
    async with aiohttp.ClientSession() as http:
        service = pipecat_services(url, http)[name]()
        told = [TTSSpeakFrame(TEXT), SleepFrame(3)]
        down, up = await run_test(service, frames_to_send=told)
    assert not of([*down, *up], ErrorFrame)
    audio = of(down, TTSAudioRawFrame)
    pcm = np.frombuffer(b"".join(frame.audio for frame in audio), np.int16).astype(float)
    rate = audio[0].sample_rate
    alike(np.trim_zeros(pcm), rate, line, slack=0.8)
    if name.startswith("elevenlabs"):
        said = of(down, TTSTextFrame)
        assert " ".join(frame.text.strip() for frame in said) == TEXT
        times = [frame.pts for frame in said]
        assert times == sorted(times)
        assert (times[-1] - times[0]) / 1e9 == pytest.approx(0.8 * len(line) / 8000, rel=0.25)


@pytest.mark.parametrize("name", ["elevenlabs", "deepgram"])
async def test_pipecat_is_interrupted_and_goes_on(url, name):
    long = " ".join(f"This is sentence number {n} of a long text." for n in range(40))
    async with aiohttp.ClientSession() as http:
        service = pipecat_services(url, http)[name]()
        told = [
            LLMFullResponseStartFrame(),
            TextFrame(long),
            SleepFrame(1),
            InterruptionFrame(),
            SleepFrame(1),
            TTSSpeakFrame("After it."),
            SleepFrame(2),
        ]
        down, up = await run_test(service, frames_to_send=told)
    assert not of([*down, *up], ErrorFrame)
    cut = next(at for at, frame in enumerate(down) if isinstance(frame, InterruptionFrame))
    before, after = of(down[:cut], TTSAudioRawFrame), of(down[cut:], TTSAudioRawFrame)
    assert before
    seconds = sum(len(frame.audio) for frame in after) / 2 / 16000
    assert 0.3 < seconds < 3, "what follows, and nothing of what was cut"


# -- the services' own SDKs ---------------------------------------------------------------------------------


def test_elevenlabs_own_client(url, line):
    elevenlabs = pytest.importorskip("elevenlabs")
    with httpx.Client() as http:
        speech = elevenlabs.ElevenLabs(base_url=url, api_key=KEY, httpx_client=http).text_to_speech
        asked = {"voice_id": VOICE, "text": TEXT, "output_format": "pcm_16000"}
        for method in (speech.convert, speech.stream):
            alike(np.frombuffer(b"".join(method(**asked)), np.int16).astype(float), 16000, line)
        parts = list(speech.stream_with_timestamps(**asked))
        pcm = b"".join(base64.b64decode(part.audio_base_64) for part in parts)
        alike(np.frombuffer(pcm, np.int16).astype(float), 16000, line)
        times = [part.alignment for part in parts if part.alignment]
        assert "".join(char for each in times for char in each.characters) == TEXT
        starts = [start for each in times for start in each.character_start_times_seconds]
        assert starts == sorted(starts)
        with pytest.raises(elevenlabs.core.ApiError) as refused:
            b"".join(speech.convert(voice_id="nobody", text=TEXT))
    assert (refused.value.status_code, refused.value.body["detail"]["status"]) == (404, "voice_not_found")


async def test_deepgrams_own_client(url, line):
    deepgram = pytest.importorskip("deepgram")
    from deepgram.environment import DeepgramClientEnvironment
    from deepgram.speak.v1.types import SpeakV1Text

    socket = url.replace("http", "ws", 1)
    there = DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
    async with httpx.AsyncClient() as http:
        speech = deepgram.AsyncDeepgramClient(api_key=KEY, environment=there, httpx_client=http).speak.v1
        made = speech.audio.generate(text=TEXT, encoding="linear16", sample_rate=16000, container="none")
        alike(np.frombuffer(b"".join([part async for part in made]), np.int16).astype(float), 16000, line)
        pcm, told = b"", []
        async with speech.connect(model=VOICE, encoding="linear16", sample_rate="16000") as talk:
            await talk.send_text(SpeakV1Text(text=TEXT))
            await talk.send_flush()
            async for message in talk:
                pcm += message if isinstance(message, bytes) else b""
                told += [] if isinstance(message, bytes) else [message.type]
                if "Flushed" in told:
                    break
    alike(np.frombuffer(pcm, np.int16).astype(float), 16000, line)
    assert told == ["Metadata", "Flushed"]
