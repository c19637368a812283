"""A template as one utterance: its pieces, said or played, one behind the other.

What never changes is made once: a piece comes from what is kept of it, else it is made and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator

import msgspec

from gateway.messages.synthesis import Piece, Resume, Word
from gateway.ring import UNIT_OCTETS
from gateway.speech.lexicons import Stamp
from gateway.speech.recipe import Recipe
from gateway.speech.splice import Sound, Sounds, Splicer
from gateway.speech.track import Stretch
from telephony_codecs import LINE_RATE, Encoder, Law
from tts_core import Turn, WordTime

Say = Callable[[str], Generator[Turn, None, Sound]]
"""Makes what a piece says, at the level."""
Play = Callable[[str, Stamp | None], Sound]
"""Reads the recording at a path, as it was at a stamp, at the level. Raises MediaFileError, OSError."""


def stretches(recipe: Recipe, sounds: Sounds, say: Say, play: Play) -> Generator[Stretch | Turn, None, None]:
    """A stretch for each piece of ``recipe``, and one for the end; between them the turns of ``say``."""
    pieces, stamps = msgspec.json.decode(recipe.source, type=tuple[list[Piece], list[Stamp | None]])
    encoder = Encoder(LINE_RATE, Law(recipe.law), recipe.ptime_ms, 10 ** (recipe.gain_db / 20))
    splicer, resume = Splicer(), recipe.resume
    skip = resume.unit * UNIT_OCTETS if resume else 0
    passing = False
    for piece, stamp in zip(pieces, stamps, strict=True):
        if piece.prompt is not None:
            sound = play(piece.prompt, stamp)
        else:
            key = piece.text, recipe.voice, recipe.rate, recipe.lexicons
            kept = sounds.find(key)
            sound = (yield from say(piece.text)) if kept is None else kept
            passing = passing or sound.stands_in
            if kept is None and not sound.stands_in:
                sounds.keep(key, sound)
        spliced = splicer.add(piece.char, sound)
        payload = encoder.push(spliced.pcm)
        yield Stretch(payload[skip:], tuple(_placed(spliced.words, resume)), passing=passing)
        skip = max(0, skip - len(payload))
    payload = encoder.push(splicer.end().pcm) + encoder.flush()
    yield Stretch(payload[skip:], last=True, passing=passing)


def _placed(words: Iterable[WordTime], resume: Resume | None) -> Iterator[Word]:
    """Words in units from where the utterance goes on, those that are known already left out."""
    base = resume.unit if resume else 0
    for word in words:
        if (
            resume is not None
            and resume.char is not None
            and word.char_start < resume.char + (resume.skip > 0)
        ):
            continue
        start, into = divmod(word.start_sample, UNIT_OCTETS)
        end = -(-word.end_sample // UNIT_OCTETS)
        yield Word(word.char_start, word.char_end, max(0, start - base), max(0, end - base), into)
