"""What a call's core wants done: it decides, ``Legs`` does, in order and without waiting in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.calls.requests import Listener
from gateway.calls.utterance import Utterance
from gateway.messages.media import ChangeLeg, MixLeg
from gateway.messages.synthesis import Append, AttachLeg, Cut, DetachLeg, Remove, Speak


class Glance(NamedTuple):
    """What the ring says of a leg at a moment: the clock (CLOCK_MONOTONIC), what was sent, and when last.

    ``silent_ns``: until when its listener has something to hear, where that is later than what is sent.
    """

    now_ns: int
    sent: int
    sent_ns: int
    silent_ns: int = 0


@dataclass(frozen=True, slots=True)
class Publish:
    """An event of the call. ``at_ns``: when it happened, on CLOCK_MONOTONIC."""

    seq: int
    type: str
    at_ns: int
    utterance_id: str | None
    client_state: str | None
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tell:
    """For whoever listens to one utterance: what is published of it, and what is for nobody else."""

    listener: Listener
    kind: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CutRing:
    """``ring.cut`` at position ``at`` (0: at once), which makes ``generation`` the newest.

    ``with_change``: it takes hold with a ChangeLeg, which follows. ``fade``: what is cut at once dies away.
    """

    at: int
    generation: int
    with_change: bool = False
    fade: bool = False


@dataclass(frozen=True, slots=True)
class SetPaused:
    """Hold the leg's speech in the ring from position ``at`` on (0: at once), or let it go on."""

    paused: bool
    at: int = 0


ToWriter = AttachLeg | DetachLeg | Speak | Append | Remove | Cut
ToMedia = ChangeLeg | MixLeg
Action = Publish | Tell | CutRing | SetPaused | ToMedia | ToWriter


class Outbox:
    """Actions in the order in which they are to be done. It numbers the call's events, from 1 with no gap."""

    def __init__(self, client_state: str | None) -> None:
        self._client_state = client_state
        self._seq = 0
        self._actions: list[Action] = []

    def add(self, action: CutRing | SetPaused | ToMedia | ToWriter) -> None:
        """To be done."""
        self._actions.append(action)

    def publish(
        self, kind: str, at_ns: int, data: Mapping[str, object], utterance: Utterance | None = None
    ) -> None:
        """To be told. The state echoed is the utterance's own, else the call's."""
        self._seq += 1
        state, uid = self._client_state, None
        if utterance is not None:
            uid = utterance.id
            state = state if utterance.client_state is None else utterance.client_state
        self._actions.append(Publish(self._seq, kind, at_ns, uid, state, data))
        if utterance is not None:
            self.tell(utterance, kind, data)

    def tell(self, utterance: Utterance, kind: str, data: Mapping[str, object]) -> None:
        """To be told to whoever listens to this utterance, if anybody does."""
        if utterance.say.listener is not None:
            self._actions.append(Tell(utterance.say.listener, kind, data))

    def take(self) -> list[Action]:
        """All that came together since last asked."""
        actions, self._actions = self._actions, []
        return actions
