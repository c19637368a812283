"""What the caller does while he is spoken to: his keys and his voice, and the speech that they cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.calls import rules
from gateway.calls.actions import Glance, Outbox
from gateway.calls.mix import Mix
from gateway.calls.playlist import Playlist
from gateway.calls.requests import BargeIn
from gateway.calls.utterance import Utterance
from gateway.messages.media import VoiceHeard


class Caller:
    """``hold`` keeps speech from being sent while he may be meaning to cut in, or lets it go on."""

    def __init__(
        self, playlist: Playlist, mix: Mix, outbox: Outbox, hold: Callable[[bool, Glance], None]
    ) -> None:
        self._playlist = playlist
        self._mix = mix
        self._outbox = outbox
        self._hold = hold
        self._doubted: list[Utterance] = []  # cut if he goes on speaking

    def may_cut(self, otherwise: BargeIn) -> BargeIn:
        """What of his may cut what is said first of all that his voice may; without any, ``otherwise``."""
        heard = (entry for entry in self._playlist.queue if entry.survives and entry.yields_to_voice)
        return next((entry.barge_in for entry in heard), otherwise)

    def press(self, digit: str, duration_ms: int | None, glance: Glance) -> None:
        """A key: it is told, and cuts what it may cut."""
        self._playlist.advance(glance)
        self._outbox.publish("call.dtmf", glance.now_ns, {"digit": digit, "duration_ms": duration_ms})
        self._cut(rules.cut_by_digit(self._playlist.queue, digit), glance)

    def speak(self, heard: VoiceHeard, glance: Glance) -> None:
        """His voice, or its end: it is told, and cuts what it may cut.

        What is to be confirmed is only held meanwhile, and goes on from the same sample when it is not.
        """
        self._playlist.advance(glance)
        if heard.kind == "started":
            self._begin(heard, glance)
            return
        doubted, self._doubted = [entry for entry in self._doubted if entry.survives], []
        if heard.kind == "confirmed":
            self._cut(doubted, glance)
        else:
            self._tell("call.speech_stopped", heard, "dismissed" if doubted else "none")
        self._take_back(glance)

    def _begin(self, heard: VoiceHeard, glance: Glance) -> None:
        victims = rules.cut_by_voice(self._playlist.queue)
        at_once = not (victims and victims[0].barge_in.confirm_ms)
        effect = ("cut" if at_once else "held") if victims else "none"
        self._tell("call.speech_started", heard, effect)
        if at_once:
            self._cut(victims, glance)
            return
        self._doubted = victims
        if victims[0].position == 0:
            if victims[0].barge_in.meanwhile == "pause":
                self._hold(True, glance)
            else:
                self._mix.duck(True)

    def _tell(self, kind: str, heard: VoiceHeard, effect: str) -> None:
        self._outbox.publish(kind, heard.at_ns, {"voice_ms": heard.voice_ms, "barge_in": effect})

    def _cut(self, victims: Sequence[Utterance], glance: Glance) -> None:
        self._playlist.drop(victims, "barge_in", glance)
        self.review(glance)

    def review(self, glance: Glance) -> None:
        """When nothing is left of what he may be meaning to cut, nothing waits for him."""
        if self._doubted and not any(entry.survives for entry in self._doubted):
            self._doubted = []
            self._take_back(glance)

    def _take_back(self, glance: Glance) -> None:
        """Speak on as before."""
        self._hold(False, glance)
        self._mix.duck(False)
