"""SIPp calls us."""

import re

import pytest

from sip_glue.events import Acknowledged, Ended, Failed, Incoming, Info, Reoffered, header

from .conftest import Wire, desk_with, sdp, sipp


def to_tag(message: str) -> str:
    """The tag in a message's To."""
    return re.search(r"^To:.*;tag=(\S+)", message, re.MULTILINE)[1]


async def test_a_call_in_is_answered_acknowledged_and_ended_by_the_caller(desk, tmp_path):
    await sipp(tmp_path, "call", desk)
    (call,) = desk.seen(Incoming)
    assert "m=audio" in call.offer
    assert header(call.headers, "Max-Forwards") == "70"
    assert call.request_uri == f"sip:service@{desk.address}"
    assert call.from_uri.startswith("sip:sipp@127.0.0.1:")
    assert desk.events[1:] == [Acknowledged(call.dialog, None), Ended(call.dialog, "remote", "hung up")]


async def test_a_late_offer_brings_its_answer_in_the_ack(desk, tmp_path):
    await sipp(tmp_path, "late_offer", desk)
    (call,) = desk.seen(Incoming)
    (acknowledged,) = desk.seen(Acknowledged)
    assert call.offer is None
    assert "o=peer 1 1 IN IP4" in acknowledged.answer


async def test_cancel_ends_a_ringing_call(desk, tmp_path):
    desk.incoming = lambda call: desk.agent.ring(call.dialog)
    await sipp(tmp_path, "cancel", desk)
    (end,) = await desk.until(Ended)
    assert end.by == "remote"
    desk.agent.accept(end.dialog, sdp())  # too late: without effect
    assert desk.agent.sizes()["pending"] == 0
    desk.one_end_each()


async def test_reinvites_hold_refresh_late_offer_and_refusal(desk, tmp_path):
    offers = []

    def reoffered(event):
        offers.append(event.offer)
        if event.offer is not None and "a=inactive" in event.offer:
            desk.agent.refuse_reoffer(event.dialog)
        else:
            desk._mirror(event)

    desk.reoffered = reoffered
    # the scenario's second re-INVITE repeats the first one's SDP: a refresh that reaches nobody
    await sipp(tmp_path, "reinvite", desk)
    assert len(offers) == 3
    assert "a=sendonly" in offers[0]
    assert offers[1] is None
    assert "a=inactive" in offers[2]
    answers = [event.answer for event in desk.seen(Acknowledged)]
    # the initial ACK, hold's, and that of the late offer; a refusal's ACK and a refresh's say nothing
    assert [answer is not None for answer in answers] == [False, False, True]
    assert "o=peer 1 3 IN IP4" in answers[2]
    assert desk.events[-1].by == "remote"


async def test_a_cancelled_reinvite_leaves_the_call_standing(desk, tmp_path):
    late = []
    desk.reoffered = late.append
    await sipp(tmp_path, "cancelled_reinvite", desk)
    desk.agent.answer_reoffer(late[0].dialog, sdp())
    assert len(desk.seen(Reoffered)) == 1
    assert desk.seen(Ended) == [Ended(late[0].dialog, "remote", "hung up")]


async def test_duplicate_requests_are_harmless(desk, wire):
    invite = wire.request("INVITE", body=sdp())
    wire.send(invite)
    wire.send(invite)
    replies = [await wire.receive() for _ in range(3)]
    assert (
        sorted(reply[8:11] for reply in replies) == ["100", "100", "200"] or replies.count(replies[-1]) == 2
    )
    answer = next(reply for reply in replies if reply.startswith("SIP/2.0 200"))
    tag = to_tag(answer)
    for _ in range(2):
        wire.send(wire.request("ACK", to_tag=tag, branch="z9hG4bKack"))
    await desk.until(Acknowledged)
    bye = wire.request("BYE", to_tag=tag, branch="z9hG4bKbye", cseq=2)
    for _ in range(2):
        wire.send(bye)
        assert (await wire.receive()).startswith("SIP/2.0 200 ")
    wire.send(wire.request("BYE", to_tag=tag, branch="z9hG4bKlate", cseq=3))
    assert (await wire.receive()).startswith("SIP/2.0 200 ")
    assert [type(event) for event in desk.events] == [Incoming, Acknowledged, Ended]


async def test_an_invite_that_a_proxy_forked_to_us_twice_is_one_call(desk, wire):
    desk.incoming = lambda call: None
    wire.send(wire.request("INVITE", body=sdp()))
    assert (await wire.receive()).startswith("SIP/2.0 100 ")
    wire.send(wire.request("INVITE", branch="z9hG4bKother", body=sdp()))
    assert (await wire.receive()).startswith("SIP/2.0 482 ")
    assert len(await desk.until(Incoming)) == 1


async def test_requests_within_a_call_are_taken_or_refused_politely(desk, tmp_path):
    await sipp(tmp_path, "methods", desk)
    dialog = desk.events[0].dialog
    assert desk.seen(Info) == [Info(dialog, "5", 160), Info(dialog, "#", None)]
    assert desk.seen(Reoffered) == []
    desk.one_end_each()


async def test_we_hang_up_with_a_reason(desk, tmp_path):
    desk.incoming = lambda call: (
        desk.agent.accept(call.dialog, sdp()),
        desk.agent.hangup(call.dialog, (("Reason", "Q.850;cause=16"),)),
    )
    await sipp(tmp_path, "we_hang_up", desk)
    assert desk.events[-1] == Ended(desk.events[0].dialog, "local", "hung up")


