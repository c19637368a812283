"""libespeak-ng through ctypes: one process-wide synthesiser that says one clause at a time.

The library keeps its state in globals, and a clause would sound different each time it is said. A pitch
flutter and a roughness run on from clause to clause: a variant file switches both off. The noise seed is
set before every clause, the volume leaves the gain control at rest, and a short primer is said first,
unheard, because how the last clause ended now and then moves a sample of the next. Then the audio
follows from voice, rate and text alone.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np

from tts_core.engine import Pcm
from tts_core.errors import EngineError
from tts_core.espeak_data import STEADY, has_dictionary, overlay
from tts_core.ipa import mnemonics, spelled
from tts_core.reading.sayas import OPEN, SHUT

_OUTPUT_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS of speak_lib.h
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_BUFFER_MS = 200
_POSITION_CHARACTER = 1
_UTF8 = 1  # espeakCHARS_UTF8; without espeakSSML and espeakPHONEMES nothing in the text is a command
_IPA = 2  # espeakPHONEMES_IPA
_PHONEMES = 0x100  # espeakPHONEMES: [[…]] holds phonemes
HURRIED = 440  # words a minute, where only names are wanted: less audio to make, the same phonemes
_RATE, _VOLUME, _PITCH = 1, 2, 3  # espeak_PARAMETER
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7

_PITCH_LEVELS = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
_PITCHES = (0.67, 0.717, 0.765, 0.838, 0.913, 1.0, 1.104, 1.223, 1.353, 1.507, 1.66)
"""F0 at each level beside a voice's own, measured for four languages: within 2 %. It goes no lower nor higher."""
_LEVEL = 60  # of 100: the loudest of all voices peaked 1.0 dB below full scale
Moves = tuple[tuple[int, int, int, int], ...]
"""Begin and end of phonemes in what the library is given, begin and end of what they were written for."""
_SPELT = re.compile(f"{OPEN}([^{SHUT}]{{1,400}}){SHUT}")
_PRIMER = "1"  # a word in every language
_GENDERS = {1: "male", 2: "female"}


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class NativeVoice:
    """A voice as the library lists it. `identifier` is its file, such as `gmw/en-US`."""

    identifier: str
    language: str
    description: str
    gender: str


@dataclass(frozen=True, slots=True)
class Sounded:
    """A phoneme as espeak reports it: `mnemonic` in its own alphabet, stress marks included.

    `char` is where its word begins in the clause (-1 before the first), `sample` where it sounds.
    """

    mnemonic: str
    char: int
    sample: int


