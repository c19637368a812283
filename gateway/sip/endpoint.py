"""The gateway's SIP side: the agent, and a line for each of its dialogs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.calls.requests import OpenCall, SipFacts
from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.sip.line import Line, anywhere
from sip_glue.agent import BadHeader, SipAgent
from sip_glue.config import Account, Credentials, Listen, SipConfig
from sip_glue.events import Event, Headers, Incoming, Registered, Unregistered
from sip_glue.sdp import Capabilities
from sip_glue.uri import BadUri

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pydantic import SecretStr

    from gateway.calls.call import Call
    from gateway.calls.switchboard import Switchboard
    from gateway.settings import Settings, SipAccount

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to place: URIs, headers of the caller's own, credentials for a challenge."""

    to: str
    from_: str | None = None
    headers: Headers = ()
    auth: Credentials | None = None
    ring_seconds: float | None = None


class Endpoint:
    """``start`` it, ``close`` it; both once, within the switchboard's life."""

    def __init__(self, settings: Settings, switchboard: Switchboard) -> None:
        self.registrations = {account.address: False for account in settings.sip_accounts}
        """Whether the registrar of each account, by its address, holds our contact."""
        self._settings = settings
        self._switchboard = switchboard
        self._agent = SipAgent(_config(settings), self._on_event, switchboard.reception.retry_after)
        self._lines: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, and register. Raises OSError."""
        await self._agent.start()

    async def close(self) -> None:
        """End every dialog that is left and unregister."""
        await self._agent.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where SIP is listened on."""
        return self._agent.addresses

    # -- the agent's events -------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case Incoming():
                line = self._line(event.dialog, Capabilities())
                self._run(line, line.take(event))
            case Registered(address=address, seconds=seconds):
                self.registrations[address] = True
                _log.info("registered %s for %d s", address, seconds)
            case Unregistered(address=address, code=code, reason=reason, retry_seconds=retry_seconds):
                self.registrations[address] = False
                _log.warning("not registered %s: %d %s, again in %s s", address, code, reason, retry_seconds)
            case _:
                known = self._lines.get(event.dialog)
                if known is not None:
                    known.hear(event)

    def _line(self, dialog: str, capabilities: Capabilities) -> Line:
        line = Line(self._agent, self._switchboard, self._settings, dialog, capabilities)
        self._lines[dialog] = line
        return line

    def _run(self, line: Line, work: Coroutine[object, object, None]) -> None:
        async def run() -> None:
            try:
                await work
            finally:
                del self._lines[line.dialog]

        task = asyncio.create_task(run(), name=f"line {line.dialog}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(report_failure)

    # -- what controllers ask -----------------------------------------------------------------------------

    async def dial(self, dial: Dial, order: OpenCall) -> Call:
        """Place a call; it rings. ``order``: the leg, whose codec comes first in our offer.

        Refusals ``invalid`` and those of ``Reception.open_call``.
        """
        settings = self._settings
        host, port = self.addresses[0]
        from_ = dial.from_ or settings.sip_from or f"sip:voxtrunk@{host}:{port}"
        try:
            dialling = self._agent.prepare(
                dial.to,
                from_,
                headers=dial.headers,
                auth=dial.auth,
                outbound_proxy=settings.sip_proxy,
                ring_timeout=dial.ring_seconds or settings.sip_ring_seconds,
            )
        except (BadUri, BadHeader, ValueError) as error:
            raise Refusal("invalid", f"sip: {error}", field="sip") from None
        facts = SipFacts(dialling.name, "out", dialling.call_id, from_, dial.to, dial.to, dial.headers)
        target = anywhere(v6=":" in dialling.next_hop[0])
        line = self._line(dialling.name, _offered(order))
        try:
            call = await line.place(dialling, replace(order, address=target, port=0, sip=facts))
        except BaseException:
            del self._lines[line.dialog]
            raise
        self._run(line, line.attend())
        return call

    def answer(self, call_id: str) -> Call:
        """Take an incoming call that rings. Refusals ``unknown_call``, ``wrong_state``."""
        call, line = self._ringing(call_id)
        line.answer()
        return call

    def reject(self, call_id: str, code: int | None) -> Call:
        """Refuse it. Refusals ``unknown_call``, ``wrong_state``."""
        call, line = self._ringing(call_id)
        line.reject(code or self._settings.sip_reject_code)
        return call

    def _ringing(self, call_id: str) -> tuple[Call, Line]:
        call = self._switchboard.registry.call(call_id)
        line = self._lines.get(call.sip.dialog) if call.sip is not None else None
        if line is None or not line.rings:
            raise Refusal("wrong_state", f"Call {call_id} is not an incoming call that rings")
        return call, line


def _offered(order: OpenCall) -> Capabilities:
    """What we offer for a leg: its codec first, then the other one."""
    return Capabilities(
        laws=("PCMU", "PCMA") if order.codec == "PCMU" else ("PCMA", "PCMU"),
        ptime_ms=order.ptime,
        dtmf_payload_type=order.dtmf_payload_type,
        rtcp_mux=False,
    )


def _config(settings: Settings) -> SipConfig:
    """The adapter's settings. Raises ValueError for what cannot be."""
    return SipConfig(
        listen=tuple(Listen(str(host), port, settings.sip_advertise) for host, port in settings.sip_listen),
        allow=tuple(settings.sip_allow),
        accounts=tuple(_account(account) for account in settings.sip_accounts),
        max_pending=settings.sip_max_pending,
        max_dialogs=2 * settings.max_calls,
    )


def _account(account: SipAccount) -> Account:
    known = None
    if account.user is not None and account.password is not None:
        known = credentials(account.user, account.password)
    return Account(account.address, known, account.proxy, account.expires)


def credentials(user: str, password: SecretStr) -> Credentials:
    """For digest authentication."""
    return Credentials(user, password.get_secret_value())
