"""The adapter's face towards asyncio: commands in, events out. What is behind it is the SIP stack's business.

One agent at a time in a process, because the stack's clock is a singleton.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import ClassVar, Final

from sip_glue.config import Credentials, SipConfig
from sip_glue.events import Event, Headers
from sip_glue.reactor import Reactor
from sip_glue.stack import StackTimers
from sip_glue.uri import BadUri, check_udp, parse_address, parse_uri
from sip_glue.user_agent import Dialling, UserAgent

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,128}")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]{0,4096}")
# what the stack writes itself, and what would change where messages go
_OURS: Final = frozenset(
    {
        "accept",
        "allow",
        "authorization",
        "call-id",
        "contact",
        "content-encoding",
        "content-length",
        "content-type",
        "cseq",
        "expires",
        "from",
        "max-forwards",
        "min-expires",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-require",
        "record-route",
        "require",
        "route",
        "server",
        "session-expires",
        "supported",
        "to",
        "unsupported",
        "user-agent",
        "via",
        "www-authenticate",
        "c",
        "e",
        "f",
        "i",
        "k",
        "l",
        "m",
        "s",
        "t",
        "v",
        "x",
    }
)


class BadHeader(ValueError):
    """A header that cannot be sent: not a header at all, or one that the stack writes itself."""


class SipAgent:
    """A SIP endpoint over UDP.

    ``on_event`` is called with each event in the loop that ``start`` ran in. ``status`` is asked about every new
    call and every OPTIONS: None for welcome, or a Retry-After in seconds for 503.
    All commands are without effect on a dialog that is over.
    """

    _running: ClassVar[bool] = False

    def __init__(
        self,
        config: SipConfig,
        on_event: Callable[[Event], None],
        status: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._events: deque[Event] = deque()
        self._started = False
        self._waking = False
        self._user_agent = UserAgent(config, self._emit, status)
        self._reactor = Reactor(config.listen, self._user_agent.receive, StackTimers())

    async def start(self) -> None:
        """Binds and begins. Raises ``OSError`` if an address cannot be bound."""
        if SipAgent._running:
            raise RuntimeError("one SIP agent at a time in a process")
        self._loop = asyncio.get_running_loop()
        self._reactor.start()
        SipAgent._running = self._started = True
        self._reactor.run(self._user_agent.open, self._reactor.ports)

    async def stop(self) -> None:
        """Ends all calls, unregisters, and waits a little for the peers' answers. For good: an agent does not
        start again. Without effect if it does not run."""
        if not self._started:
            return
        self._started = False
        quiet = asyncio.Event()
        self._reactor.run(self._user_agent.close, quiet.set)
        await quiet.wait()
        self._reactor.stop()
        SipAgent._running = False

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each listen address as Contact has it, ports taken by 0 included."""
        return tuple((port.host, port.port) for port in self._reactor.ports)

    def sizes(self) -> dict[str, int]:
        """How many dialogs, pending INVITEs and transactions are held."""
        return self._user_agent.sizes()

    def ring(self, dialog: str) -> None:
        """180 Ringing."""
        self._do(self._user_agent.progress, dialog, 180, "Ringing", None)

    def early(self, dialog: str, body: str) -> None:
        """183 Session Progress with SDP: early media."""
        self._do(self._user_agent.progress, dialog, 183, "Session Progress", _sdp(body))

    def accept(self, dialog: str, body: str) -> None:
        """200 OK with the answer, or with the offer if the INVITE had none. Repeated until the ACK."""
        self._do(self._user_agent.accept, dialog, _sdp(body))

    def reject(self, dialog: str, code: int, reason: str, headers: Headers = ()) -> None:
        """A final refusal, 300 to 699, of an INVITE."""
        self._do(self._user_agent.refuse, dialog, _code(code), _phrase(reason), _checked(headers))

    def answer_reoffer(self, dialog: str, body: str) -> None:
        """200 OK to a re-INVITE."""
        self._do(self._user_agent.accept, dialog, _sdp(body))

    def refuse_reoffer(self, dialog: str, code: int = 488, reason: str = "Not Acceptable Here") -> None:
        """Refuses a re-INVITE; the call goes on as it was (RFC 3261 14.2)."""
        self._do(self._user_agent.refuse, dialog, _code(code), _phrase(reason), ())

    def dial(
        self,
        to: str,
        from_: str,
        body: str,
        *,
        headers: Headers = (),
        auth: Credentials | None = None,
        outbound_proxy: str | None = None,
        ring_timeout: float = 60.0,
    ) -> str:
        """Calls ``to``, a SIP URI, as ``from_``, a SIP URI or ``"Name" <URI>``, offering ``body``.

        Returns the dialog's handle at once; all else comes as events. ``ring_timeout`` is seconds, to 300, after
        which the call is cancelled. Raises ``BadUri`` or ``BadHeader``, and ``RuntimeError`` unless started.
        """
        call = self.prepare(
            to,
            from_,
            headers=headers,
            auth=auth,
            outbound_proxy=outbound_proxy,
            ring_timeout=ring_timeout,
        )
        self.place(call, body)
        return call.name

    def place(self, call: Dialling, body: str) -> None:
        """Makes a prepared call, once. Raises ``RuntimeError`` unless started."""
        if not self._started:
            raise RuntimeError("the SIP agent does not run")
        self._do(self._user_agent.dial, replace(call, body=_sdp(body)))

    @staticmethod
    def prepare(
        to: str,
        from_: str,
        *,
        headers: Headers = (),
        auth: Credentials | None = None,
        outbound_proxy: str | None = None,
        ring_timeout: float = 60.0,
    ) -> Dialling:
        """A call to be placed, checked but for its SDP. Arguments and errors are those of ``dial``."""
        if not 0 < ring_timeout <= 300:
            raise ValueError(f"ring_timeout {ring_timeout}: take one up to 300 s")
        target = parse_uri(to)
        sender = parse_address(from_)
        parse_uri(sender.uri)
        if re.search(r'["\\]', sender.display) or not _VALUE.fullmatch(sender.display):
            raise BadUri("a display name with quotes in it")
        next_hop = parse_uri(outbound_proxy) if outbound_proxy is not None else target
        check_udp(target)
        check_udp(next_hop)
        return Dialling(
            name=secrets.token_hex(16),
            call_id=secrets.token_hex(16),
            target=target,
            sender=sender,
            next_hop=next_hop.address,
            trusted=outbound_proxy is not None,
            body="",
            headers=_checked(headers),
            credentials=auth,
            ring_seconds=ring_timeout,
        )

    def hangup(self, dialog: str, headers: Headers = ()) -> None:
        """Ends a call: BYE once it is acknowledged, CANCEL while the peer rings, 480 while the peer waits.

        ``headers`` (``Reason``, for one) go on the BYE or CANCEL.
        """
        self._do(self._user_agent.hang_up, dialog, _checked(headers))

    def _do(self, function: Callable[..., object], *arguments: object) -> None:
        """A command. After ``stop`` all dialogs are over, so there is nothing to do it to."""
        if self._started:
            self._reactor.run(function, *arguments)

    def _emit(self, event: Event) -> None:
        """Told in a turn of its own: the owner's commands never meet the stack in the middle of things."""
        self._events.append(event)
        if not self._waking:
            self._waking = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._waking = False
        try:
            while self._events:
                self._on_event(self._events.popleft())
        finally:
            if self._events:
                # the owner raised, which its loop reports; what else happened still has to reach it
                self._loop.call_soon(self._deliver)


def _sdp(body: str) -> str:
    if not body.isascii():
        raise ValueError("SDP with characters outside ASCII")
    return body


def _code(code: int) -> int:
    if not 300 <= code <= 699:
        raise ValueError(f"{code} is no refusal")
    return code


def _phrase(reason: str) -> str:
    if not _VALUE.fullmatch(reason):
        raise BadHeader("a reason phrase with control characters")
    return reason


def _checked(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers that may be sent (no line ends, nothing that is the stack's to write)."""
    checked = tuple(headers)
    for name, value in checked:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadHeader(f"{name[:40]!r} is not a header that can be sent")
        if name.lower() in _OURS:
            raise BadHeader(f"{name}: this header is not the caller's to set")
    return checked
