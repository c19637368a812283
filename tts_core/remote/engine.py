"""A provider behind the engine contract: clause by clause over the network, the next one asked for in time."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np
import soxr

from tts_core.elsewhere import Manner
from tts_core.engine import Chunk, Pcm, Speech, Turn, check_rate, pace, silence
from tts_core.errors import UnknownVoice
from tts_core.plan import Clause, Rest, Step, steps
from tts_core.reading.sayas import OPEN, SHUT
from tts_core.remote.asking import NOTHING, Line, Timbre, Unanswered
from tts_core.remote.spoken import Spoken
from tts_core.remote.wire import Answer, Peer, Wire, fetch
from tts_core.script import Script
from tts_core.sounding import samples
from tts_core.timing import time_marks
from tts_core.voices import Voice

_log = logging.getLogger(__name__)
_PER_S = 15.0
"""Characters that a voice speaks in a second, of which nothing is known."""
_REFERENCE = "1 2 3 1985"
_TOLD_S = 1.5
"""So much speech of a voice tells its level and its pace."""
_MOST_S = 20.0
_MOST_PER_CHARACTER_S = 1.0
_CONTEXT = 200
"""Characters before and after a clause that a provider is told."""
_LOUD = 64
_PHONEMES = re.compile(f"{OPEN}[^{SHUT}]*{SHUT}")


class RemoteEngine:
    """The voices of one provider, `NAME:VOICE`.

    What a clause is said with comes as it is made there; while nothing has come, `speak` yields the Answer, which
    is an Arrival. It belongs to the thread that made it; the audio comes by the wire's. What a voice sounds like
    (`manner`) is found out by its first speech, or by `warm`, and stands from then on.
    """

    resets = 0
    left_out: tuple[str, ...] = ()

    def __init__(
        self, name: str, timbres: Sequence[Timbre], peer: Peer, wire: Wire, *, warm_first: bool = False
    ) -> None:
        self.name = name
        self.warm_first = warm_first
        self.peer = peer
        self._wire = wire
        self._timbres = {f"{name}:{timbre.name}": timbre for timbre in timbres}
        self._manners: dict[str, Manner] = {}
        self._tried: dict[str, list[tuple[Pcm, int, int]]] = {}
        self._noting = threading.Lock()

    def voices(self) -> tuple[Voice, ...]:
        """Those that are configured."""
        return tuple(
            Voice(
                name,
                timbre.language,
                self.name,
                timbre.description or f"{timbre.own}, by {self.name}",
                timbre.gender,
            )
            for name, timbre in self._timbres.items()
        )

    def load(self, voice_name: str) -> None:
        """Nothing is loaded; see `warm`. Raises UnknownVoice."""
        self._known(voice_name)

    def renew(self) -> frozenset[str]:
        """None come or go while the process lives."""
        return frozenset()

    def together(self, voice_name: str) -> int:
        """Each alone. Raises UnknownVoice."""
        self._known(voice_name)
        return 1

    def level_dbov(self, voice_name: str) -> float | None:
        """The level that is configured for a voice."""
        return self._known(voice_name).level_dbov

    def manner(self, voice_name: str) -> Manner | None:
        """What the voice is like; None before enough of it was heard."""
        return self._manners.get(voice_name)

    def warm(self) -> None:
        """Have every voice read a few digits, in the background: then its level, its pace and the way there are
        known. It costs what so many characters cost."""
        threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _warm(self) -> None:
        for name in self._timbres:
            try:
                for _ in self.speak(Script.from_text(_REFERENCE), name, 1.0):
                    pass
            except Unanswered as error:
                _log.warning("the voice %s was not warmed: %s", name, error)

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
        """Speak `script` clause by clause. Raises UnknownVoice, BadRate at once; Unanswered from the iterator."""
        timbre = self._known(voice_name)
        check_rate(rate)
        return Speech(self._parts(script, voice_name, timbre, rate))

    def _known(self, voice_name: str) -> Timbre:
        timbre = self._timbres.get(voice_name)
        if timbre is None:
            raise UnknownVoice(voice_name, self._timbres)
        return timbre

    def _parts(
        self, script: Script, voice: str, timbre: Timbre, rate: float
    ) -> Generator[Chunk | Turn, None, None]:
        offset, sample_rate = 0, self.peer.provider.rate

        def ask(clause: Clause, before: str, after: str) -> Answer:
            return self._ask(script, clause, before, after, timbre, rate)

        walk = _Walk(steps(script, timbre.language), ask)
        try:
            for step in walk:
                if isinstance(step, Rest):
                    pcm = silence(samples(step.ms, sample_rate))
                    marks = time_marks([(name, 0) for name in step.marks], (), offset)
                    yield Chunk(pcm, sample_rate, (), marks)
                    offset += len(pcm)
                    continue
                for part in self._clause(step, walk, voice, rate, offset):
                    if isinstance(part, Chunk):
                        offset += len(part.pcm)
                    yield part
        finally:
            walk.drop()

    def _ask(
        self, script: Script, clause: Clause, before: str, after: str, timbre: Timbre, rate: float
    ) -> Answer:
        """A request for a clause goes out."""
        text = _spelt(script, clause)
        line = Line(
            text, before[-_CONTEXT:], after[:_CONTEXT], pace(rate, clause.manner), clause.manner.pitch
        )
        answer, desk = Answer(), self.peer.desk
        if obstacle := desk.obstacle(len(text), waits=True):
            desk.held()
            answer.close(Unanswered("held", obstacle))
            return answer
        desk.begin(len(text))
        most_s = (_MOST_S + _MOST_PER_CHARACTER_S * len(text)) / line.rate
        answer.stop = self._wire.spawn(fetch(answer, line, timbre, self.peer, most_s))
        return answer

    def _clause(
        self, clause: Clause, walk: _Walk, voice: str, rate: float, offset: int
    ) -> Generator[Chunk | Turn, None, None]:
        """The chunks of one clause as they come, and its answer while none do."""
        answer = walk.answer(clause)
        known, speed = self._manners.get(voice), pace(rate, clause.manner)
        own = self.peer.provider.rate
        per_s = (known.per_s if known else _PER_S) * speed
        timed = self.peer.provider.times_words
        spoken = Spoken(clause, own, offset, samples(clause.pause_ms / speed, own), per_s, timed=timed)
        stream: soxr.ResampleStream | None = None
        pieces = []
        while True:
            piece = answer.take()
            if piece is None:
                if answer.over:
                    break
                yield answer
                answer.result()
                continue
            if answer.rate != own:
                stream = stream or soxr.ResampleStream(answer.rate, own, 1, dtype="int16")
                piece = stream.resample_chunk(piece)
            pieces.append(piece)
            spoken.push(piece, answer.onsets)
            while (chunk := spoken.next()) is not None:
                if answer.over and answer.error is None:
                    walk.ask_next(clause)
                yield chunk
        if answer.error is not None:
            raise answer.error
        walk.ask_next(clause)
        if stream is not None:
            spoken.push(stream.resample_chunk(NOTHING, last=True), answer.onsets)
        yield spoken.last()
        if speed == 1 and known is None:
            self._note(voice, np.concatenate((NOTHING, *pieces)), own, len(clause.text))

    def _note(self, voice: str, pcm: Pcm, rate: int, characters: int) -> None:
        """Learn what the voice is like from a clause that it said."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _LOUD)
        if not loud.size:
            return
        pcm = pcm[loud[0] : loud[-1] + 1]
        with self._noting:
            tried = self._tried.setdefault(voice, [])
            tried.append((pcm, rate, characters))
            tried[:] = [each for each in tried if each[1] == rate]
            total = sum(len(each) for each, _, _ in tried)
            if voice not in self._manners and total >= _TOLD_S * rate:
                said = sum(each for _, _, each in tried)
                heard = np.concatenate([each for each, _, _ in tried])
                self._manners[voice] = Manner(heard, rate, said / (total / rate))
                tried.clear()


