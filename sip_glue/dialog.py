"""One call of the stack's: sippy's user agent with our corrections, its events in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sippy.CCEvents import (
    CCEventConnect,
    CCEventDisconnect,
    CCEventFail,
    CCEventPreConnect,
    CCEventRedirect,
    CCEventRing,
    CCEventTry,
)
from sippy.SipAddress import SipAddress
from sippy.SipCallId import SipCallId
from sippy.SipContact import SipContact
from sippy.SipFrom import SipFrom
from sippy.SipHeader import SipHeader
from sippy.SipTo import SipTo
from sippy.SipURL import SipURL
from sippy.UA import UA

from sip_glue import dtmf_info
from sip_glue.body import sdp_in
from sip_glue.config import Credentials
from sip_glue.door import ALLOW, content_type
from sip_glue.events import (
    Acknowledged,
    Answered,
    Ended,
    Event,
    Failed,
    Headers,
    Incoming,
    Info,
    Rejected,
    Ringing,
)
from sip_glue.message import Request, RequestKey
from sip_glue.reinvite import Connected, Updating
from sip_glue.stack import Transactions, sdp_body, sdp_of, sip_headers
from sip_glue.uri import Address, SipUri

_MOST_CHALLENGES: Final = 3
_BYE_SECONDS: Final = 32.0  # RFC 3261 timer F


class Dialog(UA):  # type: ignore[misc]
    """One call, ours or a peer's. ``name`` is its local tag.

    ``report`` takes its events; ``gone`` is called when the stack has no more use for it. ``invite`` is the key
    of a peer's INVITE and its branch.
    """

    UaStateConnected = Connected
    UasStateUpdating = Updating

    def __init__(
        self,
        transactions: Transactions,
        report: Callable[[Event], None],
        gone: Callable[[Dialog], None],
        *,
        name: str | None,
        user: str,
        product: str,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(transactions.global_config, event_cb=self._translate, dead_cbs=(gone,), ltag=name)
        self.report = report
        self.name: str = self.lTag
        self.local_ua = product
        # with credentials its BYE may be challenged, and sent again
        self.godead_timeout = 0.0 if credentials is None else _BYE_SECONDS
        self.contact_user = user
        self.lContact = SipContact(address=SipAddress(url=SipURL(username=user)))
        self.credentials = credentials
        self.finished = False
        self.invite: tuple[RequestKey, str | None] | None = None
        self.local_sdp: str | None = None
        self.remote_sdp: str | None = None
        self.offered: str | None = None
        self._acknowledged = True
        self._leaving: Headers | None = None
        self._proofs: dict[str, Any] = {}
        self._challenges = 0
        self._silence = False

    # -- what its owner does

    def dial(
        self,
        call_id: str,
        target: SipUri,
        sender: Address,
        next_hop: tuple[str, int],
        body: str,
        headers: Headers,
    ) -> None:
        """Sends the INVITE."""
        self.local_sdp = body
        self.setNextHop(next_hop, "udp")
        event = _Dialled((SipCallId(call_id), None, None, sdp_body(body), None, None))
        event.extra_headers = sip_headers((ALLOW, *headers))
        event.target, event.sender = target, sender
        self.recvEvent(event)

    def invited(self, message: Any, transaction: Any) -> Any:
        """The INVITE that begins it; reports ``Incoming``."""
        read: Request = message.read
        self.invite = read.key, read.via.branch
        verdict = self.recvRequest(message, transaction)
        given = read.values("content-type")
        offer = self.remote_sdp = sdp_in(given[0] if given else None, read.body)
        self.report(
            Incoming(self.name, read.call_id, read.from_.uri, read.to.uri, read.uri, read.headers, offer)
        )
        return verdict

    def progress(self, code: int, reason: str, body: str | None) -> None:
        """180 or 183."""
        event = CCEventRing((code, reason, sdp_body(body)))
        event.extra_headers = sip_headers((ALLOW,))
        self.recvEvent(event)

    def accept(self, body: str) -> None:
        """200 to the INVITE or to a re-INVITE; repeated until the ACK."""
        if self._nothing_asked():
            return
        self.local_sdp = body
        if self.isConnected():
            event = CCEventConnect((200, "OK", sdp_body(body)))
            self.remote_sdp = self.offered
        else:
            event = CCEventPreConnect((200, "OK", sdp_body(body)))
            self._acknowledged = False
        event.extra_headers = sip_headers((ALLOW,))
        self.recvEvent(event)

    def refuse(self, code: int, reason: str, headers: Headers) -> None:
        """A final refusal: of the INVITE, which ends the dialog, or of a re-INVITE, which does not."""
        if self._nothing_asked():
            return
        if not self.isConnected():
            self.finish(Ended(self.name, "local", f"{code} {reason}"))
        event = CCEventFail((code, reason))
        event.extra_headers = sip_headers(headers)
        self.recvEvent(event)

    def hang_up(self, headers: Headers) -> None:
        """BYE; CANCEL while the peer is being called; 480 while it calls us."""
        if not self._acknowledged:
            # RFC 3261 15: no BYE before the ACK to our 200
            self._leaving = headers
        elif self.invite is not None and not self.isConnected():
            self.refuse(480, "Temporarily Unavailable", headers)
            return
        else:
            self._disconnect(headers)
        self.finish(Ended(self.name, "local", "hung up"))

    def finish(self, event: Ended | Rejected | Failed) -> None:
        """Reports the end, once."""
        if not self.finished:
            self.finished = True
            self.report(event)

    def _disconnect(self, headers: Headers) -> None:
        event = CCEventDisconnect()
        event.extra_headers = sip_headers(headers)
        self.recvEvent(event)

    # -- what the stack calls

    def recvRequest(self, request: Any, transaction: Any) -> Any:
        """An INVITE, or a request in the dialog: INVITE, BYE, INFO, OPTIONS. The door keeps out all else."""
        method = request.getMethod()
        if method == "BYE":
            request.delHFs("also")
            if not self.isConnected():
                return self._bye_out_of_turn(request)
        elif method != "INVITE" and self.isConnected() and not self.finished:
            return self._asked(request)
        elif self.state is not None and (not self.isConnected() or self.finished):
            code, reason = (481, "Call Does Not Exist") if self.finished else (500, "Overlapping Requests")
            return request.genResponse(code, reason, server=self.local_ua), None, None
        verdict = super().recvRequest(request, transaction)
        del request.sendResponse  # a cycle, for the garbage collector to find
        if method == "INVITE" and transaction.r487 is not None:
            transaction.r487.getHFBody("to").setTag(self.lTag)
        if verdict is None or verdict[1] is None:
            return verdict
        cancel = verdict[1]

        def cancelled(time: Any, cancelling: Any) -> None:
            if cancelling is None and not self.isConnected():
                self.finish(Failed(self.name, 487, "the INVITE expired"))
            cancel(time, cancelling)

        return verdict[0], cancelled, self._unacknowledged

    def recvResponse(self, response: Any, transaction: Any) -> None:
        """An answer to our INVITE; the stack makes a 408 of silence."""
        self._silence = response.source is None
        super().recvResponse(response, transaction)

    def recvACK(self, request: Any) -> None:
        """The ACK to a 200 of ours."""
        self._acknowledged = True
        if not isinstance(self.state, Updating):
            self.uasResp = None  # made anew for a re-INVITE; until then it is most of what a call weighs
        if self._leaving is not None:
            headers, self._leaving = self._leaving, None
            self._disconnect(headers)
        elif not self.finished:
            answer = sdp_of(request)
            if answer is not None:
                self.remote_sdp = answer
            self.report(Acknowledged(self.name, answer))

    def expires(self) -> None:
        """Nobody answers: CANCEL."""
        self.finish(Failed(self.name, 408, "no answer"))
        super().expires()

    def genRequest(self, *arguments: Any, **named: Any) -> Any:
        """UDP is all we speak, whatever transport a Contact prefers."""
        self.rAddr: Any = (self.rAddr[0], "udp")
        return super().genRequest(*arguments, **named)

    def newTransaction(self, request: Any, **named: Any) -> Any:
        """Waits for a challenge where a BYE may meet one."""
        if request.getMethod() == "BYE" and self.credentials is not None:
            named.setdefault("resp_cb", self._bye_answered)
        return super().newTransaction(request, **named)

    def processChallenge(
        self, response: Any, cseq: Any, challenge_name: str, _proof_name: str, extra_headers: Any
    ) -> bool:
        """Calls again with credentials, both those for a proxy and those for the peer."""
        if not self._prove(response, challenge_name, "INVITE"):
            return False
        headers = [*(extra_headers or ()), *(SipHeader(body=proof) for proof in self._proofs.values())]
        request = self.genRequest("INVITE", self.lSDP, extra_headers=headers)
        self.newUacTransaction(request, req_extra_headers=extra_headers)
        del self.reqs[cseq]
        return True

    def follow_target(self, request: Any) -> None:
        """A re-INVITE's Contact is where requests go from now on (RFC 3261 12.2.2)."""
        self.rTarget = request.getHFBody("contact").getUrl().getCopy()
        if not self.routes:
            self.rAddr = self.rTarget.getTAddr()

    # -- within

    def _nothing_asked(self) -> bool:
        """Whether the re-INVITE that a command is for has been cancelled."""
        return self.isConnected() and not isinstance(self.state, Updating)

    def _asked(self, request: Any) -> Any:
        """INFO and OPTIONS within the call, whatever else goes on in it."""
        read: Request = request.read
        if self.rCSeq is not None and read.cseq <= self.rCSeq:
            return request.genResponse(500, "CSeq Out Of Order", server=self.local_ua), None, None
        self.rCSeq: Any = read.cseq
        code, reason = 200, "OK"
        if read.method == "INFO" and read.body:
            try:
                digit = dtmf_info.parse_digit(content_type(read), read.body.decode("latin-1"))
            except dtmf_info.BadDigit:
                code, reason = 400, "Bad Digit"
            else:
                if digit is not None:
                    self.report(Info(self.name, digit.key, digit.duration_ms))
        response = request.genResponse(code, reason, server=self.local_ua)
        response.appendHeaders(sip_headers((ALLOW,)))
        return response, None, None

    def _bye_out_of_turn(self, request: Any) -> Any:
        """BYE before the answer (RFC 3261 15) or after the end."""
        if self.invite is not None and not self.finished:
            self.finish(Ended(self.name, "remote", "hung up"))
            self.recvEvent(CCEventFail((487, "Request Terminated")))
        return request.genResponse(200, "OK", server=self.local_ua), None, None

    def _unacknowledged(self) -> None:
        if self.isConnected():
            self.finish(Failed(self.name, 408, "no ACK"))
            self._acknowledged, self._leaving = True, None
            self._disconnect(())

    def _prove(self, response: Any, challenge_name: str, method: str) -> bool:
        """Makes the proof that a challenge asks for (RFC 3261 22); False if it cannot be met, or was, in vain."""
        self._challenges += 1
        if self.credentials is None or self._challenges > _MOST_CHALLENGES:
            return False
        for challenge in response.getHFBodys(challenge_name):
            supported, qop = challenge.supportedAlgorithm()
            stale = any(name == "stale" and value.lower() == "true" for name, value in challenge.otherparams)
            before = self._proofs.get(challenge_name)
            if not supported or (before is not None and before.realm == challenge.realm and not stale):
                continue
            body = str(self.lSDP) if qop == "auth-int" and method == "INVITE" else None
            self._proofs[challenge_name] = challenge.genAuthHF(
                self.credentials.user, self.credentials.password, method, str(self.rTarget), body, qop
            )
            return True
        return False

    def _bye_answered(self, response: Any) -> None:
        name = {401: "www-authenticate", 407: "proxy-authenticate"}.get(response.scode)
        if name is None or self.isDead():
            return
        self._proofs.clear()
        self._challenges = 0
        if self._prove(response, name, "BYE"):
            proofs = [SipHeader(body=proof) for proof in self._proofs.values()]
            super().newTransaction(self.genRequest("BYE", extra_headers=proofs))

    def _translate(self, event: Any, _ua: Any) -> None:
        """The stack's event in our words."""
        data = event.getData()
        match event:
            case CCEventRing() if data[0] > 100:
                self.report(Ringing(self.name, data[0], sdp_of(data[2])))
            case CCEventConnect():
                self.remote_sdp = sdp_of(data[2])
                self.report(Answered(self.name, self.remote_sdp))
            case CCEventFail() | CCEventRedirect():
                kind = Failed if self._silence else Rejected
                self.finish(kind(self.name, data[0], data[1]))
            case CCEventDisconnect():
                reason = event.reason_rfc3326
                self.finish(Ended(self.name, "remote", str(reason) if reason is not None else "hung up"))


class _Dialled(CCEventTry):  # type: ignore[misc]
    """An INVITE to be: sippy knows calls within one domain only, so who calls whom is set here."""

    target: SipUri
    sender: Address

    def onUacSetupComplete(self, dialog: Dialog) -> None:
        """Names and addresses, before the request is made."""
        dialog.rTarget = SipURL(self.target.text)
        peer = SipURL(username=dialog.rTarget.username, host=dialog.rTarget.host, port=self.target.port)
        dialog.rUri = SipTo(address=SipAddress(url=peer))
        dialog.lUri = SipFrom(address=SipAddress(name=self.sender.display, url=SipURL(self.sender.uri)))
        dialog.lUri.setTag(dialog.lTag)
        dialog.lContact.getUrl().username = dialog.contact_user
