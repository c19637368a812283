"""Routes: a voice that is a list of voices, of which the first that can speaks, and the next when it fails.

Who fails before its first sound is not heard of. Who fails later has said whole words: the next one says the
rest, from the word at which the other broke off, which as a rule begins a clause.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tts_core.clauses import COMMAS, STOPS
from tts_core.elsewhere import ROUTE
from tts_core.engine import Arrival, Chunk, Speech, Turn, check_rate
from tts_core.errors import EngineError, UnknownVoice
from tts_core.mixing import RATE, Line
from tts_core.remote.config import Route, Try
from tts_core.remote.desk import Desk
from tts_core.remote.wire import First, Wire
from tts_core.script import Mark, Pause, Piece, Say, Script
from tts_core.voices import Voice

_log = logging.getLogger(__name__)
_BETWEEN = frozenset(STOPS + COMMAS + "\"'”’»›)]}」』】》〉）- –—")


class Door(Protocol):
    """What speaks with any voice: tts_core.door.Synthesiser."""

    def voices(self) -> Sequence[Voice]: ...
    def speak(self, script: Script, voice: str, rate: float = 1.0) -> Speech: ...


@dataclass(slots=True, eq=False)
class _Racer:
    """A voice that is asked to speak. `pending`: what it waits for."""

    number: int
    voice: str
    parts: Generator[Chunk | Turn, None, None]
    pending: Arrival | None = None
    first: Chunk | None = None
    over: bool = False

    @property
    def ready(self) -> bool:
        return self.pending is None or self.pending.here


@dataclass(slots=True)
class _Said:
    """What of a script was given: whole words up to `char`, and so many marks."""

    char: int = 0
    marks: int = 0
    anything: bool = False

    def add(self, chunk: Chunk) -> None:
        self.anything = True
        self.marks += len(chunk.marks)
        if chunk.words:
            self.char = max(self.char, chunk.words[-1].char_end)


@dataclass(slots=True)
class _Course:
    """One utterance's way through its route: who failed it, and why."""

    name: str
    tries: tuple[Try, ...]
    hedge_s: float | None
    out: set[int] = field(default_factory=set)
    why: list[str] = field(default_factory=list)


class RouteEngine:
    """`route:NAME`, and where its list has such conditions `route:NAME/LANGUAGE`, `route:NAME@TIER`,
    `route:NAME/LANGUAGE@TIER`.

    `door` is set once the other engines are open; `local_load`: the part of its own voices' thread in use.
    All is spoken at 8 kHz. A chunk tells whose voice it is.
    """

    name = ROUTE
    resets = 0
    left_out: tuple[str, ...] = ()

    def __init__(
        self, routes: Sequence[Route], desks: Mapping[str, Desk], wire: Wire, local_load: Callable[[], float]
    ) -> None:
        self.door: Door | None = None
        self.fail_overs: Counter[tuple[str, str, str]] = Counter()
        """By route, the voice that was left, and when: before or after its first sound, or late."""
        self._desks, self._wire, self._local_load = desks, wire, local_load
        self._courses: dict[str, tuple[Voice, Route, tuple[Try, ...]]] = {}
        for route in routes:
            for name, language, tries in _variants(route):
                about = route.description or f"{', then '.join(each.voice for each in tries)}"
                voice = Voice(name, language, self.name, about, "")
                self._courses[name] = voice, route, tries

    def voices(self) -> tuple[Voice, ...]:
        """Every route, by the conditions that a caller can choose."""
        return tuple(voice for voice, _, _ in self._courses.values())

    def load(self, voice_name: str) -> None:
        """Its voices are loaded as they are. Raises UnknownVoice."""
        self._known(voice_name)

    def renew(self) -> frozenset[str]:
        """None come or go while the process lives."""
        return frozenset()

    def together(self, voice_name: str) -> int:
        """Each alone. Raises UnknownVoice."""
        self._known(voice_name)
        return 1

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
        """See Engine; EngineError when no voice of the list is left."""
        _, route, tries = self._known(voice_name)
        check_rate(rate)
        return Speech(self._parts(script, _Course(voice_name, tries, route.hedge_s), rate))

    def _known(self, voice_name: str) -> tuple[Voice, Route, tuple[Try, ...]]:
        known = self._courses.get(voice_name)
        if known is None:
            raise UnknownVoice(voice_name, self._courses)
        return known

    # -- one utterance ------------------------------------------------------------------------------------

    def _parts(self, script: Script, course: _Course, rate: float) -> Generator[Chunk | Turn, None, None]:
        offset, left = 0, script
        favourite = next(self._affordable(course, script), None)
        while True:
            racer = yield from self._race(left, course, rate)
            said, line, failed = _Said(), None, False
            try:
                chunk = racer.first
                while chunk is not None:
                    said.add(chunk)
                    line = line or Line(chunk.sample_rate, offset)
                    spoken = line.take(chunk)
                    offset += len(spoken.pcm)
                    own = chunk.voice or racer.voice
                    yield replace(spoken, voice=own, stands_in=racer.number != favourite)
                    chunk = yield from _next_chunk(racer)
            except EngineError as error:
                self._left(course, racer, error, "after")
                left, failed = _rest(left, said), True
            finally:
                racer.parts.close()
            if line is not None and len(tail := line.rest()):
                offset += len(tail)
                yield Chunk(tail, RATE, voice=racer.voice)
            if not failed:
                return

    def _race(self, script: Script, course: _Course, rate: float) -> Generator[Turn, None, _Racer]:
        """Who gives a first chunk, or has nothing to say; those who fail before that are left."""
        racers: list[_Racer] = []
        timer: Arrival | None = None
        try:
            while True:
                if not racers or (timer is not None and timer.here):
                    late, timer = racers[-1:], None
                    racer = self._begin(script, course, rate, racers)
                    if racer is not None:
                        racers.append(racer)
                        self.fail_overs.update((course.name, each.voice, "late") for each in late)
                        if course.hedge_s is not None:
                            timer = self._wire.after(course.hedge_s)
                for racer in tuple(racers):
                    if not racer.ready:
                        continue
                    try:
                        racer.first = yield from _next_chunk(racer, wait=False)
                    except EngineError as error:
                        racers.remove(racer)
                        self._left(course, racer, error, "before")
                        continue
                    if racer.first is not None or racer.over:
                        racers.remove(racer)
                        return racer
                if racers and not any(racer.ready for racer in racers):
                    pending = [racer.pending for racer in racers if racer.pending is not None]
                    yield First([*pending, *([] if timer is None else [timer])])
        finally:
            for loser in racers:
                loser.parts.close()

    def _begin(
        self, script: Script, course: _Course, rate: float, running: Sequence[_Racer]
    ) -> _Racer | None:
        """The next voice that may speak. Raises EngineError when none is left and none is running."""
        assert self.door is not None, "a route was asked to speak before its door was open"
        busy = {racer.number for racer in running}
        reasons = list(course.why)
        for number in self._affordable(course, script):
            if number in course.out or number in busy:
                continue
            each = course.tries[number]
            obstacle = self._obstacle(each, _characters(script))
            if not obstacle:
                return _Racer(number, each.voice, self.door.speak(script, each.voice, rate).parts)
            reasons.append(obstacle)
        if running:
            return None
        raise EngineError(
            f"no voice of {course.name} can speak: " + ("; ".join(reasons) or "none is offered")
        )

    def _affordable(self, course: _Course, script: Script) -> Iterator[int]:
        """The numbers of those that are offered, and whose cost allows it."""
        assert self.door is not None
        offered = {voice.name for voice in self.door.voices()}
        for number, each in enumerate(course.tries):
            desk = self._desks.get(each.voice.partition(":")[0])
            cost = desk.price(_characters(script)) if desk else 0.0
            if each.voice in offered and cost <= each.below_cost:
                yield number

    def _obstacle(self, each: Try, characters: int) -> str:
        """Why a voice is passed over now; empty when it may speak."""
        desk = self._desks.get(each.voice.partition(":")[0])
        load = desk.load if desk else self._local_load()
        if load >= each.below_load:
            return f"{each.voice} has a load of {load:.2f} (below_load {each.below_load:g})"
        return desk.obstacle(characters) if desk else ""

    def _left(self, course: _Course, racer: _Racer, error: EngineError, when: str) -> None:
        course.out.add(racer.number)
        course.why.append(f"{racer.voice}: {error}")
        self.fail_overs[course.name, racer.voice, when] += 1
        _log.warning("%s goes on without %s: %s", course.name, racer.voice, error)