class _Walk:
    """The steps of a script, a clause's answer asked for when it is needed or at most one clause before."""

    def __init__(self, every: Iterator[Step], ask: Callable[[Clause, str, str], Answer]) -> None:
        self._every, self._ask = every, ask
        self._ahead: deque[Step] = deque()
        self._answers: dict[Clause, Answer] = {}
        self._before = ""

    def __iter__(self) -> Iterator[Step]:
        while self._ahead or self._look():
            step = self._ahead.popleft()
            yield step
            if isinstance(step, Clause):
                self._answers.pop(step, None)
                self._before = step.text

    def answer(self, clause: Clause) -> Answer:
        """The answer to the clause that was yielded last."""
        if clause not in self._answers:
            self._begin(clause, self._before, 0)
        return self._answers[clause]

    def ask_next(self, clause: Clause) -> None:
        """Ask for the one after `clause`, which was yielded last, unless it was."""
        index, following = self._clause_from(0)
        if following is not None and following not in self._answers:
            self._begin(following, clause.text, index + 1)

    def drop(self) -> None:
        """No answer is wanted any more."""
        for answer in self._answers.values():
            answer.drop()

    def _begin(self, clause: Clause, before: str, index: int) -> None:
        _, after = self._clause_from(index)
        self._answers[clause] = self._ask(clause, before, after.text if after else "")

    def _clause_from(self, index: int) -> tuple[int, Clause | None]:
        """The first clause at `index` of what is ahead, or behind that, and where it is."""
        while index < len(self._ahead) or self._look():
            step = self._ahead[index]
            if isinstance(step, Clause):
                return index, step
            index += 1
        return index, None

    def _look(self) -> bool:
        step = next(self._every, None)
        if step is not None:
            self._ahead.append(step)
        return step is not None


def _spelt(script: Script, clause: Clause) -> str:
    """The clause as a provider is told it: the text's own characters where it has phonemes."""

    def source(found: re.Match[str]) -> str:
        start, end = clause.source(*found.span())
        return script.text[start:end]

    return _PHONEMES.sub(source, clause.text)