class EspeakLibrary:
    """The loaded library. Get it from `open_library`: there is one in a process."""

    def __init__(self) -> None:
        source = Path(espeakng_loader.get_data_path())
        try:
            self._data = overlay(source)
            self._lib = _load(espeakng_loader.get_library_path())
        except OSError as error:
            raise EngineError(f"espeak-ng cannot be set up: {error}") from error
        self.sample_rate = int(
            self._lib.espeak_Initialize(_OUTPUT_SYNCHRONOUS, _BUFFER_MS, os.fsencode(self._data), _DONT_EXIT)
        )
        if self.sample_rate <= 0:
            raise EngineError(f"espeak-ng refuses its data in {source}")
        self._pcm: list[bytes] = []
        self._onsets: list[tuple[int, int]] = []
        self._sounded: list[Sounded] = []
        self._callback = _Callback(self._collect)  # the library keeps the bare pointer
        self._lib.espeak_SetSynthCallback(self._callback)
        self._lock = threading.Lock()  # engines of several threads share this library
        self._voice = ""
        self._wpm = 0
        self._pitch = -1
        self._names: dict[str, dict[str, str]] = {}  # of each voice, its phonemes by their IPA
        self._set(_VOLUME, _LEVEL)
        self.version = str(self._lib.espeak_Info(None), "ascii")
        self.voices = self._list_voices()

    def synthesise(
        self, identifier: str, wpm: int, text: str, pitch: float = 1.0
    ) -> tuple[Pcm, list[tuple[int, int]]]:
        """Say `text` (cleaned, one clause) with the voice `identifier` at `wpm` words a minute.

        `pitch` is times as high as its own, 0.67 to 1.66.

        Returns audio int16[n] at `sample_rate` and (char offset, sample) of each word's onset, in order
        of time. Raises EngineError with the library's status when it fails.
        """
        with self._lock:
            self._select(identifier, wpm, pitch)
            written = self._written(text)
            self._say(_PRIMER)
            return self._say(*written)

    def phonemes(
        self, identifier: str, wpm: int, text: str, primed: bool = True
    ) -> tuple[list[Sounded], Pcm]:
        """Say `text` as `synthesise` does, and report every phoneme, pauses included, beside the audio.

        Unless `primed`, what was said before may move a sample: names alone are quicker that way. Raises
        EngineError with the library's status when it fails.
        """
        with self._lock:
            self._select(identifier, wpm)
            written = self._written(text)
            if primed:
                self._say(_PRIMER)
            _check(self._lib.espeak_ng_SetPhonemeEvents(1, 0), "phoneme events")
            try:
                pcm, _ = self._say(*written)
            finally:
                self._lib.espeak_ng_SetPhonemeEvents(0, 0)
            return self._sounded, pcm

    def ipa(self, identifier: str, text: str) -> tuple[list[tuple[str, str]], list[int]]:
        """`text` (cleaned, one clause) in IPA: (phonemes, the piece of text they stand for) of each of its parts.

        espeak ends a part where punctuation does. Words in phonemes have a space between them; the second list
        says for each in turn where it begins in `text`. A piece ends with the letter that the next begins with,
        which espeak has read by then. Raises EngineError when espeak fails.
        """
        parts = []
        with self._lock:
            self._select(identifier, HURRIED)
            written, moves = self._written(text)
            _, onsets = self._say(written, moves)  # first: it says whether the text holds phonemes
            raw = ctypes.create_string_buffer(written.encode())
            begin = ctypes.addressof(raw)
            at = ctypes.c_void_p(begin)
            while at.value:
                since = at.value
                said = self._lib.espeak_TextToPhonemes(ctypes.byref(at), _UTF8, _IPA)
                read = raw.raw[since - begin : at.value - begin if at.value else -1]
                parts.append((said.decode("utf-8", "replace"), read.decode("utf-8", "replace")))
        return parts, [char for char, _ in onsets]

    def _say(self, text: str, moves: Moves = ()) -> tuple[Pcm, list[tuple[int, int]]]:
        flags = _UTF8 | _PHONEMES if moves else _UTF8
        encoded = text.encode() + b"\0"
        self._lib.espeak_ng_SetRandSeed(1)
        self._pcm, self._onsets, self._sounded = [], [], []
        _check(
            self._lib.espeak_Synth(encoded, len(encoded), 0, _POSITION_CHARACTER, 0, flags, None, None),
            "synthesis",
        )
        if moves:
            self._onsets = [(_moved(char, moves), sample) for char, sample in self._onsets]
            self._sounded = [
                Sounded(one.mnemonic, _moved(one.char, moves), one.sample) for one in self._sounded
            ]
        return np.frombuffer(b"".join(self._pcm), np.int16), self._onsets

    def _written(self, text: str) -> tuple[str, Moves]:
        """`text` with the IPA in it as the library takes it, and where that lies in both."""
        if OPEN not in text:
            return text, ()
        names = self._names.get(self._voice)
        if names is None:
            names = self._names[self._voice] = self._named()
        written, moves, at, length = [], [], 0, 0
        for match in _SPELT.finditer(text):
            before = text[at : match.start()].replace("[[", "[ ")
            phonemes = f"[[{spelled(match[1], names)}]]"
            written += [before, phonemes]
            length += len(before)
            moves.append((length, length + len(phonemes), match.start(), match.end()))
            length += len(phonemes)
            at = match.end()
        return "".join([*written, text[at:].replace("[[", "[ ")]), tuple(moves)

    def _named(self) -> dict[str, str]:
        """The phonemes of the voice by their IPA."""
        names = mnemonics(Path(self._data))
        found: dict[str, str] = {}
        _check(self._lib.espeak_ng_SetPhonemeEvents(1, 1), "phoneme events")
        try:
            for name in names:
                encoded = f"[[{name}]]".encode() + b"\0"
                self._pcm, self._onsets, self._sounded = [], [], []
                _check(
                    self._lib.espeak_Synth(
                        encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _UTF8 | _PHONEMES, None, None
                    ),
                    "phonemes",
                )
                said = "".join(one.mnemonic for one in self._sounded).strip("ˈˌ _:")
                if said:
                    found.setdefault(said, name)
        finally:
            self._lib.espeak_ng_SetPhonemeEvents(0, 0)
        return found

    def _select(self, identifier: str, wpm: int, pitch: float = 1.0) -> None:
        if identifier != self._voice:
            self._voice = ""
            name = f"{identifier}+{STEADY}".encode()
            _check(self._lib.espeak_SetVoiceByName(name), f"voice {identifier}")
            self._voice = identifier
            self._pitch = -1
            self._wpm = 0  # what a rate means depends on the voice, and only setting it works it out
        if wpm != self._wpm:
            self._set(_RATE, wpm)
            self._wpm = wpm
        level = round(float(np.interp(pitch, _PITCHES, _PITCH_LEVELS)))
        if level != self._pitch:
            self._set(_PITCH, level)
            self._pitch = level

    def _set(self, parameter: int, value: int) -> None:
        _check(self._lib.espeak_SetParameter(parameter, value, 0), f"parameter {parameter}")

    def _collect(self, wave: int | None, samples: int, events: ctypes._Pointer[_Event]) -> int:
        if wave and samples > 0:
            self._pcm.append(ctypes.string_at(wave, 2 * samples))
        index = 0
        while (event := events[index]).type != _EVENT_END_OF_LIST:
            if event.type == _EVENT_WORD:
                self._onsets.append((event.text_position - 1, event.sample))  # positions count from 1
            elif event.type == _EVENT_PHONEME:
                mnemonic = event.id.string.decode("utf-8", "replace")
                self._sounded.append(Sounded(mnemonic, event.text_position - 1, event.sample))
            index += 1
        return 0

    def _list_voices(self) -> tuple[NativeVoice, ...]:
        listed = self._lib.espeak_ListVoices(None)
        voices = []
        index = 0
        while listed[index]:
            native = listed[index].contents
            identifier = native.identifier.decode()
            if has_dictionary(self._data, identifier):
                # the first of (priority byte, language, NUL)…, a second NUL at the end
                language = ctypes.string_at(native.languages + 1).decode().lower()
                gender = _GENDERS.get(native.gender, "")
                voices.append(NativeVoice(identifier, language, native.name.decode().strip(), gender))
            index += 1
        return tuple(voices)


