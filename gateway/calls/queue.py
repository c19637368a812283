"""A leg's utterances: those that end one after another, and those that have ended."""

from __future__ import annotations

from typing import Final

from gateway.calls import rules
from gateway.calls.demand import Burden
from gateway.calls.requests import Say
from gateway.calls.utterance import Utterance, shareable
from gateway.messages.base import Law
from gateway.messages.synthesis import Resume

_KEPT_ENDED: Final = 1000
"""Ended utterances that can still be read."""


class Queue(list[Utterance]):
    """In the order of their ends; ``position`` counts those that are to be spoken. ``ended``: newest last.

    ``patient``: see AttachLeg. ``coding``: law and packet time.
    """

    def __init__(self, patient: bool) -> None:
        super().__init__()
        self.patient = patient
        self.coding: tuple[Law, int] | None = None
        self.ended: dict[str, Utterance] = {}

    def find(self, uid: str) -> Utterance | None:
        """The utterance with this id, ended or not."""
        return self.ended.get(uid) or next((entry for entry in self if entry.id == uid), None)

    def by_key(self, key: int) -> Utterance | None:
        """The one that synthesis knows by ``key`` and that has not ended."""
        return next((entry for entry in self if entry.key == key), None)

    @property
    def making(self) -> Utterance | None:
        """The one of which the synthesis worker makes more, or is to begin; None when all is made."""
        return next((entry for entry in self if entry.survives and not entry.settled), None)

    @property
    def burden(self) -> Burden | None:
        """The speech that the worker is to make next; None when all is made, or comes from files."""
        for entry in self:
            if entry.survives and not entry.settled and entry.say.prompt is None:
                return self.asking(entry.say, entry.voice, entry.resume)._replace(begun=entry.begun)
        return None

    def asking(self, say: Say, voice: str, resume: Resume | None = None) -> Burden:
        """What the worker is asked for by this request."""
        speech = None if resume else shareable(say)
        return Burden(voice, False, self.patient, speech and (speech, self.coding))

    def put(self, index: int, utterance: Utterance) -> None:
        """A new one."""
        self.insert(index, utterance)
        self.renumber()

    def end(self, utterance: Utterance) -> None:
        """It has ended."""
        self.remove(utterance)
        self.ended[utterance.id] = utterance
        if len(self.ended) > _KEPT_ENDED:
            del self.ended[next(iter(self.ended))]
        self.renumber()

    def follow(self, laid: Utterance) -> None:
        """It was laid, before one that we had put in front of it: the order of laying is the truth."""
        waiting = next((entry for entry in self if entry.survives and entry.laying is None), None)
        if waiting is None or laid not in self:
            return
        index = self.index(waiting)
        if index < self.index(laid):
            self.remove(laid)
            self.put(index, laid)

    def renumber(self) -> None:
        """Some are to be spoken no more."""
        for utterance in self:
            utterance.position = None
        for position, utterance in enumerate(rules.survivors(self)):
            utterance.position = position
