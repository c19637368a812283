"""What we change in sippy, the SIP stack: all of it is here.

Transactions (RFC 3261 17) are sippy's, reached without its sockets, threads and printing. Its user agent is
kept for dialogs, routes and CANCEL, with these corrections, each of which sippy 2.5 gets wrong: a re-INVITE
without SDP asks for an offer and its ACK brings the answer; its CANCEL does not end the call; no BYE before the
ACK; refreshes of the target are followed; challenges of a proxy and of its peer at once are both met; the ACK to
a refusal goes where the INVITE went; retransmissions slow down to T2 and not beyond.

Everything runs in the reactor's loop.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any, Final

from sippy import SipConf as conf_module
from sippy import SipTransactionManager as transaction_module
from sippy import SipURL as url_module
from sippy import SipVia as via_module
from sippy import UacStateRinging as ringing_module
from sippy import UacStateTrying as trying_module
from sippy.Core import EventDispatcher as dispatcher_module
from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.Network_server import Remote_address
from sippy.SipConf import SipConf
from sippy.SipGenericHF import SipGenericHF
from sippy.SipHeader import SipHeader
from sippy.SipRequest import SipRequest
from sippy.SipResponse import SipResponse
from sippy.SipTransactionManager import SipTransactionManager
from sippy.Time import MonoTime as mono_module
from sippy.Time.clock_dtime import CLOCK_REALTIME
from sippy.Time.MonoTime import MonoTime
from sippy.Time.Timeout import Timeout

from sip_glue.body import sdp_in
from sip_glue.events import Headers
from sip_glue.message import Request
from sip_glue.reactor import Place, Port

log = logging.getLogger(__name__)

T2: Final = 4.0  # RFC 3261 17.1.2.2, seconds


def _say(*words: object, **_: object) -> None:
    log.info("sippy: %s", " ".join(str(word) for word in words))


def _dump_exception(what: str, *_: object, **__: object) -> None:
    log.exception("sippy: %s", what)


def _clock(kind: int) -> float:
    return time.time() if kind == CLOCK_REALTIME else time.monotonic()


def _my(thing: object) -> tuple[str, ...]:
    return ("my",) if hasattr(thing, "my") else ()


# sippy asks `"my" in dir(x)` a dozen times a message: a fifth of all its time, if dir is the real one
for _module in (url_module, via_module, conf_module):
    _module.dir = _my
# sippy writes to standard output; a service logs
for _module in (transaction_module, url_module, ringing_module, trying_module, dispatcher_module):
    _module.print = _say
for _module in (transaction_module, dispatcher_module):
    _module.dump_exception = _dump_exception


def _sent(
    _port: Any = None, data: Any = None, place: Any = None, *_: object, **__: object
) -> tuple[Any, ...]:
    return (data, place)


# sippy asks for the time by ctypes, 26 times a call; and its monotonic clock is the raw one, which drifts from
# that of everybody else
mono_module.clock_getdtime = _clock
# what is remembered of each message for a minute: a tuple of strings is nothing to the garbage collector, whose
# pauses grow with all that it has to look at
transaction_module.SipTMRetransmitO = _sent
# IMS peers write telephone numbers as tel: URIs
SipConf.autoconvert_tel_url = True


class StackTimers:
    """sippy's timers, driven from outside: its dispatcher's own loop polls 100 times a second."""

    def adopt(self) -> None:
        """Timers run in the calling thread."""
        ED2.my_ident = get_ident()

    def due(self) -> float:
        """When the next timer is due, on CLOCK_MONOTONIC in seconds; infinity when there is none."""
        return float(ED2.tlisteners[0].etime.monot) if ED2.tlisteners else math.inf

    def run(self) -> None:
        """Runs the timers that are due; forgets cancelled ones once they are the majority."""
        ED2.last_ts = MonoTime()
        ED2.dispatchTimers()
        if ED2.twasted * 2 > len(ED2.tlisteners):
            ED2.tlisteners = sorted(timer for timer in ED2.tlisteners if timer.cb_func is not None)
            ED2.twasted = 0

    def clear(self) -> None:
        """Forgets all timers."""
        for timer in ED2.tlisteners:
            timer.cleanup()
        ED2.tlisteners = []
        ED2.twasted = 0


class _OnePort:
    """What sippy asks for the socket towards a peer: there is one."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def getServer(self, _place: Place, is_local: bool = False) -> Port:
        return self._port

    def rotateCache(self) -> None:
        """Nothing is cached."""

    def shutdown(self) -> None:
        """The reactor closes the socket."""


class _SilentLog:
    """sippy's log of every message: the reactor's owner captures packets if it wants them."""

    def write(self, *_: object, **__: object) -> None:
        """Drops it."""


