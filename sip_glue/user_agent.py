"""The SIP side of the adapter: datagrams in, dialogs, capacity."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sippy.SipConf import SipConf
from sippy.Time.Timeout import Timeout

from sip_glue.config import Credentials, SipConfig
from sip_glue.dialog import Dialog
from sip_glue.door import Known, Reply, answer, judge, reply_address
from sip_glue.events import Ended, Event, Failed, Headers, Rejected, Unregistered
from sip_glue.message import Request, RequestKey, Response, Unreadable, read
from sip_glue.reactor import Place, Port, bracketed, literal
from sip_glue.registration import Registration
from sip_glue.stack import Transactions
from sip_glue.uri import Address, SipUri, parse_uri

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Dialling:
    """A call to place: ``name`` is its handle, ``next_hop`` where its INVITE goes, anywhere if ``trusted``."""

    name: str
    call_id: str
    target: SipUri
    sender: Address
    next_hop: Place
    trusted: bool
    body: str
    headers: Headers
    credentials: Credentials | None
    ring_seconds: float


class Memory:
    """Names and INVITEs of calls that are over, whose late copies still have to be met as what they are. It
    forgets by halves: ``age`` drops what was added before the last ``age``."""

    def __init__(self) -> None:
        self._new: set[str | RequestKey] = set()
        self._old: set[str | RequestKey] = set()

    def __contains__(self, thing: str | RequestKey) -> bool:
        return thing in self._new or thing in self._old

    def add(self, thing: str | RequestKey) -> None:
        """Remembers."""
        self._new.add(thing)

    def age(self) -> None:
        """Time passes."""
        self._old, self._new = self._new, set()


class UserAgent:
    """All dialogs of all ports. ``status`` returns None, or the seconds after which a call may be welcome."""

    def __init__(
        self, config: SipConfig, report: Callable[[Event], None], status: Callable[[], int | None]
    ) -> None:
        self._config = config
        self._report = report
        self._status = status
        self._secret = secrets.token_bytes(16)
        self._transactions: dict[Port, Transactions] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._invites: dict[RequestKey, Dialog] = {}
        self._over = Memory()
        self._pending: set[str] = set()
        self._resolving: set[str] = set()
        self._registrations: dict[str, Registration] = {}
        self._closing = False

    # -- life

    def open(self, ports: list[Port]) -> None:
        """Begins on bound ports; registers the accounts."""
        SipConf.my_uaname = self._config.product
        Timeout(self._over.age, self._config.linger_seconds, -1)
        for port in ports:
            self._transactions[port] = Transactions(port, self._invited, self._config.ack_seconds)
        for account in self._config.accounts:
            next_hop = account.proxy or account.address
            transactions = self._towards(parse_uri(next_hop).host)
            if transactions is None:
                self._report(Unregistered(account.address, 503, f"no local address towards {next_hop}", None))
                continue
            registration = Registration(
                account,
                transactions,
                self._report,
                user=self._config.contact_user,
                product=self._config.product,
            )
            self._registrations[registration.tag] = registration
            registration.register()

    def close(self, done: Callable[[], object]) -> None:
        """Refuses what comes, ends what is there, unregisters; ``done`` once the peers have answered, or
        ``stop_seconds`` later."""
        self._closing = True
        for registration in self._registrations.values():
            registration.close()
        for dialog in list(self._dialogs.values()):
            if not dialog.finished:
                if dialog.name in self._pending:
                    dialog.refuse(503, "Service Unavailable", ())
                else:
                    dialog.hang_up(())
        self._when_quiet(done, round(self._config.stop_seconds / _POLL_SECONDS))

    def _when_quiet(self, done: Callable[[], object], polls: int) -> None:
        if polls and any(transactions.in_progress() for transactions in self._transactions.values()):
            Timeout(self._when_quiet, _POLL_SECONDS, 1, done, polls - 1)
        else:
            done()

    def sizes(self) -> dict[str, int]:
        """How many of each there are."""
        return {
            "dialogs": len(self._dialogs),
            "pending": len(self._pending),
            "transactions": sum(len(t.tserver) + len(t.tclient) for t in self._transactions.values()),
            "remembered": sum(len(t.l1rcache) + len(t.l2rcache) for t in self._transactions.values()),
        }

    # -- datagrams

    def receive(self, datagram: bytes, source: Place, port: Port) -> None:
        """Anything that came to a port."""
        transactions = self._transactions[port]
        checksum = hashlib.md5(datagram, usedforsecurity=False).digest()
        if transactions.repeats(checksum):
            return
        message = read(datagram)
        if isinstance(message, Response):
            tag = message.from_tag
            if tag in self._dialogs or tag in self._registrations or (tag is not None and tag in self._over):
                transactions.receive(message.text, source, checksum)
        elif isinstance(message, Unreadable):
            if message.method != "ACK":
                self._reply(message, source, port, Reply(message.code))
        elif message is not None:
            self._requested(message, source, port, checksum)

    def _requested(self, request: Request, source: Place, port: Port, checksum: bytes) -> None:
        verdict = judge(request, self._known(request, source))
        if isinstance(verdict, Reply):
            self._reply(request, source, port, verdict)
        elif verdict == "admit":
            try:
                self._transactions[port].receive(request.text, source, checksum, request)
            except Exception as error:
                # the grammar is loose enough that the stack may stumble over what the door let in
                log.warning("the stack cannot read a %s: %r", request.method, error)
                if request.method != "ACK":
                    self._reply(request, source, port, Reply(400))

    def _reply(self, request: Request | Unreadable, source: Place, port: Port, reply: Reply) -> None:
        octets = answer(request, source, reply, self._secret, self._config.product)
        port.send_to(octets, reply_address(request.via, source))

    def _known(self, request: Request, source: Place) -> Known:
        key = request.key
        invited = self._invites.get(key)
        invite: Literal["new", "same", "merged"] = "new"
        if invited is not None and invited.invite is not None:
            invite = "same" if invited.invite[1] == request.via.branch else "merged"
        elif key in self._over:
            invite = "same"
        asks_anew = request.to.tag is None and (
            request.method == "OPTIONS" or (request.method == "INVITE" and invite == "new")
        )
        tag = request.to.tag
        dialog: Literal["none", "open", "over"] = "none"
        if tag is not None and tag in self._dialogs:
            dialog = "open"
        elif tag is not None and tag in self._over:
            dialog = "over"
        retry_after = self._retry_after() if asks_anew else None
        return Known(dialog, invite, retry_after, self._config.allows(source[0]))

    def _retry_after(self) -> int | None:
        full = (
            self._closing
            or len(self._pending) >= self._config.max_pending
            or len(self._dialogs) >= self._config.max_dialogs
        )
        return self._config.retry_after if full else self._status()

    def _invited(self, transactions: Transactions, message: Any, transaction: Any) -> Any:
        """A new INVITE. All else that the door admits belongs to a dialog, and the stack finds that."""
        request: Request = message.read
        if request.method != "INVITE" or request.to.tag is not None:
            return message.genResponse(481, "Call/Transaction Does Not Exist"), None, None
        key = request.key
        if key in self._over:
            # a copy of an INVITE so late that even the stack has forgotten its answer
            transactions.abandon(transaction)
            return None
        dialog = self._new_dialog(transactions)
        self._dialogs[dialog.name] = self._invites[key] = dialog
        self._pending.add(dialog.name)
        try:
            return dialog.invited(message, transaction)
        except Exception:
            transactions.abandon(transaction)
            self._forget(dialog)
            raise

    # -- dialogs

    def dial(self, call: Dialling) -> None:
        """Calls somebody."""
        host = call.next_hop[0]
        transactions = self._towards(host)
        if transactions is None or self._closing:
            self._report(Failed(call.name, 503, f"no local address towards {host}"))
            return
        self._resolving.add(call.name)

        def found(place: Place | None) -> None:
            if call.name not in self._resolving:
                return
            self._resolving.remove(call.name)
            if place is None:
                self._report(Failed(call.name, 503, f"no address for {host}"))
                return
            if not call.trusted and not self._config.allows(place[0]):
                self._report(Failed(call.name, 403, f"no calls are placed to {place[0]}"))
                return
            dialog = self._new_dialog(transactions, call.name, call.credentials)
            dialog.expire_time = call.ring_seconds
            self._dialogs[call.name] = dialog
            next_hop = (bracketed(place[0]), place[1])
            dialog.dial(call.call_id, call.target, call.sender, next_hop, call.body, call.headers)

        transactions.port.reactor.resolve(call.next_hop, transactions.port.version, found)

    def progress(self, name: str, code: int, reason: str, body: str | None) -> None:
        """180 or 183 to an INVITE."""
        if name in self._pending:
            self._dialogs[name].progress(code, reason, body)

    def accept(self, name: str, body: str) -> None:
        """200 to an INVITE or a re-INVITE."""
        self._pending.discard(name)
        if dialog := self._open(name):
            dialog.accept(body)

    def refuse(self, name: str, code: int, reason: str, headers: Headers) -> None:
        """A final refusal of an INVITE or a re-INVITE."""
        if dialog := self._open(name):
            dialog.refuse(code, reason, headers)

    def hang_up(self, name: str, headers: Headers) -> None:
        """Ends a call in whatever state it is."""
        if name in self._resolving:
            self._resolving.remove(name)
            self._report(Ended(name, "local", "hung up"))
        elif dialog := self._open(name):
            dialog.hang_up(headers)

    def _open(self, name: str) -> Dialog | None:
        """A dialog that is not over."""
        dialog = self._dialogs.get(name)
        return dialog if dialog is not None and not dialog.finished else None

    def _new_dialog(
        self, transactions: Transactions, name: str | None = None, credentials: Credentials | None = None
    ) -> Dialog:
        return Dialog(
            transactions,
            self._reported,
            self._forget,
            name=name,
            user=self._config.contact_user,
            product=self._config.product,
            credentials=credentials,
        )

    def _reported(self, event: Event) -> None:
        if isinstance(event, Ended | Rejected | Failed):
            self._pending.discard(event.dialog)
        self._report(event)

    def _forget(self, dialog: Dialog) -> None:
        self._dialogs.pop(dialog.name, None)
        self._pending.discard(dialog.name)
        self._over.add(dialog.name)
        if dialog.invite is not None:
            self._invites.pop(dialog.invite[0], None)
            self._over.add(dialog.invite[0])

    def _towards(self, host: str) -> Transactions | None:
        """The first port of the family of an address; the first of all for a name."""
        for port, transactions in self._transactions.items():
            if literal(host, port.version) or not (literal(host, 4) or literal(host, 6)):
                return transactions
        return None
