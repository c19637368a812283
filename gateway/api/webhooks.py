"""Events delivered by webhook, after the Standard Webhooks convention (standardwebhooks.com, spec 1.0).

Each call with a receiver has its own queue and is served in order, one delivery at a time: an event waits for
the one before it to be delivered or given up. A receiver that hangs or fails holds up its own call only. What
does not fit into a call's queue is dropped and counted; ``seq`` shows the receiver the gap, and the poll API
still has the event. 410 from a receiver means that it wants no more of this call's events.

Who asks for a webhook must not make us ask our own network for him: deliveries go to public addresses and to
VOXTRUNK_WEBHOOK_ALLOW (``gateway.outward``), and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import binascii
import ipaddress
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from gateway import logs
from gateway.api import answers
from gateway.errors import Refusal
from gateway.reach import Network, may_reach
from gateway.settings import Settings

if TYPE_CHECKING:
    import httpx
    from standardwebhooks import Webhook

    from gateway.calls.events import Event, Subscription
    from gateway.calls.switchboard import Switchboard

CONCURRENT: Final = 256
CONCURRENT_PER_RECEIVER: Final = 64
FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 60.0
ANSWER_OCTETS: Final = 64 * 1024
_LOOPBACK: Final = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))
_ANYWHERE: Final = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
_log = logging.getLogger(__name__)


def back_off(failures: int, asked: float, chance: float) -> float:
    """Seconds to wait after the ``failures``-th failure (from 1): doubling, jittered by half, 60 at most.

    ``asked``: the receiver's Retry-After, 0 for none; ``chance``: uniform in 0 to 1.
    """
    grown = FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 20)
    return max(min(LONGEST_WAIT_SECONDS, grown) * (0.5 + chance / 2), min(asked, LONGEST_WAIT_SECONDS))


def reachable(settings: Settings) -> tuple[Network, ...]:
    """The networks that webhooks may go to, besides public addresses.

    Without keys only this machine may ask, and what it may reach by itself needs no guard.
    """
    return (*settings.webhook_allow, *(() if settings.keyed else _LOOPBACK))


def check_address(url: str, allow: Sequence[Network]) -> None:
    """Refusal ``invalid`` for an address that no webhook may go to; names are judged once they are resolved."""
    try:
        address = ipaddress.ip_address(_parsed(url).host)
    except ValueError:
        return
    if not may_reach(address, allow):
        raise Refusal(
            "invalid",
            f"webhook_url: {address} is not public; VOXTRUNK_WEBHOOK_ALLOW lists what else is allowed",
            field="webhook_url",
        )


def check_receiver(url: str) -> str:
    """The URL, if events can be posted there. Raises ValueError."""
    parsed = _parsed(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host or " " in url:
        raise ValueError("should be an http or https URL with a host")
    return url


def _parsed(url: str) -> httpx.URL:
    """As the one reads it who will ask there; empty for what is no URL."""
    import httpx  # where nothing goes out over HTTP, nobody needs it: 5 MB

    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return httpx.URL()


class Verdict(Enum):
    """What a receiver's answer means."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


def judge(status: int) -> Verdict:
    """Any 2xx is a delivery, 410 asks for no more, the rest (redirects too, they are not followed) failed."""
    if 200 <= status < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if status == 410 else Verdict.FAILED


class Hook(NamedTuple):
    """An event on its way: ``body`` is its JSON; after the last one the call has no more."""

    event_id: str
    body: str
    is_last: bool


@dataclass(slots=True)
class Counts:
    """Running totals. ``failed`` counts attempts; the others count events."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Line:
    """A call's hooks that wait for its receiver. ``gone``: it wants no more."""

    url: str
    waiting: deque[Hook] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    gone: bool = False