class Transactions(SipTransactionManager):  # type: ignore[misc]
    """The transactions of one port. ``invited`` takes a request that belongs to no dialog: (self, request,
    transaction)."""

    def __init__(
        self, port: Port, invited: Callable[[Transactions, Any, Any], Any], ack_seconds: float
    ) -> None:
        # not super().__init__: that one makes sockets and threads
        self.global_config = {"_sip_tm": self, "_sip_logger": _SilentLog()}
        self.l4r = _OnePort(port)
        self.tclient: dict[Any, Any] = {}
        self.tserver: dict[Any, Any] = {}
        self.l1rcache: dict[bytes, Any] = {}
        self.l2rcache: dict[bytes, Any] = {}
        self.req_consumers: dict[str, Any] = {}
        self.req_cb = partial(invited, self)
        self.cp_timer = Timeout(self.rCachePurge, 32, -1)
        self.port = port
        self._ack_seconds = ack_seconds

    def repeats(self, checksum: bytes) -> bool:
        """Whether that datagram came before, and has been answered; its answer goes out again."""
        before = self.l1rcache.get(checksum) or self.l2rcache.get(checksum)
        if before is None:
            return False
        data, place = before
        if data is not None:
            self.port.send_to(data, place)
        return True

    def receive(self, text: str, source: Place, checksum: bytes, request: Request | None = None) -> None:
        """Takes a message that ``sip_glue.message`` has read: a request, or else a response. Raises whatever
        sippy raises if it cannot read it all the same."""
        message = SipResponse(text) if request is None else SipRequest(text)
        message.rtime = MonoTime()
        message.setSource(Remote_address(source, "udp"))
        if request is None:
            transaction = self.tclient.get(message.getTId(True, True))
            if transaction is not None:
                self.incomingResponse(message, transaction, checksum)
            return
        via = message.getHFBody("via")
        if via.getAddr()[0] != source[0]:
            via.params["received"] = source[0].strip("[]")
        if "rport" in via.params:
            via.params["rport"] = str(source[1])
        message.read = request
        self.incomingRequest(message, checksum, message.getTIds(), self.port)

    def incomingResponse(self, message: Any, transaction: Any, checksum: bytes) -> None:
        """A refusal's Contact is no route for its ACK (RFC 3261 17.1.1.3), which goes out before anything that
        the refusal leads to."""
        waiting = transaction.state in (transaction_module.TRYING, transaction_module.RINGING)
        if message.scode < 300 or transaction.method != "INVITE" or not waiting:
            super().incomingResponse(message, transaction, checksum)
            return
        message.delHFs("contact")
        message.delHFs("record-route")
        refused, transaction.resp_cb = transaction.resp_cb, None
        super().incomingResponse(message, transaction, checksum)
        refused(message, transaction)

    def sendResponse(
        self, response: Any, t: Any = None, retrans: bool = False, ack_cb: Any = None, lossemul: int = 0
    ) -> None:
        """Timer H (RFC 3261 17.2.1, 13.3.1.4) as configured."""
        transaction = t if t is not None else self.tserver[response.getTId(wBRN=True)]
        super().sendResponse(response, transaction, retrans, ack_cb, lossemul)
        if transaction.tid is not None and transaction.teD is not None:
            transaction.teD.cancel()
            transaction.teD = Timeout(self.timerD, self._ack_seconds, 1, transaction)

    def timerA(self, transaction: Any) -> None:
        """Timers A, E and G (RFC 3261 17): all but a client's INVITE slow down to T2."""
        self.transmitData(transaction.userv, transaction.data, transaction.address)
        transaction.tout *= 2
        if transaction.method != "INVITE" or transaction.tid not in self.tclient:
            transaction.tout = min(transaction.tout, T2)
        transaction.teA = Timeout(self.timerA, transaction.tout, 1, transaction)

    def abandon(self, transaction: Any) -> None:
        """Forgets a server transaction that went wrong before it was answered."""
        for timer in (transaction.teA, transaction.teD, transaction.teE, transaction.teF):
            if timer is not None:
                timer.cancel()
        self.tserver.pop(transaction.tid, None)
        transaction.cleanup()

    def in_progress(self) -> int:
        """Requests of ours that have no final answer yet."""
        open_states = (transaction_module.TRYING, transaction_module.RINGING)
        return sum(transaction.state in open_states for transaction in self.tclient.values())


class _Verbatim(SipGenericHF):  # type: ignore[misc]
    """A header whose name stays as written; sippy would make ``X-campaign`` of ``X-Campaign``."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(value)
        self._name = name

    def getCanName(self, _name: str, _compact: bool = False) -> str:
        return self._name

    def getCopy(self) -> _Verbatim:
        return _Verbatim(self._name, self.body)


def sip_headers(headers: Headers) -> tuple[Any, ...]:
    """Headers for the stack, as they are."""
    return tuple(SipHeader(name=name, body=_Verbatim(name, value)) for name, value in headers)


def sdp_body(text: str | None) -> Any:
    """An SDP for the stack. Its length is counted in characters, so SDP goes out in ASCII (RFC 8866 lets
    nothing in ours be otherwise)."""
    if text is None:
        return None
    if not text.isascii():
        raise ValueError("SDP with characters outside ASCII")
    return MsgBody(text)


def sdp_of(message: Any) -> str | None:
    """The SDP in a message of the stack's."""
    body = message.getBody() if hasattr(message, "getBody") else message
    if body is None:
        return None
    # the body is Latin-1, one character an octet: see sip_glue.message
    return sdp_in(str(body.mtype), str(body.content).encode("latin-1"))
