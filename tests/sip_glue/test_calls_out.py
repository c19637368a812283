"""We call SIPp."""

import asyncio

import pytest

from sip_glue.agent import BadHeader
from sip_glue.config import Credentials
from sip_glue.events import Answered, Ended, Failed, Rejected, Ringing
from sip_glue.uri import BadUri

from .conftest import OVER, Sipp, Wire, sdp

ALICE = "sip:alice@127.0.0.1"
WONDER = Credentials("alice", "wonder")


async def test_a_call_out_rings_is_answered_and_ended_by_us(desk, tmp_path):
    async with Sipp(tmp_path, "answers", "-m", 1) as peer:
        dialog = desk.agent.dial(
            f"sip:bob@127.0.0.1:{peer.port}",
            f'"Alice L." <{ALICE}>',
            sdp(),
            headers=(("X-Campaign", "spring"),),
        )
        (answered,) = await desk.until(Answered)
        assert "o=peer 1 1" in answered.body
        early, ringing = desk.seen(Ringing)
        assert (early.code, ringing) == (183, Ringing(dialog, 180, None))
        assert "m=audio" in early.body
        desk.agent.hangup(dialog)
        await peer.well()
    assert desk.events[-1] == Ended(dialog, "local", "hung up")


async def test_the_peer_hangs_up(desk, tmp_path):
    async with Sipp(tmp_path, "answers_and_ends", "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp())
        await desk.until(Ended)
        await peer.well()
    assert desk.events[-1] == Ended(dialog, "remote", "hung up")


@pytest.mark.parametrize(
    ("scenario", "code", "reason"), [("busy", 486, "Busy Here"), ("moved", 302, "Moved Temporarily")]
)
async def test_a_refusal(desk, tmp_path, scenario, code, reason):
    async with Sipp(tmp_path, scenario, "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp())
        await peer.well()
        await desk.until(Rejected)
    assert desk.events == [Rejected(dialog, code, reason)]


@pytest.mark.parametrize("scenario", ["challenge", "challenges"])
async def test_challenges_of_peer_and_proxy_and_on_the_bye_are_met(desk, tmp_path, scenario):
    async with Sipp(tmp_path, scenario, "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp(), auth=WONDER)
        await desk.until((Answered, *OVER))
        desk.agent.hangup(dialog)
        await peer.well()
    assert [type(event) for event in desk.events] == [Answered, Ended]


async def test_a_wrong_password_is_given_up(desk, tmp_path):
    async with Sipp(tmp_path, "wrong_password", "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp(), auth=WONDER)
        await peer.well()
        await desk.until(Rejected)
    assert desk.events == [Rejected(dialog, 401, "Unauthorized")]


async def test_cancel_while_it_rings(desk, tmp_path):
    async with Sipp(tmp_path, "rings", "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp())
        await desk.until(Ringing)
        desk.agent.hangup(dialog)
        desk.agent.hangup(dialog)
        await peer.well()
    assert desk.events[1:] == [Ended(dialog, "local", "hung up")]


async def test_nobody_answers(desk, tmp_path):
    async with Sipp(tmp_path, "rings", "-m", 1) as peer:
        dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp(), ring_timeout=0.3)
        await peer.well()
    assert desk.events[1:] == [Failed(dialog, 408, "no answer")]


async def test_a_name_without_an_address_fails_and_other_calls_go_on(desk, tmp_path):
    dialog = desk.agent.dial("sip:bob@nowhere.invalid", ALICE, sdp())
    async with Sipp(tmp_path, "busy", "-m", 1) as peer:
        desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp())
        await peer.well()
    await desk.until(Failed)
    assert desk.seen(Failed) == [Failed(dialog, 503, "no address for nowhere.invalid")]


async def test_a_family_that_we_do_not_listen_in_fails(desk):
    dialog = desk.agent.dial("sip:bob@[::1]", ALICE, sdp())
    await desk.until(Failed)
    assert desk.events == [Failed(dialog, 503, "no local address towards [::1]")]


async def test_the_invite_goes_by_way_of_the_outbound_proxy(desk, wire):
    dialog = desk.agent.dial(
        "sip:bob@pbx.invalid", "sip:100@pbx.invalid", sdp(), outbound_proxy=f"sip:127.0.0.1:{wire.port}"
    )
    invite = await wire.receive()
    assert invite.startswith("INVITE sip:bob@pbx.invalid SIP/2.0\r\n")
    assert "To: <sip:bob@pbx.invalid>\r\n" in invite
    assert "From: <sip:100@pbx.invalid>;tag=" + dialog in invite
    assert f"Contact: <sip:voxtrunk@{desk.address}>" in invite
    desk.agent.hangup(dialog)
    await desk.until(Ended)


async def test_200_and_cancel_cross_and_the_call_is_ended(desk, wire):
    dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{wire.port}", ALICE, sdp())
    invite = await wire.receive()
    desk.agent.hangup(dialog)
    await desk.until(Ended)
    wire.send(answer_to(invite, 200, wire, sdp()))
    kinds = {(await wire.receive()).split()[0] for _ in range(2)}
    assert kinds == {"ACK", "BYE"}
    assert desk.seen(Answered) == []


def answer_to(request: str, code: int, wire: Wire, body: str = "") -> bytes:
    """A response to a request of the agent's."""
    kept = [line for line in request.split("\r\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
    to = next(line for line in request.split("\r\n") if line.startswith("To:"))
    contact = f"Contact: <sip:bob@127.0.0.1:{wire.port}>"
    head = [f"SIP/2.0 {code} Whatever", *kept, to + ";tag=bobs", contact, f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def test_a_contact_that_wants_tcp_gets_udp_all_the_same(desk, wire):
    dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{wire.port};transport=tcp", ALICE, sdp())
    invite = await wire.receive()
    wire.send(
        answer_to(invite, 200, wire, sdp()).replace(
            b">\r\nContent-Length", b";transport=tcp>\r\nContent-Length"
        )
    )
    assert (await wire.receive()).startswith("ACK ")
    desk.agent.hangup(dialog)
    bye = await wire.receive()
    assert bye.startswith(f"BYE sip:bob@127.0.0.1:{wire.port};transport=tcp SIP/2.0")
    wire.send(answer_to(bye, 200, wire))


async def test_many_calls_out(desk, tmp_path):
    async with Sipp(tmp_path, "answers", "-m", 100) as peer:
        for _ in range(100):
            desk.agent.dial(
                f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp(), headers=(("X-Campaign", "spring"),)
            )
            await asyncio.sleep(0.005)
        for answered in await desk.until(Answered, 100):
            desk.agent.hangup(answered.dialog)
        await peer.well()
    assert len(desk.seen(Ended)) == 100


async def test_calls_out_with_every_tenth_packet_lost(desk, tmp_path):
    async with Sipp(tmp_path, "busy", "-m", 50, "-lost", 10) as peer:
        for _ in range(50):
            desk.agent.dial(f"sip:bob@127.0.0.1:{peer.port}", ALICE, sdp())
            await asyncio.sleep(0.005)
        assert len(await desk.until(Rejected, 50)) == 50
        await peer.well()
    assert len(desk.events) == 50


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "bob"},
        {"to": "tel:+123"},
        {"to": "sip:bob@127.0.0.1:70000"},
        {"to": "sip:bob@127.0.0.1\r\nX: y"},
        {"from_": "Alice"},
        {"from_": '"Al"ice" <sip:a@b>'},
        {"outbound_proxy": "127.0.0.1"},
    ],
)
async def test_what_is_no_address_is_refused_at_once(desk, wrong):
    with pytest.raises(BadUri):
        desk.agent.dial(**({"to": "sip:b@127.0.0.1", "from_": ALICE, "body": sdp()} | wrong))


@pytest.mark.parametrize(
    "header",
    [("Via", "x"), ("call-id", "x"), ("X-A", "b\r\nVia: c"), ("X A", "b"), ("", "b"), ("X-A", "b\0")],
)
async def test_headers_that_may_not_be_sent(desk, header):
    with pytest.raises(BadHeader):
        desk.agent.dial("sip:b@127.0.0.1", ALICE, sdp(), headers=(header,))
    with pytest.raises(BadHeader):
        desk.agent.hangup("any", (header,))
