"""``/v1/calls``: open a leg, look at it, hold it, send digits, close it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from gateway.api import answers
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.openapi import problems
from gateway.api.permits import check_voice
from gateway.api.requests import CreateCall, PauseSpeech, RejectCall, SendDtmf, SipTarget
from gateway.api.webhooks import check_address, reachable
from gateway.calls.call import State
from gateway.calls.requests import BargeIn, OpenCall
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.api.context import Context
    from gateway.calls.call import Call
    from gateway.sip.endpoint import Dial, Endpoint

_REJECTED: Final = RejectCall(code=None)
_AT_ONCE: Final = PauseSpeech()
router = APIRouter(prefix="/v1/calls", tags=["calls"], route_class=JsonRoute)


@router.post(
    "",
    status_code=201,
    response_model=answers.Call,
    summary="Open a call",
    responses=problems(400, 403, 409, 413, 422, 429, 503),
)
async def open_call(body: CreateCall, http: Request, here: Here) -> Response:
    """Open a leg that sends RTP to a literal address inside VOXTRUNK_RTP_ALLOW, at once; or place a SIP call,
    which rings: its events tell what comes of it, and what is queued on it meanwhile is said once it is answered.

    503 `at_capacity` is how a full gateway refuses: before a live call suffers.
    """
    settings = here.settings
    if body.max_seconds is not None and body.max_seconds > settings.max_call_seconds:
        limit = f"max_seconds should be at most {settings.max_call_seconds} (VOXTRUNK_MAX_CALL_SECONDS)"
        raise Refusal("invalid", limit, field="max_seconds")
    if body.webhook_url is not None and settings.webhook_secret is None:
        raise Refusal(
            "invalid",
            "webhook_url needs VOXTRUNK_WEBHOOK_SECRET to be set, which signs webhooks",
            field="webhook_url",
        )
    if body.webhook_url is not None:
        check_address(body.webhook_url, reachable(settings))
    rtp, key = body.rtp, http.state.key
    check_voice(key, body.voice or settings.default_voice)
    request = OpenCall(
        address=rtp.address if rtp else "",
        port=rtp.port if rtp else 0,
        codec=body.codec,
        ptime=body.ptime,
        dtmf_payload_type=body.dtmf_payload_type,
        silence=body.silence,
        voice=body.voice,
        client_state=body.client_state,
        webhook_url=body.webhook_url,
        max_seconds=body.max_seconds,
        rtcp_port=rtp.rtcp_port if rtp else None,
        rtcp_mux=rtp is not None and rtp.rtcp_mux,
        owner=key.name,
        owner_limit=key.max_calls,
        owner_allow=key.rtp_allow,
        barge_in=body.barge_in.meant() if body.barge_in else BargeIn(),
        volume_db=body.volume_db,
    )
    if body.sip is None:
        call = await here.switchboard.reception.open_call(request)
    else:
        call = await _endpoint(here).dial(_dial(body.sip), request)
    return answers.Call.of(call).response(201, {"Location": f"/v1/calls/{call.id}"})


@router.get("", response_model=answers.Calls, summary="List calls", responses=problems(404, 422))
async def list_calls(
    http: Request,
    here: Here,
    state: Annotated[State | None, Query(description="Only these")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Response:
    """Calls in the order of their opening, those that were closed lately among them."""
    calls, key = here.switchboard.registry.calls(), http.state.key
    if key.own_calls:
        calls = [call for call in calls if call.request.owner == key.name]
    return _page(calls, state, limit, after).response()


@router.get("/{call_id}", response_model=answers.Call, summary="Get a call", responses=problems(404))
async def get_call(call_id: str, here: Here) -> Response:
    """The call as it is now; a closed one for VOXTRUNK_CLOSED_CALL_SECONDS."""
    return answers.Call.of(here.switchboard.registry.call(call_id)).response()


@router.delete("/{call_id}", response_model=answers.Call, summary="Close a call", responses=problems(404))
async def close_call(call_id: str, here: Here) -> Response:
    """Stop its speech, say BYE and close. Answers with the final call and its statistics, a second time too."""
    return answers.Call.of(await here.switchboard.registry.close_call(call_id)).response()


@router.post(
    "/{call_id}/answer",
    response_model=answers.Call,
    summary="Answer a call",
    responses=problems(404, 409, 422),
)
async def answer_call(call_id: str, here: Here) -> Response:
    """Take an incoming SIP call that rings. `call.answered` follows with the caller's acknowledgement."""
    here.switchboard.registry.call(call_id)
    return answers.Call.of(_endpoint(here).answer(call_id)).response()


