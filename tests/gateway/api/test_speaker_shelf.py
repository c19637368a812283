"""Reference audio: what is kept, what is not, and that a broken folder breaks nothing."""

import wave

import numpy as np
import pytest

from gateway.api.speaker_shelf import Speakers
from gateway.errors import Refusal


def tone(seconds, rate=16000, level=0.3):
    t = np.arange(int(seconds * rate)) / rate
    return (level * 32767 * np.sin(2 * np.pi * 440 * t)).astype("<i2"), rate


def wav(tmp_path, pcm, rate, channels=1):
    with wave.open(str(tmp_path / "sent.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return (tmp_path / "sent.wav").read_bytes()


@pytest.fixture
def shelf(settings, tmp_path):
    def make(**given):
        return Speakers(settings(speakers_folder=tmp_path / "kept", **given))

    return make


async def test_it_keeps_the_samples_and_nothing_of_what_was_around_them(shelf, tmp_path):
    speakers = shelf()
    pcm, rate = tone(2.0)
    speaker = await speakers.add("Ann", "en", wav(tmp_path, np.repeat(pcm, 2), rate, channels=2))
    folder = tmp_path / "kept" / speaker.speaker_id
    assert sorted(path.name for path in folder.iterdir()) == ["reference.wav", "speaker.json"]
    with wave.open(str(folder / "reference.wav")) as kept:
        assert (kept.getnchannels(), kept.getframerate()) == (1, 16000)
        heard = np.frombuffer(kept.readframes(kept.getnframes()), "<i2")
    assert np.abs(heard.astype(int) - pcm).max() <= 1
    assert await speakers.all() == [speaker]
    assert oct((tmp_path / "kept").stat().st_mode & 0o777) == "0o700"
    assert await speakers.remove(speaker.speaker_id) == speaker
    assert await speakers.all() == []
    assert not folder.exists()


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (tone(0.5), "1 s are needed"),
        (tone(4.0), "VOXTRUNK_SPEAKER_SECONDS"),
        (tone(2.0, level=0.0), "silent"),
        (tone(2.0, rate=4000), "sample rate"),
    ],
)
async def test_what_is_no_use_is_refused_and_leaves_nothing(shelf, tmp_path, sound, why):
    with pytest.raises(Refusal, match=why) as refused:
        await shelf(speaker_seconds=3).add("Ann", None, wav(tmp_path, *sound))
    assert refused.value.code == "bad_audio"
    assert await shelf().all() == []
    assert not list((tmp_path / "kept").glob("*"))


async def test_it_is_bounded_and_may_be_switched_off(shelf, settings, tmp_path):
    speakers = shelf(speakers_max=1)
    audio = wav(tmp_path, *tone(1.5))
    await speakers.add("Ann", None, audio)
    with pytest.raises(Refusal, match="VOXTRUNK_SPEAKERS_MAX"):
        await speakers.add("Ben", None, audio)
    nowhere = Speakers(settings())
    assert await nowhere.all() == []
    with pytest.raises(Refusal, match="VOXTRUNK_SPEAKERS_FOLDER"):
        await nowhere.add("Ann", None, audio)
    with pytest.raises(Refusal, match="no speaker"):
        await nowhere.get("spk_0123456789abcdef")


async def test_what_others_put_there_is_not_ours(shelf, tmp_path):
    speakers = shelf()
    speaker = await speakers.add("Ann", None, wav(tmp_path, *tone(1.5)))
    kept = tmp_path / "kept"
    (kept / "spk_ffffffffffffffff").mkdir()
    (kept / "spk_eeeeeeeeeeeeeeee").symlink_to(kept / speaker.speaker_id)
    (kept / ".adding-rest").mkdir()
    (kept / "spk_dddddddddddddddd").mkdir()
    (kept / "spk_dddddddddddddddd" / "speaker.json").write_text("{")
    assert await speakers.all() == [speaker]
    for name in ("spk_eeeeeeeeeeeeeeee", "spk_ffffffffffffffff", "../kept", "spk_../../../etc", ""):
        with pytest.raises(Refusal, match="no speaker"):
            await speakers.get(name)
    with pytest.raises(Refusal, match="none is installed: espeak, neural") as refused:
        await speakers.refuse(speaker.speaker_id, {"neural", "espeak"})
    assert refused.value.code == "cannot_clone"
    await speakers.refuse("espeak:en-us", set())