class _Slots:
    """Bounds what is under way, in all and to one receiver, so that one of them cannot take all."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(CONCURRENT)
        self._users: dict[str, int] = {}
        self._of: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def slot(self, receiver: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        own = self._of.setdefault(receiver, asyncio.Semaphore(CONCURRENT_PER_RECEIVER))
        self._users[receiver] = self._users.get(receiver, 0) + 1
        try:
            async with own, self._all:
                yield
        finally:
            self._users[receiver] -= 1
            if not self._users[receiver]:
                del self._users[receiver], self._of[receiver]


class Webhooks:
    """Delivers while its context is open; leaving it lets deliveries finish for ``grace_seconds``.

    Raises ValueError, naming the setting, when VOXTRUNK_WEBHOOK_SECRET or _URL cannot be used.
    """

    def __init__(self, settings: Settings, switchboard: Switchboard, grace_seconds: float) -> None:
        self.counts = Counts()
        self._settings = settings
        self._switchboard = switchboard
        self._grace_seconds = grace_seconds
        self._signer = _signer(settings)
        self._lines: dict[str, _Line] = {}
        self._slots = _Slots()
        self._subscription: Subscription | None = None
        self._client = _client(settings, reachable(settings)) if self._signer is not None else None
        # the operator's own receiver may be anywhere: naming it is allowing it
        self._own = _client(settings, _ANYWHERE) if settings.webhook_url is not None else None

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        return sum(len(line.waiting) for line in self._lines.values())

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow(), name="webhooks")
        await asyncio.sleep(0)  # it subscribes before anything else happens
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._subscription is not None:
            self._subscription.close()
        await self._following
        tasks = {line.task for line in self._lines.values() if line.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=self._grace_seconds)
        if self.waiting:
            _log.warning("%d webhook events are not delivered", self.waiting)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for client in (self._client, self._own):
            if client is not None:
                await client.aclose()

    def offer(self, event: Event, url: str) -> None:
        """Queue an event for the receiver at ``url``; drop and count it when the call's queue is full."""
        line = self._lines.get(event.call_id)
        if line is None:
            line = self._lines[event.call_id] = _Line(url)
        is_last = event.type == "call.closed"
        if line.gone and is_last:
            del self._lines[event.call_id]
        if line.gone or len(line.waiting) >= self._settings.webhook_queue:
            self.counts.dropped += 1
            return
        line.waiting.append(Hook(event.id, answers.Event.of(event).model_dump_json(), is_last))
        if line.task is None:
            line.task = asyncio.create_task(self._serve(event.call_id, line))

    async def _follow(self) -> None:
        """Queue what the log tells, from now on."""
        events = self._switchboard.events
        last: str | None = None
        while True:
            try:
                subscription = events.subscribe(after_id=last, limit=self._settings.events_retained)
            except Refusal:
                _log.exception("webhook events were lost")
                last = None
                continue
            self._subscription = subscription
            with subscription:
                async for event in subscription:
                    last = event.id
                    url = self._switchboard.registry.webhook_url(event.call_id)
                    if url is not None:
                        self.offer(event, url)
            if not subscription.lagged:
                return

    async def _serve(self, call_id: str, line: _Line) -> None:
        """Deliver a call's hooks in order, until there are none."""
        logs.bind(call_id=call_id)
        while line.waiting:
            if not await self._deliver(line.url, line.waiting[0]):
                line.gone = not line.waiting[-1].is_last
                self.counts.dropped += len(line.waiting)
                line.waiting.clear()
                break
            line.waiting.popleft()
        line.task = None
        if not line.gone:
            del self._lines[call_id]

    async def _deliver(self, url: str, hook: Hook) -> bool:
        """Deliver one hook or give it up. False: the receiver wants no more."""
        for failures in range(1, self._settings.webhook_attempts + 1):
            async with self._slots.slot(_parsed(url).netloc.decode("ascii")):
                verdict, asked = await self._attempt(url, hook)
            if verdict is Verdict.DELIVERED:
                self.counts.delivered += 1
                return True
            if verdict is Verdict.GONE:
                return False
            self.counts.failed += 1
            if failures < self._settings.webhook_attempts:
                await asyncio.sleep(back_off(failures, asked, random.random()))
        self.counts.given_up += 1
        _log.warning("webhook given up", extra={"event_id": hook.event_id})
        return True

    async def _attempt(self, url: str, hook: Hook) -> tuple[Verdict, float]:
        """Send it once; the verdict, and the receiver's Retry-After in seconds (0: none)."""
        import httpx

        assert self._signer is not None, "offered without a secret to sign with"
        now = datetime.now(UTC)
        headers = {
            "webhook-id": hook.event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(hook.event_id, now, hook.body),
        }
        client = self._client if self._own is None or url != self._settings.webhook_url else self._own
        assert client is not None
        try:
            async with (
                asyncio.timeout(self._settings.webhook_timeout_seconds),
                client.stream("POST", url, content=hook.body, headers=headers) as response,
            ):
                await _drain(response)
        except (httpx.HTTPError, UnicodeError, TimeoutError) as error:  # UnicodeError: a label over 63 octets
            _log.info("webhook not delivered: %r", error, extra={"event_id": hook.event_id})
            return Verdict.FAILED, 0.0
        asked = response.headers.get("retry-after", "")
        return judge(response.status_code), float(asked) if asked.isdecimal() else 0.0


def _client(settings: Settings, allow: Sequence[Network]) -> httpx.AsyncClient:
    import httpx

    from gateway.outward import OutwardTransport

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=CONCURRENT_PER_RECEIVER)
    return httpx.AsyncClient(
        transport=OutwardTransport(allow, limits),
        timeout=settings.webhook_timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        headers={"user-agent": "voxtrunk", "content-type": "application/json"},
    )


async def _drain(response: httpx.Response) -> None:
    """Read the answer, so that the connection can be used again, unless it is long."""
    octets = 0
    async for chunk in response.aiter_raw():
        octets += len(chunk)
        if octets > ANSWER_OCTETS:
            return


def _signer(settings: Settings) -> Webhook | None:
    if settings.webhook_url is not None:
        try:
            check_receiver(settings.webhook_url)
        except ValueError as error:
            raise ValueError(f"VOXTRUNK_WEBHOOK_URL {error}") from None
    if settings.webhook_secret is None:
        if settings.webhook_url is not None:
            raise ValueError("VOXTRUNK_WEBHOOK_URL needs VOXTRUNK_WEBHOOK_SECRET, which signs webhooks")
        return None
    from standardwebhooks import Webhook
    from standardwebhooks.webhooks import EmptyWebhookSecretError

    try:
        return Webhook(settings.webhook_secret.get_secret_value())
    except (binascii.Error, EmptyWebhookSecretError):
        raise ValueError("VOXTRUNK_WEBHOOK_SECRET should be whsec_ and base64") from None