@functools.cache
def open_library() -> EspeakLibrary:
    """The library, loaded at the first call (some 20 ms). Raises EngineError when it cannot be."""
    return EspeakLibrary()


def _load(path: str) -> ctypes.CDLL:
    lib = ctypes.CDLL(path)
    text, number, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
    signatures: dict[str, tuple[list[type], type | None]] = {
        "espeak_Initialize": ([number, number, text, number], number),
        "espeak_SetSynthCallback": ([_Callback], None),
        "espeak_TextToPhonemes": ([pointer, number, number], text),
        "espeak_SetParameter": ([number, number, number], number),
        "espeak_SetVoiceByName": ([text], number),
        "espeak_ListVoices": ([pointer], ctypes.POINTER(ctypes.POINTER(_Voice))),
        "espeak_Info": ([pointer], text),
        "espeak_ng_SetRandSeed": ([ctypes.c_long], number),
        "espeak_ng_SetPhonemeEvents": ([number, number], number),
        "espeak_Synth": (
            [text, ctypes.c_size_t, ctypes.c_uint, number, ctypes.c_uint, ctypes.c_uint, pointer, pointer],
            number,
        ),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(lib, name)
        function.argtypes, function.restype = arguments, result
    return lib


def _check(status: int, what: str) -> None:
    if status != 0:
        raise EngineError(f"espeak-ng: {what} failed with status {status}")


def _moved(char: int, moves: Moves) -> int:
    """Where `char` of a text with phonemes in it lies in the text that they were written into."""
    shift = 0
    for begin, end, source, behind in moves:
        if char < begin:
            break
        if char < end:
            return source + 1
        shift = behind - end
    return char + shift
