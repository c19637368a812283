"""What is particular to espeak: its voices, its positions, its one library, its laziness by count."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tts_core import EspeakEngine, Script
from tts_core.espeak_library import EspeakLibrary, open_library


@pytest.fixture
def espeak() -> EspeakEngine:
    return EspeakEngine()


def test_every_voice_speaks_its_own_way_and_never_clips(espeak: EspeakEngine) -> None:
    script = Script.from_text("Banana 12, Äpfel привет.")
    assert len(espeak.voices()) >= 130
    sounds: dict[str, bytes] = {}
    for voice in espeak.voices():
        pcm = np.concatenate([chunk.pcm for chunk in espeak.speak(script, voice.name, 1.0)])
        assert 1000 < np.abs(pcm.astype(int)).max() < 32_000, voice
        assert 0.5 < len(pcm) / espeak.sample_rate < 20, voice
        sounds[voice.name] = pcm.tobytes()
    for voice in reversed(espeak.voices()):  # after other neighbours, the same to the bit
        again = b"".join(chunk.pcm.tobytes() for chunk in espeak.speak(script, voice.name, 1.0))
        assert again == sounds[voice.name], voice
    assert len(set(sounds.values())) > 100
    names = {voice.name for voice in espeak.voices()}
    assert {
        f"espeak:{tag}" for tag in ("en-us", "en-gb", "de", "fr-fr", "es", "bn", "hi", "ar", "cmn", "ja")
    } <= names


def test_how_the_last_clause_ended_moves_no_sample(espeak: EspeakEngine) -> None:
    def audio(voice: str, text: str) -> bytes:
        chunks = espeak.speak(Script.from_text(text), voice, 1.0)
        return b"".join(chunk.pcm.tobytes() for chunk in chunks)

    for voice in ("espeak:lfn", "espeak:id", "espeak:ms", "espeak:en-us"):
        heard = set()
        for before in ("Oh no!", "Call 0199 now, please.", "zzz", "hm", "a"):
            audio("espeak:en-us", before)
            heard.add(audio(voice, "WHY?! Oh no!"))
        assert len(heard) == 1, voice


@pytest.mark.parametrize(
    ("voice", "text", "words"),
    [
        ("en-us", "naïve café “quoted” end", ["naïve", "café", "quoted", "end"]),
        ("de", "Äpfel und Übermut, schön.", ["Äpfel", "und", "Übermut", "schön"]),
        ("bn", "আমি বাংলায় গান গাই।", ["আমি", "বাংলায়", "গান", "গাই"]),
        ("ar", "مرحبا بك، في النظام", ["مرحبا", "بك", "في", "النظام"]),
        ("cmn", "你好世界。再见", ["你", "好", "世", "界", "再", "见"]),
        ("en-us", "𝐀 bold 🎉 party", ["𝐀", "bold", "party"]),
    ],
)  # fmt: skip
def test_word_positions_count_characters(
    espeak: EspeakEngine, voice: str, text: str, words: list[str]
) -> None:
    chunks = list(espeak.speak(Script.from_text(text), f"espeak:{voice}", 1.0))
    spans = [word for chunk in chunks for word in chunk.words]
    assert [text[w.char_start : w.char_end] for w in spans] == words
    assert all(w.end_sample - w.start_sample > 500 for w in spans)


def test_a_word_ends_where_it_would_alone(espeak: EspeakEngine) -> None:
    """The span of a word in a sentence is near the length of the word said alone."""
    text = "Melbourne, yesterday, seventeen."
    chunks = list(espeak.speak(Script.from_text(text), "espeak:en-us", 1.0))
    for word in (word for chunk in chunks for word in chunk.words):
        alone = next(
            espeak.speak(Script.from_text(text[word.char_start : word.char_end]), "espeak:en-us", 1.0)
        )
        assert 0.75 < (word.end_sample - word.start_sample) / len(alone.pcm) < 1.33


def test_a_clause_is_not_made_before_it_is_asked_for(
    espeak: EspeakEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    real = EspeakLibrary.synthesise

    def counted(self: EspeakLibrary, identifier: str, wpm: int, text: str, pitch: float) -> object:
        said.append(text)
        return real(self, identifier, wpm, text, pitch)

    monkeypatch.setattr(EspeakLibrary, "synthesise", counted)
    stream = espeak.speak(Script.from_text("One is. Two is. Three is."), "espeak:en-us", 1.0)
    assert said == []
    next(stream)
    assert said == ["One is."]
    next(stream)
    assert said == ["One is.", "Two is."]


def test_one_library_in_a_process(espeak: EspeakEngine) -> None:
    assert open_library() is open_library()
    other = EspeakEngine()
    assert other.voices() == espeak.voices()


def test_another_thread_is_refused(espeak: EspeakEngine) -> None:
    stream = espeak.speak(Script.from_text("One is. Two is."), "espeak:en-us", 1.0)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            next(stream)
        except AssertionError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "one thread" in str(caught[0])


def test_engines_in_several_threads_do_not_disturb_each_other(espeak: EspeakEngine) -> None:
    script = Script.from_text("One is here, and there. Two is not! Three?")
    jobs = ("espeak:en-us", "espeak:de", "espeak:ar")

    def audio(engine: EspeakEngine, voice: str) -> bytes:
        return b"".join(chunk.pcm.tobytes() for chunk in engine.speak(script, voice, 1.0))

    alone = {voice: audio(espeak, voice) for voice in jobs}
    wrong: list[str] = []

    def work(voice: str) -> None:
        mine = EspeakEngine()
        wrong.extend(voice for _ in range(10) if audio(mine, voice) != alone[voice])

    threads = [threading.Thread(target=work, args=(voice,)) for voice in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


_SPEAK = (
    "import os, signal; from tts_core import *\n"
    "assert list(open_default().speak(Script.from_text('hi'), 'espeak:en-us'))\n"
)


def _run(code: str, cache: Path) -> subprocess.Popen[bytes]:
    environment = {"XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2])


def test_processes_share_one_folder_of_data_and_no_death_leaves_another(tmp_path: Path) -> None:
    together = [_run(_SPEAK, tmp_path) for _ in range(4)]
    assert [process.wait() for process in together] == [0, 0, 0, 0]
    killed = _run(_SPEAK + "os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    assert killed.wait() == -9
    assert len(list((tmp_path / "voxtrunk").iterdir())) == 1


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    assert _run(_SPEAK, tmp_path).wait() == 0
    (folder,) = (tmp_path / "voxtrunk").iterdir()
    folder.chmod(0o777)
    assert _run(_SPEAK, tmp_path).wait() == 1
