"""Speech from text: chunk by chunk through an engine, levelled and encoded for the line."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

import numpy as np

from gateway.messages.synthesis import MarkAt, VoiceInfo, Word
from gateway.ring import UNIT_MS, UNIT_OCTETS
from gateway.speech import template
from gateway.speech.lexicons import Stamp, read
from gateway.speech.manuscript import Awaited, Recital, recite
from gateway.speech.prompt import recorded
from gateway.speech.recipe import Recipe
from gateway.speech.rest import Rest
from gateway.speech.splice import Joiner, Sound, Sounds, ends_clause, trimmed
from gateway.speech.track import Stretch
from telephony_codecs import (
    DBM0_FULL_SCALE,
    LINE_RATE,
    Encoder,
    Law,
    Resampler,
    as_float,
    as_int16,
    gain_to_dbm0,
)
from telephony_codecs.arrays import Float32, Int16
from tts_core import (
    Chunk,
    EngineError,
    Lexicon,
    Script,
    Speech,
    Synthesiser,
    Turn,
    UnknownVoice,
    follow,
)
from tts_core.elsewhere import ROUTE, Elsewhere
from tts_core.engine import Pcm
from tts_core.mixing import RECORDED

log = logging.getLogger("voxtrunk.speech")

_REFERENCE: Final = "1 2 3 1985"
"""Every voice can read digits, in its own language. Of those tried this is the shortest whose level is that of
sentences: within 1.3 dB for 13 languages, 0.2 dB off on the mean."""

_LEAST_MS: Final = 100
"""The first stretch is no shorter, so that the ring does not run dry while other legs' speech is made."""

_FIRST_MS: Final = 250
"""It is cut from what an engine makes in one piece, so that the first packet need not wait for all of that."""

_USUAL_DBOV: Final = -20.0
"""The level that is expected of a provider's voice before enough of it was heard."""

_HELD_MS: Final = 10
"""What the encoder holds back beside the open packet, at most."""

_HEADROOM: Final = 2.0
"""A recording at its level may peak above full scale; as int16 it is so much quieter."""


