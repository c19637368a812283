"""The API over a stand-in for the switchboard: calls and utterances in memory, no worker processes, no audio.

The event log, the utterance and the ring are the real ones. What the real switchboard does with them is proved
by its own tests and by the integration tests; here the subject is HTTP.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.server import serving
from gateway.calls.actions import Publish
from gateway.calls.demand import Demand
from gateway.calls.events import Event, EventLog
from gateway.calls.requests import Background, OpenCall, Say
from gateway.calls.utterance import Utterance
from gateway.errors import Refusal
from gateway.media.counters import Counter as MediaCounter
from gateway.media.counters import record_lateness
from gateway.messages.media import LegStatistics
from gateway.messages.synthesis import VoiceInfo
from gateway.messages.work import SynthesisStatistics, VoiceCost, VoiceWork
from gateway.ring import RingBlock
from gateway.settings import Settings

WORK = (VoiceWork("espeak:en-us", 3, 12, 24, 0.5, 1.5, 60.0, (0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0), 1, 2),)
VOICES = (
    VoiceInfo("espeak:en-us", "en-us", "espeak", "English (America)", None),
    VoiceInfo("espeak:de", "de", "espeak", "German", "male"),
)
STATISTICS = LegStatistics(
    packets=50,
    octets=8000,
    send_errors=0,
    unreachable=0,
    underruns=1,
    missed_ticks=4,
    dry_ticks=2,
    rtcp_received=1,
    fraction_lost=0.25,
    cumulative_lost=3,
    jitter_ms=1.5,
    round_trip_ms=None,
    digits_received=0,
    inbound_dropped=0,
    underrun_causes={"synthesis": 1, "pacer": 0, "socket": 0},
)


@dataclass(eq=False)
class StandInCall:
    """What the API reads of a call."""

    id: str
    request: OpenCall
    voice: str
    state: str = "open"
    paused: bool = False
    at_word: bool = False
    cause: str | None = None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    sip: None = None
    statistics: LegStatistics | None = None
    seq: int = 0
    utterances: tuple[Utterance, ...] = ()
    ssrc: int = 305419896
    opened_at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    local: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(address="127.0.0.1", port=20000, rtcp_port=20001)
    )

    mix: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(volume_db=0.0, background=None))

    @property
    def playlist(self) -> SimpleNamespace:
        return SimpleNamespace(queue=[each for each in self.utterances if not each.ended])

    def utterance(self, uid: str) -> Utterance:
        return next(each for each in self.utterances if each.id == uid)

    @property
    def codec(self) -> str:
        return self.request.codec

    @property
    def ptime(self) -> int:
        return self.request.ptime

    @property
    def payload_type(self) -> int:
        return 0 if self.codec == "PCMU" else 8

    @property
    def remote(self) -> SimpleNamespace:
        return SimpleNamespace(address=self.request.address, port=self.request.port)

    @property
    def client_state(self) -> str | None:
        return self.request.client_state

    @property
    def webhook_url(self) -> str | None:
        return self.request.webhook_url


class StandInDraining:
    """``begun``: set when draining for good begins, for ``finishes`` seconds; it then ends with ``may_end``."""

    def __init__(self) -> None:
        self.on = False
        self.left: float | None = None
        self.finishes: float | None = None
        self.begun: asyncio.Event | None = None
        self.may_end = asyncio.Event()

    async def finish(self, limit_seconds: float) -> None:
        self.on, self.finishes = True, limit_seconds
        if self.begun is not None:
            self.begun.set()
            await asyncio.wait_for(self.may_end.wait(), limit_seconds)

    def start(self, limit_seconds: float | None) -> None:
        self.on, self.left = True, limit_seconds

    def stop(self) -> None:
        if self.finishes is not None:
            raise Refusal("wrong_state", "The gateway is shutting down")
        self.on, self.left = False, None


class StandInWorkers(SimpleNamespace):
    """The crew, of one worker of each kind."""

    @property
    def headroom(self) -> float:
        return max((seat.demand.headroom for seat in self.synthesis), default=0.0)


class StandIn:
    """The switchboard's surface; all that it is made of but draining is one here.

    ``breaks``: raised by whatever is asked next; ``gate``: opening waits for it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = self.reception = self.speech = self.sound = self
        self.draining = StandInDraining()
        self.hindered: str | None = None
        self.healthy = True
        self.owned: Counter[str] = Counter()
        self.events = EventLog(settings.events_per_call, settings.events_retained, "run")
        self.breaks: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.opened: list[StandInCall] = []
        self.digits: list[tuple[str, str, int]] = []
        self.on_event: Callable[[Any, Publish], None] = lambda call, note: None
        self.ring = RingBlock.create(2)
        self.ring.counters[MediaCounter.BEAT_NS] = time.monotonic_ns()
        costs = (VoiceCost("espeak:en-us", 0.004, 0.006),)
        statistics = SynthesisStatistics(9, 4, 5, 1234, 5, 2, 3, 0.25, costs, WORK)
        demand = Demand(settings.synthesis_limit)
        demand.learn(costs)
        process = SimpleNamespace(pid=os.getpid())
        self.workers = StandInWorkers(
            log_level="INFO",
            set_log_level=self._set_log_level,
            renew_voices=self._renew_voices,
            voices=lambda: VOICES,
            media=(
                SimpleNamespace(
                    index=0, ring=self.ring, alive=True, restarts=0, worker=process, headroom=0.75
                ),
            ),
            synthesis=(
                SimpleNamespace(
                    index=0,
                    statistics=statistics,
                    alive=True,
                    restarts=3,
                    demand=demand,
                    refused={"espeak:de": 2},
                    worker=process,
                    heard_ns=time.monotonic_ns(),
                ),
            ),
        )
        self.renewed: tuple[list[str], list[str]] = ([], [])
        self.started = self.closed = False
        self.start_fails: Exception | None = None

    def _set_log_level(self, level: str) -> None:
        self.workers.log_level = level

    async def _renew_voices(self) -> tuple[list[str], list[str]]:
        return self.renewed

    async def start(self) -> None:
        if self.start_fails is not None:
            raise self.start_fails
        self.started = True

    async def close(self) -> None:
        for call in self.opened:
            await self.close_call(call.id)
        self.closed = True
        self.events.close()

    @property
    def obstacle(self) -> str | None:
        return "draining" if self.draining.on else self.hindered

    def doors(self) -> list[StandInCall]:
        return []

    def webhook_url(self, call_id: str) -> str | None:
        url = next((call.webhook_url for call in self.opened if call.id == call_id), None)
        return url or self.settings.webhook_url

    def publish(self, call: StandInCall, kind: str, uid: str | None = None, **data: object) -> Event:
        call.seq += 1
        note = Publish(call.seq, kind, 0, uid, call.client_state, data)
        self.on_event(call, note)
        return self.events.publish(call.id, note, datetime.now(UTC))

    def _broken(self) -> None:
        if self.breaks is not None:
            error, self.breaks = self.breaks, None
            raise error

    def _check_voice(self, name: str | None) -> None:
        if name is not None and name not in {voice.name for voice in VOICES}:
            raise Refusal("unknown_voice", f"There is no voice {name!r}", field="voice")

    async def open_call(self, request: OpenCall) -> StandInCall:
        self._broken()
        if self.gate is not None:
            await self.gate.wait()
        if self.draining.on:
            raise Refusal("draining", "The gateway takes no new calls", retry_after=30)
        if request.owner_limit and self.owned[request.owner] >= request.owner_limit:
            raise Refusal("too_many_calls", "VOXTRUNK_KEY_MAX_CALLS are open", retry_after=5)
        if len([call for call in self.opened if call.state == "open"]) >= self.settings.max_calls:
            raise Refusal("at_capacity", "VOXTRUNK_MAX_CALLS are open", retry_after=5)
        self._check_voice(request.voice)
        call = StandInCall(f"c_{len(self.opened)}", request, request.voice or self.settings.default_voice)
        self.opened.append(call)
        self.owned[request.owner] += 1
        self.publish(call, "call.opened")
        return call

    def calls(self) -> list[StandInCall]:
        return list(self.opened)

    def call(self, call_id: str) -> StandInCall:
        self._broken()
        for call in self.opened:
            if call.id == call_id:
                return call
        raise Refusal("unknown_call", f"No call {call_id!r}")

    def live(self, call_id: str) -> StandInCall:
        call = self.call(call_id)
        if call.state == "closed":
            raise Refusal("wrong_state", f"Call {call_id} is closed")
        return call

    async def close_call(self, call_id: str, cause: str = "closed") -> StandInCall:
        call = self.call(call_id)
        if call.state == "open":
            call.state, call.cause, call.statistics = "closed", cause, STATISTICS
            call.closed_at = datetime.now(UTC)
            self.owned[call.request.owner] -= 1
            self.publish(call, "call.closed", cause=cause)
        return call

    async def say(self, call_id: str, say: Say) -> Utterance:
        call = self.live(call_id)
        self._check_voice(say.voice)
        uid = say.id or f"u_{len(call.utterances)}"
        if any(utterance.id == uid for utterance in call.utterances):
            raise Refusal("duplicate_utterance", f"Call {call_id} has had {uid!r}", field="id")
        waiting = [utterance for utterance in call.utterances if not utterance.ended]
        if len(waiting) >= self.settings.queue_limit:
            raise Refusal("queue_full", "Too many wait", retry_after=5)
        utterance = Utterance(
            id=uid,
            call_id=call_id,
            key=len(call.utterances),
            text=say.script.text if say.script else "",
            voice=say.voice or call.voice,
            interruptible=say.interruptible,
            client_state=say.client_state,
            say=say,
            position=len(waiting),
        )
        call.utterances += (utterance,)
        return utterance

    def utterance(self, call_id: str, uid: str) -> Utterance:
        for utterance in self.call(call_id).utterances:
            if utterance.id == uid:
                return utterance
        raise Refusal("unknown_utterance", f"Call {call_id} has no utterance {uid!r}")

    async def stop(self, call_id: str, scope: str) -> list[Utterance]:
        living = [utterance for utterance in self.live(call_id).utterances if not utterance.ended]
        return self._stop(living[:1] if scope == "current" else living)

    async def stop_utterance(self, call_id: str, uid: str) -> list[Utterance]:
        utterance = self.utterance(call_id, uid)
        return [] if utterance.ended else self._stop([utterance])

    def _stop(self, victims: list[Utterance]) -> list[Utterance]:
        for utterance in victims:
            utterance.apply("stop")
            utterance.cause, utterance.position = "stopped", None
        return victims

    async def pause(self, call_id: str, *, at_word: bool = False) -> StandInCall:
        call = self.live(call_id)
        if call.paused:
            raise Refusal("wrong_state", f"Call {call_id} is paused already")
        call.paused, call.at_word = True, at_word
        return call

    async def resume(self, call_id: str) -> StandInCall:
        call = self.live(call_id)
        if not call.paused:
            raise Refusal("wrong_state", f"Call {call_id} is not paused")
        call.paused = False
        return call

    async def set_volume(self, call_id: str, volume_db: float) -> StandInCall:
        call = self.live(call_id)
        call.mix.volume_db = volume_db
        return call

    async def set_background(
        self, call_id: str, prompt: str, path: Path, volume_db: float, duck_db: float
    ) -> StandInCall:
        call = self.live(call_id)
        assert path.is_absolute()
        call.mix.background = Background(prompt, volume_db, duck_db, 1, "")
        return call

    async def clear_background(self, call_id: str) -> StandInCall:
        call = self.live(call_id)
        call.mix.background = None
        return call

    async def send_dtmf(self, call_id: str, digits: str, duration_ms: int) -> None:
        if self.live(call_id).request.dtmf_payload_type is None:
            raise Refusal("wrong_state", f"Call {call_id} has no telephone-event")
        self.digits.append((call_id, digits, duration_ms))

    def tick(self, now_ns: int, late_us: int = 70) -> None:
        """Let the media worker's counters say that it ticks."""
        counters = self.ring.counters
        counters[MediaCounter.TICKS] += 1
        counters[MediaCounter.BEAT_NS] = now_ns
        record_lateness(counters, late_us)


