"""One SIP dialog and the call that speaks on it: what the one does is told to the other.

A task for each line reads the dialog's events one after another. The call's end is heard from the call itself
(``_heard``), so that whatever ends it, the dialog ends, too; the dialog's end closes the call.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import time
from typing import TYPE_CHECKING, Final

from gateway import logs
from gateway.calls.leg import CloseCause
from gateway.calls.life import ENDS
from gateway.calls.requests import Media, OpenCall, Say, SipFacts
from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.sip.negotiation import Negotiation
from gateway.sip.policy import Declined, Plan, decline, plan_for
from sip_glue import sdp
from sip_glue.events import (
    Acknowledged,
    Answered,
    Ended,
    Event,
    Failed,
    Incoming,
    Info,
    Rejected,
    Reoffered,
    Ringing,
    header,
)
from sip_glue.uri import BadUri, parse_address, parse_uri
from tts_core import Script

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.calls.actions import Publish
    from gateway.calls.call import Call
    from gateway.calls.switchboard import Switchboard
    from gateway.settings import Settings
    from sip_glue.agent import SipAgent
    from sip_glue.user_agent import Dialling

_log = logging.getLogger(__name__)

_TAIL_SECONDS: Final = 0.2
"""After the last packet of an announcement: what the peer still has in its jitter buffer is to be heard."""
_BUSY: Final = (486, 600)
_NO_ANSWER: Final = (408, 480)


class Line:
    """``dialog`` is the agent's handle. ``call`` is None until its leg is open."""

    def __init__(
        self,
        agent: SipAgent,
        switchboard: Switchboard,
        settings: Settings,
        dialog: str,
        capabilities: sdp.Capabilities,
    ) -> None:
        self.dialog = dialog
        self.call: Call | None = None
        self._agent = agent
        self._switchboard = switchboard
        self._settings = settings
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._negotiation = Negotiation(secrets.randbits(61), capabilities)
        self._agreed: Media | None = None
        self._said: str | None = None
        self._early: str | None = None
        self._waits = False
        self._last_words: str | None = None
        self._ring_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    def hear(self, event: Event) -> None:
        """Something has happened to the dialog."""
        self._inbox.put_nowait(event)

    # -- a peer calls -------------------------------------------------------------------------------------

    async def take(self, incoming: Incoming) -> None:
        """An incoming call, from its INVITE to its end."""
        try:
            plan = plan_for(self._settings, incoming)
            await self._open(self._order(incoming, plan))
            if plan.say is not None:
                said = await self._say(plan.say)
                self._last_words = said if plan.hang_up else None
            self._begin(plan)
        except Declined as declined:
            await self._decline(declined)
        except (sdp.SdpError, sdp.NotAcceptable, Refusal) as error:
            await self._decline(decline(error))
        await self.attend()

    def _order(self, incoming: Incoming, plan: Plan) -> OpenCall:
        """The leg for an INVITE, to where its offer says. Raises ``SdpError``, ``NotAcceptable``."""
        facts = SipFacts(
            incoming.dialog,
            "in",
            incoming.call_id,
            incoming.from_uri,
            incoming.to_uri,
            incoming.request_uri,
            incoming.headers,
        )
        if incoming.offer is None:
            return OpenCall(anywhere(v6=_is_v6(incoming)), 0, voice=plan.voice, sip=facts)
        media = self._agreed = self._negotiation.hear_offer(incoming.offer)
        named = media.address is not None
        return OpenCall(
            address=media.address or anywhere(v6=_is_v6(incoming)),
            port=media.port if named else 0,
            codec=media.codec,
            ptime=media.ptime,
            dtmf_payload_type=media.dtmf_payload_type,
            voice=plan.voice,
            rtcp_port=media.rtcp_port if named else None,
            rtcp_mux=media.rtcp_port == media.port,
            payload_type=media.payload_type,
            sip=facts,
        )

    def _begin(self, plan: Plan) -> None:
        assert self.call is not None
        if plan.how == "answer":
            self.answer()
            return
        self._waits = True
        if plan.early and self._agreed is not None and not self._agreed.held:
            self._agent.early(self.dialog, self._body())
            self._switchboard.signalling.early(self.call.id)
        else:
            self._agent.ring(self.dialog)
        self._ring_timer = asyncio.get_running_loop().call_later(
            self._settings.sip_ring_seconds, self._leave, "no_answer", 480
        )

    def answer(self) -> None:
        """Take the call."""
        self._waits = False
        if self._ring_timer is not None:
            self._ring_timer.cancel()
        self._agent.accept(self.dialog, self._body())

    def reject(self, code: int) -> None:
        """Refuse the call, which rings."""
        self._leave("rejected", code)

    @property
    def rings(self) -> bool:
        """Whether the peer waits for our answer."""
        call = self.call
        return self._waits and call is not None and not call.closing

    def _body(self) -> str:
        """The SDP of our 183 or 200: said once, and the same again (RFC 3264)."""
        if self._said is None:
            offered = self._agreed is not None
            self._said = self._negotiation.answer() if offered else self._negotiation.offer()
        return self._said

    def _leave(self, cause: CloseCause, code: int) -> None:
        """End a call that was not answered."""
        self._waits = False
        declined = Declined(code)
        self._spawn(self._close(cause, (declined.code, declined.reason)))
        self._agent.reject(self.dialog, declined.code, declined.reason)

    async def _decline(self, declined: Declined) -> None:
        _log.info("INVITE refused: %s", declined)
        self._agent.reject(self.dialog, declined.code, declined.reason, declined.headers)
        await self._close("refused", (declined.code, declined.reason))

    # -- we call ------------------------------------------------------------------------------------------

    async def place(self, dialling: Dialling, order: OpenCall) -> Call:
        """Open the leg and send the INVITE. Refusals as of ``Reception.open_call``."""
        call = await self._open(order)
        if call.closing:  # and there was no dialog yet to be ended with it
            raise Refusal("unavailable", "The call was closed before it was placed; try again in a second")
        self._agent.place(dialling, self._negotiation.offer())
        return call

    # -- both ---------------------------------------------------------------------------------------------

    async def _open(self, order: OpenCall) -> Call:
        call = self.call = await self._switchboard.reception.open_call(order, self._heard)
        logs.bind(call_id=call.id)
        address = str(self._settings.sip_media_address or call.local.address)
        self._negotiation.bind(address, call.local.port, call.local.rtcp_port)
        return call

    async def _say(self, text: str) -> str:
        assert self.call is not None
        say = Say(requested_ns=time.monotonic_ns(), script=Script.from_text(text), text=text)
        return (await self._switchboard.speech.say(self.call.id, say)).id

    async def attend(self) -> None:
        """What happens to the dialog, until it is over; then the call is."""
        if self.call is not None:
            logs.bind(call_id=self.call.id)
        while True:
            event = await self._inbox.get()
            if isinstance(event, Ended | Rejected | Failed):
                await self._close(*_why(event, self.call))
                return
            if self.call is None or self.call.closing:
                continue
            try:
                self._happened(event, self.call)
            except (sdp.SdpError, sdp.NotAcceptable, Refusal) as error:
                _log.info("call ends: %s", error)
                await self._close("not_acceptable", None)

    def _happened(self, event: Event, call: Call) -> None:
        match event:
            case Ringing(code=code, body=body):
                self._early = body or self._early
                self._switchboard.signalling.ringing(call.id, code)
            case Answered(body=body):
                # some peers say it in the 183 and not again (RFC 3261 13.2.1)
                self._switchboard.signalling.answered(call.id, self._hear_answer(body or self._early))
            case Acknowledged(answer=answer):
                self._acknowledged(answer, call)
            case Reoffered(offer=offer):
                self._reoffered(offer, call)
            case Info(digit=digit, duration_ms=duration_ms):
                self._switchboard.signalling.digit(call.id, digit, duration_ms)

    def _acknowledged(self, answer: str | None, call: Call) -> None:
        late = self._negotiation.offering  # the INVITE, or re-INVITE, brought no offer: our 200 did
        if late:
            self._agreed = self._hear_answer(answer)
        assert self._agreed is not None
        if call.state == "ringing":
            self._switchboard.signalling.answered(call.id, self._agreed)
        elif late:
            self._switchboard.signalling.change(call.id, self._agreed)

    def _hear_answer(self, answer: str | None) -> Media:
        if answer is None:
            raise sdp.SdpError("our offer was not answered")
        return self._negotiation.hear_answer(answer)

    def _reoffered(self, offer: str | None, call: Call) -> None:
        """A re-INVITE. One that cannot be met is refused, and the call goes on as it was (RFC 3261 14.2)."""
        if offer is None:
            self._agent.answer_reoffer(self.dialog, self._negotiation.offer())
            return
        try:
            media = self._negotiation.hear_offer(offer)
            self._switchboard.signalling.change(call.id, media)
        except (sdp.SdpError, sdp.NotAcceptable, Refusal) as error:
            refused = decline(error)
            self._agent.refuse_reoffer(self.dialog, refused.code, refused.reason)
            return
        self._agreed = media
        self._agent.answer_reoffer(self.dialog, self._negotiation.answer())

    # -- the end ------------------------------------------------------------------------------------------

    def _heard(self, _call: Call, note: Publish) -> None:
        """An event of the call's, in the middle of things: what is to be done about it is done afterwards."""
        if note.type == "call.closed":
            if self._ring_timer is not None:
                self._ring_timer.cancel()
            self._agent.hangup(self.dialog)
        elif note.type in ENDS and note.utterance_id == self._last_words:
            asyncio.get_running_loop().call_later(_TAIL_SECONDS, self._spoken)

    def _spoken(self) -> None:
        self._spawn(self._close("spoken", None))

    async def _close(self, cause: CloseCause, sip_end: tuple[int, str] | None) -> None:
        if self.call is not None and self.call.state != "closed":
            await self._switchboard.registry.close_call(self.call.id, cause, sip_end)

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(report_failure)


