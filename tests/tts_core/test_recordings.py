"""SSML's <audio>: what stands for a recording in the text, who speaks around it, and how they fade."""

import numpy as np
import pytest

from tts_core import Chunk, Mark, Pause, Recording, Say, Script, ScriptError, open_default
from tts_core.mixing import CROSSFADE, RATE, RECORDED, parts
from tts_core.ssml import recordings

VOICE = "espeak:en-us"


def parsed(ssml: str, *had: str) -> Script:
    return Script.from_ssml(f"<speak>{ssml}</speak>", lambda src: "" if src in had else "no such file")


def short(script: Script) -> list[object]:
    found: list[object] = []
    for piece in script.pieces:
        if isinstance(piece, Say):
            found.append(script.text[piece.start : piece.end])
        elif isinstance(piece, Recording):
            found.append((piece.src, script.text[piece.start : piece.end]))
        else:
            found.append(piece.ms if isinstance(piece, Pause) else f"#{piece.name}")
    return found


@pytest.mark.parametrize(
    ("ssml", "pieces"),
    [
        ("Hi <audio src='a'>ding dong</audio> there", ["Hi", ("a", "ding dong"), "there"]),
        ("Hi <audio src='a'/> there", ["Hi", ("a", "\ufffc"), "there"]),
        ("Hi<audio src='a'><desc>a bell</desc></audio>there", ["Hi", ("a", "\ufffc"), "there"]),
        ("<audio src='a'>x<break/><mark name='m'/><s>y</s></audio>", [("a", "xy")]),
        ("<audio src='a'><audio src='b'>x</audio></audio>", [("a", "x")]),
        ("<audio src='b'><audio src='a'>x</audio></audio>", [("a", "x")]),
        ("<audio src='b'>x <desc>never</desc>y</audio>", ["x y"]),
        ("<audio src='b'>x<break time='1s'/>y</audio>", ["x", 1000, "y"]),
        ("<audio src='a'/><audio src='a'/>", [("a", "\ufffc"), ("a", "\ufffc")]),
        ("<s>One.</s><audio src='a'/><s>Two.</s>", ["One.", 300, ("a", "\ufffc"), 300, " Two."]),
        ("<sub alias='z'>x<audio src='a'/></sub>", ["x"]),
        ("<audio src='a'/> <mark name='m'/>", [("a", "\ufffc"), "#m"]),
    ],
)  # fmt: skip
def test_what_stands_for_a_recording(ssml: str, pieces: list[object]) -> None:
    script = parsed(ssml, "a")
    assert short(script) == pieces
    assert script.text == script.text.strip()


def test_what_cannot_be_had_is_read_and_told() -> None:
    (warning,) = parsed("<audio src='b'>x</audio>").warnings
    assert "'b' cannot be played, what it holds is read: no such file" in warning
    (warning,) = parsed("<audio src='a' soundLevel='loud!'>x</audio>", "a").warnings
    assert "soundLevel='loud!' of <audio> has no effect" in warning
    script = parsed("<prosody volume='-3dB'><audio src='a' soundLevel='-3dB'/></prosody>", "a")
    assert script.warnings == ()
    (piece,) = script.pieces
    assert isinstance(piece, Recording)
    assert piece.volume_db == -6
    with pytest.raises(ScriptError, match="<audio> needs the attribute src"):
        parsed("<audio>x</audio>")


def test_all_that_is_asked_for_is_known_beforehand() -> None:
    ssml = "<speak><audio src='a'>x<audio src='b'/></audio><audio src='a'/></speak>"
    assert recordings(ssml) == ("a", "b")


def test_who_says_what() -> None:
    script = parsed("Hi <mark name='m'/><audio src='a'/><break time='1s'/>there <audio src='a'/>", "a")
    found = parts(script, lambda manner: VOICE)
    assert [part.voice for part in found] == [VOICE, RECORDED, VOICE, RECORDED]
    assert found[1].script.pieces[0] == Mark("m")
    assert [part.script.goes_on for part in found] == [False, True, False, False]
    assert [part.fades(before) for before, part in zip([None, *found], found, strict=False)] == [
        False,
        True,
        False,
        True,
    ]
    begins = [part.script.begin for part in parts(script.rest(3), lambda manner: VOICE)]
    assert begins == [3, 3, 0, 0], "what is behind the recording that it begins with is whole, its pause too"


@pytest.fixture(scope="module")
def door():
    return open_default()


TONE = (8000 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.int16)


def spoken(door, script: Script) -> list[Chunk]:
    return list(door.speak(script, VOICE, 1.0, lambda src: TONE))


def test_a_recording_is_one_word_and_everybody_else_is_moved(door) -> None:
    script = parsed("Press one <mark name='m'/><audio src='a'>a bell</audio> now", "a")
    chunks = spoken(door, script)
    words = {script.text[w.char_start : w.char_end]: w for chunk in chunks for w in chunk.words}
    assert list(words) == ["Press", "one", "a bell", "now"]
    bell = words["a bell"]
    assert bell.end_sample - bell.start_sample == len(TONE)
    assert words["now"].start_sample >= bell.end_sample - CROSSFADE
    (mark,) = [mark for chunk in chunks for mark in chunk.marks]
    assert mark.sample == bell.start_sample
    assert [chunk.overlaps for chunk in chunks if chunk.overlaps] == [CROSSFADE, CROSSFADE]
    assert {chunk.sample_rate for chunk in chunks} == {RATE}
    at = sum(len(chunk.pcm) - chunk.overlaps for chunk in chunks)
    assert at >= words["now"].end_sample


def test_a_pause_that_was_asked_for_is_not_faded_into(door) -> None:
    script = parsed("One <break time='500ms'/><audio src='a'/><break time='300ms'/> two", "a")
    chunks = spoken(door, script)
    assert not any(chunk.overlaps for chunk in chunks)
    words = [word for chunk in chunks for word in chunk.words]
    assert words[2].start_sample - words[1].end_sample >= 0.3 * RATE


def test_the_rest_begins_with_the_recording_or_behind_it(door) -> None:
    script = parsed("One. <audio src='a'>bell</audio> Two.", "a")
    rest = spoken(door, script.rest(script.text.index("bell")))
    assert [script.text[w.char_start : w.char_end] for c in rest for w in c.words] == ["bell", "Two"]
    assert rest[0].overlaps == 0 or not len(rest[0].pcm)
    rest = spoken(door, script.rest(script.text.index("Two")))
    assert [script.text[w.char_start : w.char_end] for c in rest for w in c.words] == ["Two"]


def test_nobody_plays_unless_somebody_does(door) -> None:
    with pytest.raises(ScriptError, match="nobody plays"):
        list(door.speak(parsed("<audio src='a'/>", "a"), VOICE))