def _next_chunk(racer: _Racer, *, wait: bool = True) -> Generator[Turn, None, Chunk | None]:
    """The racer's next chunk; None when it is over or, unless `wait`, has none yet."""
    racer.pending = None
    for part in racer.parts:
        if isinstance(part, Chunk):
            return part
        if isinstance(part, Arrival) and not wait:
            racer.pending = part
            return None
        yield part
    racer.over = True
    return None


def _variants(route: Route) -> Iterator[tuple[str, str, tuple[Try, ...]]]:
    """Every name of a route, with its language and those of its list that may speak then."""
    languages = dict.fromkeys(tag for each in route.tries for tag in each.languages if tag != route.language)
    tiers = dict.fromkeys(tier for each in route.tries for tier in each.tiers)
    for language in (route.language, *languages):
        for tier in ("", *tiers):
            own = language == route.language
            tries = tuple(
                each
                for each in route.tries
                if (language in each.languages or (own and not each.languages))
                and (not each.tiers or tier in each.tiers)
            )
            if tries:
                name = f"route:{route.name}" + ("" if own else f"/{language}") + (f"@{tier}" if tier else "")
                yield name, language, tries


def _characters(script: Script) -> int:
    return sum(piece.end - max(piece.start, script.begin) for piece in script.pieces
               if isinstance(piece, Say) and piece.end > script.begin)  # fmt: skip


def _rest(script: Script, said: _Said) -> Script:
    """What of `script` was not said: from the next word on, and the marks that were not given."""
    if not said.anything:
        return script
    char = max(said.char, script.begin)
    while char < len(script.text) and (script.text[char].isspace() or script.text[char] in _BETWEEN):
        char += 1
    pieces: list[Piece] = []
    passed, at = said.marks, 0
    for piece in script.pieces:
        if isinstance(piece, Mark):
            if passed:
                passed -= 1
            else:
                pieces.append(piece)
        elif isinstance(piece, Pause):
            if at > char:
                pieces.append(piece)
        else:
            at = piece.end
            if isinstance(piece, Say) and piece.how is None:
                piece = replace(piece, start=max(piece.start, min(char, at)))
            if at > char:
                pieces.append(piece)
    return replace(script, pieces=tuple(pieces), begin=0)