class VoiceSource:
    """Makes speech with ``synthesiser``, each voice at ``level_dbm0``, by ``lexicons``. It belongs to one thread.

    A voice's gain is constant, measured by ITU-T P.56 on its own reading of a few digits when it is first
    used. So it does not depend on what a voice happens to say first: the same text is the same audio in every
    process. It costs 4 to 8 ms, once; the default voice is measured before the first call.
    """

    def __init__(
        self,
        synthesiser: Synthesiser,
        level_dbm0: float,
        default_voice: str,
        lexicons: tuple[Lexicon, ...] = (),
        prompt_seconds: float = 600,
    ) -> None:
        self._lexicons = lexicons
        self._synthesiser = synthesiser
        self._level_dbm0 = level_dbm0
        self._gains: dict[str, float] = {RECORDED: _HEADROOM}
        self._prints: dict[str, str] = {}
        self._printed: tuple[tuple[Lexicon, ...], str] = ((), "")
        self._mute: set[str] = set()
        self._prompt_seconds = prompt_seconds
        self._sounds = Sounds()
        """Of these voices and lexicons; others have another, and what is being said is kept where it began."""
        self.tried: dict[str, tuple[float, float]] = {}
        """Of the voices whose level was measured: seconds that it took, and seconds of audio."""
        self.gain(default_voice)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why added voices are left out, or an earlier one of their name stands."""
        return self._synthesiser.left_out

    @property
    def resets(self) -> int:
        """Chunks of speech that were lost because a voice's state was no longer finite."""
        return self._synthesiser.resets

    def voices(self) -> tuple[VoiceInfo, ...]:
        """What ``speech`` can speak with; voices that were warmed and did not speak are not among them."""
        return tuple(
            VoiceInfo(
                voice.name,
                voice.language,
                voice.engine,
                voice.description,
                voice.gender or None,
                voice.version,
            )
            for voice in self._synthesiser.voices()
            if voice.name not in self._mute
        )

    def abroad(self) -> tuple[str, ...]:
        """The voices that are made elsewhere, as routes may be."""
        return tuple(
            voice.name
            for voice in self._synthesiser.voices()
            if voice.engine == ROUTE or self._synthesiser.remote(voice.name) is not None
        )

    def warm(self, patterns: Iterable[str]) -> None:
        """Load and measure the voices of these names or patterns, so that no utterance waits for it.

        A voice that does not speak is left out, and the log says why.
        """
        for name in self._matching(patterns):
            try:
                self.gain(name)
            except EngineError as error:
                log.error("the voice %s is left out: %s", name, error)
                self._mute.add(name)

    def load(self, patterns: Iterable[str]) -> None:
        """Load the voices of these names or patterns, in any thread; the log says which do not speak."""
        for name in self._matching(patterns):
            try:
                self._synthesiser.load(name)
            except EngineError as error:
                log.error("the voice %s does not speak: %s", name, error)

    def renew(self) -> frozenset[str]:
        """Take in voices that were added and let go of those removed; see Synthesiser.renew."""
        changed = self._synthesiser.renew()
        if changed:
            self._sounds = Sounds()
        for name in changed:
            self._gains.pop(name, None)
            self._prints.pop(name, None)
            self._mute.discard(name)
        return changed

    def follow(self, lexicons: tuple[Lexicon, ...]) -> bool:
        """Say all that is begun from now on by these lexicons; whether they are others. Any thread may ask."""
        if lexicons == self._lexicons:
            return False
        self._lexicons = lexicons
        self._sounds = Sounds()
        return True

    def _matching(self, patterns: Iterable[str]) -> Iterator[str]:
        names = [voice.name for voice in self._synthesiser.voices()]
        for pattern in patterns:
            matching = [name for name in names if fnmatchcase(name, pattern)]
            if not matching and not any(sign in pattern for sign in "*?["):
                log.warning("warm_voices: there is no voice %r", pattern)
            yield from matching

    def gain(self, voice: str) -> float:
        """The linear gain that brings a voice to the level. Raises UnknownVoice, EngineError.

        1 for a route, whose chunks tell whose voice they are.
        """
        gain = self._gains.get(voice)
        if gain is None:
            if self._synthesiser.voice(voice).engine == ROUTE:
                return 1.0
            if (remote := self._synthesiser.remote(voice)) is not None:
                return self._gain_abroad(voice, remote)
            self._synthesiser.load(voice)
            begin = time.thread_time()  # what others take of the core at the start is not the voice's cost
            chunks = list(self._synthesiser.speak(Script.from_text(_REFERENCE), voice))
            busy_s = time.thread_time() - begin
            pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32) / np.float32(32768)
            gain = gain_to_dbm0(pcm, chunks[0].sample_rate, self._level_dbm0)
            self._gains[voice] = gain
            self._prints[voice] = hashlib.blake2b(pcm.tobytes(), digest_size=16).hexdigest()
            self.tried[voice] = busy_s, len(pcm) / chunks[0].sample_rate
        return gain

    def _gain_abroad(self, voice: str, remote: Elsewhere) -> float:
        """The gain of a voice that speaks elsewhere: as configured, as it was heard, or else as most are."""
        dbov, manner = remote.level_dbov(voice), remote.manner(voice)
        if dbov is None and manner is not None:
            self._gains[voice] = gain_to_dbm0(as_float(manner.pcm), manner.rate, self._level_dbm0)
            return self._gains[voice]
        known = _USUAL_DBOV if dbov is None else dbov
        return float(10 ** ((self._level_dbm0 - DBM0_FULL_SCALE - known) / 20))

    def print_of(self, voice: str) -> str | None:
        """What it sounds like and by which lexicon all is read, None before it has spoken; any thread may ask.

        A digest of the reading that its level was measured on: it differs where anything does that makes the
        voice, its files, its engine, what that runs in.
        """
        heard = self._prints.get(voice)
        if self._printed[0] is not self._lexicons:
            self._printed = self._lexicons, hashlib.blake2b(repr(self._lexicons).encode()).hexdigest()
        return None if heard is None else f"{heard} {self._printed[1]}"

    def together(self, voice: str) -> int:
        """How many utterances of the voice are best made together; any thread may ask."""
        try:
            return self._synthesiser.together(voice)
        except UnknownVoice:
            return 1

    def __call__(self, recipe: Recipe) -> Generator[Stretch, None, None]:
        """The stretches of ``parts``, for whoever makes one utterance alone."""
        return (part for part in self.parts(recipe) if isinstance(part, Stretch))

    def parts(self, recipe: Recipe) -> Generator[Stretch | Turn, None, None]:
        """The stretches of a text or SSML, each made when it is asked for, and the turns that they wait for.

        Raises CallerError and EngineError of ``tts_core`` from the generator.
        """
        if recipe.kind == "pieces":
            say = partial(self._say, recipe)
            yield from template.stretches(recipe, self._sounds, say, self._recording)
            return
        rest = None if recipe.resume is None else Rest(recipe.resume)
        own = self.gain(recipe.voice)
        gains: dict[str, float] = {}  # of others who speak in it: each keeps its own to the end
        passing = False
        gain = own * 10 ** (recipe.gain_db / 20)
        encoder: Encoder | None = None
        begun = False
        payload = b""  # of a first stretch that is still too short
        words: tuple[Word, ...] = ()
        marks: tuple[MarkAt, ...] = ()
        joiner = Joiner() if recipe.audio else None
        for chunk in self._speech(recipe):
            if isinstance(chunk, Awaited):
                yield Stretch(payload, words, marks, awaits=chunk.part, passing=passing)
                begun, payload, words, marks = begun or bool(payload), b"", (), ()
                continue
            if not isinstance(chunk, Chunk):
                yield chunk
                continue
            passing = passing or chunk.stands_in
            if rest is not None:
                chunk = rest.take(chunk)
            if encoder is None:
                encoder = Encoder(chunk.sample_rate, Law(recipe.law), recipe.ptime_ms, gain)
            pcm, words, marks = (
                self._levelled(chunk, own, gains),
                words + _words(chunk),
                marks + _marks(chunk),
            )
            if joiner is not None:
                pcm = joiner.push(pcm, chunk.overlaps)
            if not begun:
                head = chunk.sample_rate * _FIRST_MS // 1000
                payload += encoder.push(pcm[:head])
                pcm = pcm[head:]
                if not len(pcm) and len(payload) < LINE_RATE * _LEAST_MS // 1000:
                    continue
                yield Stretch(payload, words, marks, passing=passing)
                begun, payload, words, marks = True, b"", (), ()
            if len(pcm):
                yield Stretch(encoder.push(pcm), words, marks, passing=passing)
                words, marks = (), ()
        if encoder is not None:
            payload += encoder.push(joiner.rest()) if joiner is not None else b""
            payload += encoder.flush()
        yield Stretch(payload, words, marks, last=True, passing=passing)

    def _door(self, recipe: Recipe) -> Callable[[Script], Speech]:
        """What speaks a script as the recipe wants it: its voice, rate and lexicons."""
        named = [read(path, stamp) for path, stamp in recipe.lexicons]
        lexicons = (*named, *self._lexicons)
        language = self._synthesiser.voice(recipe.voice).language

        def speak(script: Script) -> Speech:
            spoken = follow(script, lexicons, language)
            return self._synthesiser.speak(spoken, recipe.voice, recipe.rate, play)

        def play(src: str) -> Pcm:
            return self._recorded(recipe.audio[src])

        return speak

    def _speech(self, recipe: Recipe) -> Recital:
        """What the engine says of it."""
        speak = self._door(recipe)
        if recipe.manuscript is not None:
            tail_ms = recipe.ptime_ms + _HELD_MS
            yield from recite(recipe.manuscript, speak, recipe.rate, tail_ms, recipe.resume)
            return
        script = (
            Script.from_ssml(recipe.source, lambda src: "" if src in recipe.audio else "it was not there")
            if recipe.kind == "ssml"
            else Script.from_text(recipe.source)
        )
        if recipe.resume is not None:
            script = script.rest(recipe.resume.char or 0)
        yield from speak(script).parts

    def _recorded(self, file: tuple[str, Stamp | None]) -> Pcm:
        """A recording at its level, ``_HEADROOM`` below that. Raises MediaFileError, OSError."""
        path, stamp = file
        return as_int16(self._recording(path, stamp).pcm * np.float32(1 / _HEADROOM))

    def _recording(self, path: str, stamp: Stamp | None) -> Sound:
        """The same as a piece among others, from what is kept."""
        key, sounds = (RECORDED, path, stamp), self._sounds
        sound = sounds.find(key)
        if sound is None:
            sound = recorded(path, self._level_dbm0, self._prompt_seconds)
            sounds.keep(key, sound)
        return sound

    def _say(self, recipe: Recipe, text: str) -> Generator[Turn, None, Sound]:
        """A piece of a template, said as what goes on unless it ends a clause."""
        whole = text if ends_clause(text) else text.rstrip() + ","
        chunks: list[Chunk] = []
        for part in self._door(recipe)(Script.from_text(whole)).parts:
            if isinstance(part, Chunk):
                chunks.append(part)
            else:
                yield part
        if not chunks:
            return Sound(np.zeros(0, np.float32))
        rate, own = chunks[0].sample_rate, self.gain(recipe.voice)
        resampler = Resampler(rate)
        gains: dict[str, float] = {}
        pcm = np.concatenate([as_float(self._levelled(chunk, own, gains)) for chunk in chunks])
        line = np.concatenate((resampler.push(pcm), resampler.flush())) * np.float32(own)
        words = (word for chunk in chunks for word in chunk.words)
        sound = trimmed(line, words, rate, ends_clause=ends_clause(text))
        return replace(sound, stands_in=any(chunk.stands_in for chunk in chunks))

    def _levelled(self, chunk: Chunk, own: float, gains: dict[str, float]) -> Int16 | Float32:
        """The chunk as loud, beside what the gain `own` is for, as it is to be."""
        if chunk.voice and chunk.voice not in gains:
            gains[chunk.voice] = self.gain(chunk.voice)
        factor = 10 ** (chunk.gain_db / 20) * (gains[chunk.voice] / own if chunk.voice else 1)
        if factor == 1:
            return chunk.pcm
        louder: Float32 = np.multiply(chunk.pcm, np.float32(factor / 32768), dtype=np.float32)
        return louder


def _words(chunk: Chunk) -> tuple[Word, ...]:
    """The chunk's words in units: each covers every unit that it sounds in."""
    unit = chunk.sample_rate * UNIT_MS / 1000  # samples; not whole at 22,050 Hz
    words = []
    for word in chunk.words:
        start = int(word.start_sample / unit)
        into = int((word.start_sample / unit - start) * UNIT_OCTETS)
        words.append(Word(word.char_start, word.char_end, start, -int(-word.end_sample // unit), into))
    return tuple(words)


def _marks(chunk: Chunk) -> tuple[MarkAt, ...]:
    unit = chunk.sample_rate * UNIT_MS / 1000
    return tuple(MarkAt(mark.name, int(mark.sample / unit)) for mark in chunk.marks)