class Api:
    """A client of an app over a stand-in. ``http`` is an httpx client in the app's own process."""

    def __init__(self, board: StandIn, http: httpx.AsyncClient, app: Any) -> None:
        self.board = board
        self.http = http
        self.app = app

    async def open(self, **more: Any) -> str:
        """A call; returns its id."""
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}} | more
        answer = await self.http.post("/v1/calls", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Makes settings that no environment of the machine has a say in, but for the defaults."""

    def make(**given: Any) -> Settings:
        return Settings(**({"http_port": 0} | given))

    return make


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOXTRUNK_CONFIG", raising=False)


@pytest.fixture
def make_board(settings: Callable[..., Settings]) -> Callable[..., StandIn]:
    """Makes a stand-in by itself; its ring is the caller's to close."""
    return lambda **given: StandIn(settings(**given))


@pytest.fixture
def in_process(settings: Callable[..., Settings]) -> Callable[..., Any]:
    """``async with in_process(**settings) as api``: no socket between client and app."""

    @asynccontextmanager
    async def start(client: tuple[str, int] = ("127.0.0.1", 5), **given: Any) -> AsyncIterator[Api]:
        board = StandIn(settings(**given))
        app = create_app(board, board.settings)  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            yield Api(board, http, app)
        board.ring.close()

    return start


@pytest.fixture
def on_port(settings: Callable[..., Settings]) -> Callable[..., Any]:
    """``async with on_port(**settings) as api``: a real server on a real port."""

    @asynccontextmanager
    async def start(**given: Any) -> AsyncIterator[Api]:
        board = StandIn(settings(**given))
        app = create_app(board, board.settings)  # type: ignore[arg-type]
        async with (
            serving(app, "127.0.0.1", 0) as (host, port),
            httpx.AsyncClient(base_url=f"http://{host}:{port}") as http,
        ):
            yield Api(board, http, app)
            app.state.context.end_streams()
        board.ring.close()

    return start


@pytest.fixture
async def api(in_process: Callable[..., Any]) -> AsyncIterator[Api]:
    """An API with default settings."""
    async with in_process() as started:
        yield started
