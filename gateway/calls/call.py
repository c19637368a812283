"""A call: one leg, what it may be asked, and what it tells. The pure core: no socket, no clock, no await.

Whoever owns a call drives it so: call one method, with a ``Glance`` at the ring taken just before, then do all
that ``take()`` returns, in order, before anything else happens to the call.

    say, stop, stop_utterance, pause, resume, close             here: what people ask for
    digit, hear                                                 here: what the caller does
    ringing, answered, change                                   here: what a SIP peer says
    advance, report, closed                                      here: what the media worker says
    describe, laid, removed, speech_failed, begun, …             at ``playlist``: synthesis and the ring
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from gateway.calls import rules
from gateway.calls.actions import Action, Glance, Outbox
from gateway.calls.caller import Caller
from gateway.calls.life import Cause
from gateway.calls.mix import Mix
from gateway.calls.playlist import Playlist
from gateway.calls.requests import Background, Media, OpenCall, Say
from gateway.calls.utterance import Utterance
from gateway.calls.writing import Writing
from gateway.errors import Refusal
from gateway.messages.media import (
    ChangeLeg,
    Latched,
    LegOpened,
    LegStatistics,
    LegTrouble,
    Quality,
    VoiceHeard,
)

State = Literal["ringing", "open", "closed"]
Hold = Literal["controller", "peer", "unanswered", "caller"]
"""Who keeps speech from being sent; ``caller``: he speaks, and may mean it."""


class Local(NamedTuple):
    """Where the leg sends from and receives."""

    address: str
    port: int
    rtcp_port: int


class Remote(NamedTuple):
    """Where the leg sends to."""

    address: str
    port: int


class Call:
    """Public attributes are for reading. ``cause``: why it was closed, set as soon as it is to be."""

    def __init__(
        self,
        call_id: str,
        request: OpenCall,
        voice: str,
        ring: int,
        opened: LegOpened,
        generation: int,
        opened_at: datetime,
        queue_limit: int,
    ) -> None:
        self.id = call_id
        self.request = request
        self.state: State = "open" if request.sip is None else "ringing"
        self.codec = request.codec
        self.ptime = request.ptime
        self.voice = voice
        self.opened_at = opened_at
        self.answered_at: datetime | None = None
        self.closed_at: datetime | None = None
        self.local = Local(opened.local_address, opened.local_port, opened.local_rtcp_port)
        self.remote = Remote(request.address, request.port) if request.port else None
        self.ssrc = opened.ssrc
        self.payload_type = request.own_payload_type
        self.dtmf_payload_type = request.dtmf_payload_type
        self._rtcp_port = request.rtcp_port
        self.sip = request.sip
        self.sip_end: tuple[int, str] | None = None
        """The SIP status and reason that the call ended with, if it was never answered."""
        self.client_state = request.client_state
        self.webhook_url = request.webhook_url
        self.cause: str | None = None
        self.statistics: LegStatistics | None = None
        self._queue_limit = queue_limit
        self._holds: set[Hold] = set()
        self._ids: set[str] = set()
        self._outbox = Outbox(request.client_state)
        self.playlist = Playlist(
            ring,
            opened.row,
            self.codec,
            self.ptime,
            generation,
            self._outbox,
            agreed=self.remote is not None or request.door is not None,
            patient=request.door is not None,
        )
        self.writing = Writing(self.playlist, self._outbox)
        self.mix = Mix(opened.row, request.volume_db, self._outbox)
        self._caller = Caller(self.playlist, self.mix, self._outbox, partial(self._hold, "caller"))

    def take(self) -> list[Action]:
        """What is to be done now."""
        return self._outbox.take()

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """Ended ones in the order of their ends (the newest thousand), then the queue, the current one first."""
        return (*self.playlist.queue.ended.values(), *self.playlist.queue)

    def utterance(self, uid: str) -> Utterance:
        """The utterance with this id. Refusal ``unknown_utterance``."""
        found = self.playlist.queue.find(uid)
        if found is None:
            raise Refusal("unknown_utterance", f"Call {self.id} has no utterance {uid!r}")
        return found

    @property
    def paused(self) -> bool:
        """Whether the controller holds speech."""
        return "controller" in self._holds

    @property
    def held(self) -> bool:
        """Whether the peer has put us on hold."""
        return "peer" in self._holds

    @property
    def speaking(self) -> bool:
        """Whether anything is being said or waits to be."""
        return bool(self.playlist.queue)

    @property
    def confirm_ms(self) -> int | None:
        """For how long the caller must speak until his voice cuts; None when nobody listens to it."""
        barge_in = self._caller.may_cut(self.request.barge_in)
        return barge_in.confirm_ms if barge_in.voice and not self.closing else None

    @property
    def closing(self) -> bool:
        """Whether the call is closed or about to be."""
        return self.cause is not None

    # -- what people ask for ------------------------------------------------------------------------------

    def opened(self, glance: Glance) -> None:
        """The leg is there. It sends, unless a peer has yet to answer, or to be answered."""
        if self.mix.volume_db:
            self.mix.tell()
        if self.request.door is not None:
            self._publish("call.opened", glance, {"door": self.request.door, "codec": self.codec})
            return
        if self.sip is None:
            self._publish("call.opened", glance, self._agreed())
            return
        self._hold("unanswered", True, glance)
        kind = "call.incoming" if self.sip.direction == "in" else "call.opened"
        self._publish(kind, glance, {"sip": self.sip.told()})

    def ringing(self, code: int, glance: Glance) -> None:
        """The peer is being called."""
        self._publish("call.ringing", glance, {"code": code})

    def early(self, glance: Glance) -> None:
        """Speech goes out before the call is answered: early media."""
        self._hold("unanswered", False, glance)
        self._change_leg()

    def answered(self, media: Media, at: datetime, glance: Glance) -> None:
        """The call is answered and acknowledged: speech begins."""
        self.state, self.answered_at = "open", at
        self._hold("unanswered", False, glance)
        self._take(media, glance)
        self._publish("call.answered", glance, self._agreed())

    def change(self, media: Media, glance: Glance) -> None:
        """The peer wants its audio elsewhere or otherwise, or none, or some again."""
        held, before = self.held, self._agreed()
        self._take(media, glance)
        if self._agreed() != before:
            self._publish("call.changed", glance, self._agreed())
        if self.held != held:
            self._publish("call.held" if self.held else "call.resumed", glance, {})

    def _take(self, media: Media, glance: Glance) -> None:
        self.playlist.advance(glance)
        agreed = self.playlist.agreed
        recode = agreed and media.codec != self.codec
        if not agreed:
            self.playlist.agree(media.codec, media.ptime, glance)
        elif recode:
            self.playlist.recode(media.codec, glance)
        if media.address is not None:
            self.remote = Remote(media.address, media.port)
            self._rtcp_port = media.rtcp_port
        self.codec, self.ptime, self.payload_type = media.codec, media.ptime, media.payload_type
        self.dtmf_payload_type = media.dtmf_payload_type
        self._hold("peer", media.held, glance)
        self._change_leg(with_cut=recode or not agreed)

    def _change_leg(self, *, with_cut: bool = False) -> None:
        """Tell the media worker how things stand."""
        remote = self.remote or Remote(self.request.address, 0)
        self._outbox.add(
            ChangeLeg(
                row=self.playlist.row,
                remote_address=remote.address,
                remote_port=remote.port,
                remote_rtcp_port=self._rtcp_port,
                payload_type=self.payload_type,
                law=self.codec,
                ptime_ms=self.ptime,
                dtmf_payload_type=self.dtmf_payload_type,
                held=bool(self._holds & {"peer", "unanswered"}),
                with_cut=with_cut,
            )
        )

    def _agreed(self) -> dict[str, object]:
        remote = None if self.remote is None else self.remote._asdict()
        return {"codec": self.codec, "remote": remote}

    def _publish(self, kind: str, glance: Glance, data: dict[str, object]) -> None:
        self._outbox.publish(kind, glance.now_ns, data)

    def say(self, say: Say, *, key: int, fresh_id: str, glance: Glance) -> Utterance:
        """Queue an utterance by its mode. Refusals ``wrong_state``, ``duplicate_utterance``, ``queue_full``.

        ``key`` is the number that synthesis knows it by; ``fresh_id`` its id unless the request has one.
        """
        self._must_be_open()
        uid = say.id or fresh_id
        if uid in self._ids:
            raise Refusal("duplicate_utterance", f"Call {self.id} has had an utterance {uid!r}", field="id")
        self.playlist.advance(glance)
        queue = self.playlist.queue
        victims = rules.cut_by_mode(queue, say.mode)
        if len(rules.survivors(queue)) - len(victims) >= self._queue_limit:
            detail = f"{self._queue_limit} utterances wait on call {self.id} (VOXTRUNK_QUEUE_LIMIT)"
            raise Refusal("queue_full", detail, retry_after=5)
        begins_at = say.resume.char or 0 if say.resume else 0
        utterance = Utterance(
            id=uid,
            call_id=self.id,
            key=key,
            text=say.script.text[begins_at:] if say.script else "",
            voice=say.voice or self.voice,
            interruptible=say.interruptible,
            barge_in=say.barge_in or self.request.barge_in,
            client_state=say.client_state,
            say=say,
            requested_ns=say.requested_ns,
            begins_at=begins_at,
        )
        self.writing.open(utterance)
        behind = rules.protected_current(queue, say.mode)
        self._drop(victims, "interrupted" if say.mode == "interrupt" else "replaced", glance)
        self.playlist.insert(utterance, rules.place(queue, say.mode, behind), glance)
        self._ids.add(uid)
        return utterance

    def stop(self, scope: Literal["current", "all"], glance: Glance) -> list[Utterance]:
        """Cut the current utterance or all. Returns those that are being stopped, the current one first."""
        self._must_be_open()
        self.playlist.advance(glance)
        victims = rules.cut_by_stop(self.playlist.queue, scope)
        self._drop(victims, "stopped", glance)
        return victims

    def stop_utterance(self, uid: str, glance: Glance, cause: Cause = "stopped") -> list[Utterance]:
        """Cut this utterance and no other; nothing if it has ended. Refusal ``unknown_utterance``."""
        self.playlist.advance(glance)
        utterance = self.utterance(uid)
        victims = [utterance] if utterance.survives else []
        self._drop(victims, cause, glance)
        return victims

    def rest_of(self, uid: str) -> Say:
        """The request that says what was not heard of an utterance.

        Refusals ``unknown_utterance``, ``wrong_state``.
        """
        utterance = self.utterance(uid)
        if not utterance.ended or utterance.state == "finished":
            state = "has been heard to its end" if utterance.ended else f"is {utterance.state}; stop it first"
            raise Refusal("wrong_state", f"Utterance {uid} {state}")
        return utterance.rest()

    def pause(self, glance: Glance, *, at_word: bool = False) -> None:
        """Hold what is being said, and all that comes. Refusal ``wrong_state`` when it is held already.

        ``at_word``: the word that is being said is said to its end.
        """
        self._pause(True, glance, at_word=at_word)

    def resume(self, glance: Glance) -> None:
        """Go on where ``pause`` held. Refusal ``wrong_state`` when nothing is held."""
        self._pause(False, glance)

    def _pause(self, paused: bool, glance: Glance, *, at_word: bool = False) -> None:
        self._must_be_open()
        if self.paused == paused:
            raise Refusal("wrong_state", f"Call {self.id} is {'already' if paused else 'not'} paused")
        self.playlist.advance(glance)
        self._hold("controller", paused, glance, at_word=at_word)

    def _hold(self, who: Hold, on: bool, glance: Glance, *, at_word: bool = False) -> None:
        """Speech is held while anybody wants it so."""
        before = bool(self._holds)
        (self._holds.add if on else self._holds.discard)(who)
        if bool(self._holds) != before:
            self.playlist.hold(not before, glance, at_word=at_word)

    def digit(self, digit: str, duration_ms: int | None, glance: Glance) -> None:
        """The caller has pressed a key, or has begun to."""
        if not self.closing:
            self._caller.press(digit, duration_ms, glance)

    def hear(self, heard: VoiceHeard, glance: Glance) -> None:
        """The caller has begun to speak, goes on, or has stopped."""
        if not self.closing:
            self._caller.speak(heard, glance)

    def _drop(self, victims: Sequence[Utterance], cause: Cause, glance: Glance) -> None:
        self.playlist.drop(victims, cause, glance)
        self._caller.review(glance)

    def set_volume(self, volume_db: float) -> None:
        """The level of all that is said. Refusal ``wrong_state``."""
        self._must_be_open()
        self.mix.set_volume(volume_db)

    def set_background(self, background: Background | None) -> None:
        """What sounds behind speech. Refusal ``wrong_state``."""
        self._must_be_open()
        self.mix.set_background(background)

    def close(self, cause: str, glance: Glance, sip_end: tuple[int, str] | None = None) -> None:
        """Take no more requests and stop all speech; ``closed`` follows once that is settled."""
        assert self.cause is None
        self.playlist.advance(glance)
        self.cause, self.sip_end = cause, sip_end
        self._drop(rules.survivors(self.playlist.queue), "call_closed", glance)

    # -- what the media worker says -----------------------------------------------------------------------

    def advance(self, glance: Glance, underruns: Mapping[str, int] = MappingProxyType({})) -> None:
        """Look at what was sent. ``underruns``: how many there were since last time, by cause."""
        self.playlist.advance(glance)
        self._caller.review(glance)
        for cause, count in underruns.items():
            self.playlist.broke_off(cause, count, glance)

    def report(self, message: Quality | LegTrouble | Latched, glance: Glance) -> None:
        """Tell how the leg fares."""
        publish = self._outbox.publish
        if isinstance(message, Quality):
            figures = msgspec.structs.asdict(message)
            del figures["row"]
            publish("call.quality", glance.now_ns, figures)
            if message.round_trip_ms is not None:
                self.playlist.lag(message.round_trip_ms / 2 + message.jitter_ms)
        elif isinstance(message, Latched):
            self.remote = Remote(message.remote_address, message.remote_port)
            publish("call.quality", glance.now_ns, {"latched": True, "remote": self.remote._asdict()})
        elif message.kind == "timeout":
            publish("call.media_timeout", glance.now_ns, {"detail": message.detail})
        else:
            publish("call.quality", glance.now_ns, {message.kind: True, "detail": message.detail})

    def closed(self, cause: str, statistics: LegStatistics | None, at: datetime, glance: Glance) -> None:
        """The leg is gone; its ring stands still. ``statistics``: None when the media worker gave none.

        ``cause`` counts when the call was not being closed already: its media worker died.
        """
        self.cause = self.cause or cause
        self.playlist.close(glance)
        self.state, self.closed_at, self.statistics = "closed", at, statistics
        figures = None if statistics is None else msgspec.structs.asdict(statistics)
        data: dict[str, object] = {"cause": self.cause, "statistics": figures}
        if self.sip_end is not None:
            data["sip"] = dict(zip(("code", "reason"), self.sip_end, strict=True))
        self._publish("call.closed", glance, data)

    def _must_be_open(self) -> None:
        if self.closing:
            raise Refusal("wrong_state", f"Call {self.id} is closed")