@router.post(
    "/{call_id}/reject",
    response_model=answers.Call,
    summary="Reject a call",
    responses=problems(400, 404, 409, 413, 422),
)
async def reject_call(call_id: str, here: Here, body: RejectCall = _REJECTED) -> Response:
    """Refuse an incoming SIP call that rings."""
    here.switchboard.registry.call(call_id)
    return answers.Call.of(_endpoint(here).reject(call_id, body.code)).response()


@router.post(
    "/{call_id}/pause",
    response_model=answers.Call,
    summary="Pause speech",
    responses=problems(400, 404, 409, 413, 422),
)
async def pause(call_id: str, here: Here, body: PauseSpeech = _AT_ONCE) -> Response:
    """Hold what is being said, at once or at a word's end; the RTP clock runs on. It dies away within 10 ms."""
    return answers.Call.of(await here.switchboard.speech.pause(call_id, at_word=body.at == "word")).response()


@router.post(
    "/{call_id}/resume", response_model=answers.Call, summary="Resume speech", responses=problems(404, 409)
)
async def resume(call_id: str, here: Here) -> Response:
    """Go on where pause held, from the same sample."""
    return answers.Call.of(await here.switchboard.speech.resume(call_id)).response()


@router.post(
    "/{call_id}/dtmf",
    status_code=202,
    response_model=answers.Digits,
    summary="Send digits",
    responses=problems(400, 404, 409, 413, 422),
)
async def send_dtmf(call_id: str, body: SendDtmf, here: Here) -> Response:
    """Send RFC 4733 events now; speech waits meanwhile and then goes on."""
    await here.switchboard.sound.send_dtmf(call_id, body.digits, body.duration_ms)
    answer = answers.Digits(call_id=call_id, digits=body.digits, duration_ms=body.duration_ms)
    return answer.response(202)


def _endpoint(here: Context) -> Endpoint:
    """Refusal ``no_sip``."""
    if here.endpoint is None:
        raise Refusal("no_sip", "Set VOXTRUNK_SIP_LISTEN, or serve --sip ADDRESS:PORT", field="sip")
    return here.endpoint


def _dial(sip: SipTarget) -> Dial:
    from gateway.sip.endpoint import Dial, credentials

    auth = credentials(sip.auth.user, sip.auth.password) if sip.auth else None
    return Dial(sip.to, sip.from_, tuple(sip.headers.items()), auth, sip.ring_timeout)


def _page(calls: list[Call], state: str | None, limit: int, after: str | None) -> answers.Calls:
    """At most ``limit`` calls that opened later than the call ``after``. Refusal ``unknown_call``."""
    start = 0
    if after is not None:
        known = next((index for index, call in enumerate(calls) if call.id == after), None)
        if known is None:
            raise Refusal("unknown_call", f"There is no call {after!r} any more; begin again without after")
        start = known + 1
    matching = (call for call in islice(calls, start, None) if state is None or call.state == state)
    page = list(islice(matching, limit + 1))
    more = len(page) > limit
    del page[limit:]
    return answers.Calls.model_construct(
        calls=[answers.Call.of(call) for call in page], next=page[-1].id if more else None
    )