def _why(event: Ended | Rejected | Failed, call: Call | None) -> tuple[CloseCause, tuple[int, str] | None]:
    """Why the call is closed, and the status that says so."""
    answered = call is not None and call.state == "open"
    placed = call is not None and call.sip is not None and call.sip.direction == "out"
    match event:
        case Ended():
            return ("hung_up" if answered else "cancelled"), None
        case Failed(code=code, reason=reason) if answered or not placed:  # there was no ACK to our 200
            return "failed", (code, reason)
        case Rejected(code=code, reason=reason) if code in _BUSY:
            return "busy", (code, reason)
        case Rejected(code=code, reason=reason) | Failed(code=code, reason=reason) if code in _NO_ANSWER:
            return "no_answer", (code, reason)
        case Rejected(code=code, reason=reason):
            return "refused", (code, reason)
        case Failed(code=code, reason=reason):
            return "failed", (code, reason)


def _is_v6(incoming: Incoming) -> bool:
    """Whether a peer that does not say where audio goes is one of IPv6: by where its requests come from."""
    try:
        host = parse_uri(parse_address(header(incoming.headers, "contact") or "").uri).host
        return ipaddress.ip_address(host.strip("[]")).version == 6
    except (BadUri, ValueError):
        return False


def anywhere(*, v6: bool) -> str:
    """The address that stands for a target of a family, before the peer names one."""
    return "::" if v6 else "0.0.0.0"