async def test_our_bye_waits_for_the_ack(desk, wire):
    wire.send(wire.request("INVITE", body=sdp()))
    assert (await wire.receive()).startswith("SIP/2.0 100 ")
    answer = await wire.receive()
    desk.agent.hangup(desk.events[0].dialog)
    await desk.until(Ended)
    assert await wire.receive() == answer  # repeated for want of an ACK, and no BYE (RFC 3261 15)
    wire.send(wire.request("ACK", to_tag=to_tag(answer)))
    assert (await wire.receive()).startswith("BYE ")
    desk.one_end_each()


@pytest.mark.parametrize(
    ("code", "reason"), [(480, "Temporarily Unavailable"), (486, "Busy Here"), (603, "Decline")]
)
async def test_refusal_by_command(desk, tmp_path, code, reason):
    desk.incoming = lambda call: desk.agent.reject(call.dialog, code, reason, (("X-Why", "because"),))
    await sipp(tmp_path, f"refused_{code}", desk)
    assert desk.events[1:] == [Ended(desk.events[0].dialog, "local", f"{code} {reason}")]
    assert desk.agent.sizes()["transactions"] == 0


async def test_early_media_and_the_200_repeats_it(desk, tmp_path):
    def incoming(call):
        desk.agent.ring(call.dialog)
        desk.agent.early(call.dialog, sdp())
        desk.agent.accept(call.dialog, sdp())

    desk.incoming = incoming
    await sipp(tmp_path, "early_media", desk)
    assert [type(event) for event in desk.events] == [Incoming, Acknowledged, Ended]


async def test_without_an_ack_the_200_is_repeated_then_the_call_fails():
    async with desk_with(ack_seconds=1.8) as desk:
        with Wire(desk.place) as wire:
            wire.send(wire.request("INVITE", body=sdp()))
            heard = [await wire.receive()]
            while not heard[-1].startswith("BYE "):
                heard.append(await wire.receive())
            # sent at 0 s, and again T1 and 3 x T1 later
            assert [message[:11] for message in heard[:-1]] == ["SIP/2.0 100", *["SIP/2.0 200"] * 3]
            assert heard[1] == heard[2] == heard[3]
            (failed,) = await desk.until(Failed)
            assert failed == Failed(desk.events[0].dialog, 408, "no ACK")
            wire.send(heard[-1].replace(heard[-1].split("\r\n")[0], "SIP/2.0 200 OK").encode())
            desk.one_end_each()


async def test_at_capacity_503_and_no_memory(tmp_path):
    async with desk_with(max_pending=5, retry_after=7) as desk:
        desk.incoming = lambda call: None
        with Wire(desk.place) as wire:
            for number in range(5):
                wire.send(
                    wire.request("INVITE", call_id=f"call{number}", branch=f"z9hG4bK{number}", body=sdp())
                )
                assert (await wire.receive()).startswith("SIP/2.0 100 ")
            before = desk.agent.sizes()
            for number in range(200):
                invite = wire.request(
                    "INVITE", call_id=f"over{number}", branch=f"z9hG4bKo{number}", body=sdp()
                )
                wire.send(invite)
                refusal = await wire.receive()
                assert refusal.startswith("SIP/2.0 503 ")
                assert "Retry-After: 7" in refusal
                wire.send(invite)
                assert await wire.receive() == refusal  # without state, the same again
            assert desk.agent.sizes() == before
            # a retransmission of a call that is inside is no new call
            wire.send(wire.request("INVITE", call_id="call0", branch="z9hG4bK0", body=sdp()))
            assert (await wire.receive()).startswith("SIP/2.0 100 ")
            assert len(desk.seen(Incoming)) == 5


async def test_open_dialogs_are_bounded(tmp_path):
    async with desk_with(max_dialogs=1) as desk:
        with Wire(desk.place) as wire:
            wire.send(wire.request("INVITE", body=sdp()))
            assert (await wire.receive()).startswith("SIP/2.0 100 ")
            assert (await wire.receive()).startswith("SIP/2.0 200 ")
            wire.send(wire.request("ACK", to_tag=desk.events[0].dialog))
            wire.send(wire.request("INVITE", call_id="c2", branch="z9hG4bK2", body=sdp()))
            assert (await wire.receive()).startswith("SIP/2.0 503 ")
            wire.send(wire.request("BYE", to_tag=desk.events[0].dialog, cseq=2, branch="z9hG4bK3"))
            assert (await wire.receive()).startswith("SIP/2.0 200 ")
        await desk.until(Ended)
        await sipp(tmp_path, "call", desk)


async def test_the_owner_says_when_it_is_full(tmp_path):
    full = [30]
    async with desk_with(status=lambda: full[0]) as desk:
        with Wire(desk.place) as wire:
            for method in ("INVITE", "OPTIONS"):
                wire.send(wire.request(method))
                reply = await wire.receive()
                assert reply.startswith("SIP/2.0 503 ")
                assert "Retry-After: 30" in reply
        full[0] = None
        await sipp(tmp_path, "call", desk)


async def test_five_hundred_calls_at_a_hundred_a_second(desk, tmp_path):
    await sipp(tmp_path, "call", desk, "-r", 100, calls=500)
    assert len(desk.seen(Incoming)) == 500
    assert not desk.seen(Failed)
    desk.one_end_each()


async def test_a_hundred_calls_with_every_tenth_packet_lost(desk, tmp_path):
    # we end the calls: SIPp takes the 200 to its INVITE, repeated, for one to its BYE
    def incoming(call):
        desk.agent.accept(call.dialog, sdp())
        desk.agent.hangup(call.dialog, (("Reason", "Q.850;cause=16"),))

    desk.incoming = incoming
    await sipp(tmp_path, "we_hang_up", desk, "-r", 100, "-lost", 10, calls=100)
    assert len(desk.seen(Incoming)) == 100
    assert not desk.seen(Failed)
    desk.one_end_each()
