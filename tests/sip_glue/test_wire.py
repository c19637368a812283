"""What a bare socket sees: refusals without state, where answers go, IPv6, starting and stopping."""

import asyncio
import re
import socket

import pytest

from sip_glue.agent import SipAgent
from sip_glue.config import Listen, SipConfig
from sip_glue.events import Ended, Failed, Incoming

from .conftest import Wire, desk_with, found, free_port, sdp, sipp


@pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS", "INVITE", "CANCEL", "REFER", "UPDATE"])
async def test_a_dialog_that_we_do_not_know(desk, wire, method):
    wire.send(wire.request(method, to_tag="unknown"))
    assert (await wire.receive()).startswith("SIP/2.0 481 ")
    assert desk.events == []


@pytest.mark.parametrize(
    "method", ["REFER", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "PRACK", "NONSENSE"]
)
async def test_methods_that_we_do_not_take(desk, wire, method):
    wire.send(wire.request(method))
    reply = await wire.receive()
    assert reply.startswith("SIP/2.0 405 ")
    assert "Allow: INVITE, ACK, CANCEL, BYE, INFO, OPTIONS\r\n" in reply


@pytest.mark.parametrize(
    ("extra", "body", "code", "header"),
    [
        (["Require: 100rel", "Require: timer"], "", 420, "Unsupported: 100rel, timer"),
        (["Content-Type: text/plain"], "x", 415, "Accept: application/sdp"),
        (["Content-Encoding: gzip"], "x", 415, "Accept-Encoding: identity"),
        (["Contact: *"], "", 400, ""),
        (["Record-Route: <sip:p;lr>, nonsense"], "", 400, ""),
    ],
)
async def test_invites_that_are_refused_without_state(desk, wire, extra, body, code, header):
    invite = wire.request("INVITE", *extra, body=body)
    wire.send(invite)
    reply = await wire.receive()
    assert reply.startswith(f"SIP/2.0 {code} ")
    assert header in reply
    wire.send(invite)
    assert await wire.receive() == reply
    wire.send(wire.request("ACK", to_tag=re.search(r"To:.*;tag=(\w+)", reply)[1]))
    await wire.receive_not()
    assert desk.events == []
    assert desk.agent.sizes() == {"dialogs": 0, "pending": 0, "transactions": 0, "remembered": 0}


async def test_acks_are_never_answered(desk, wire):
    for ack in (
        wire.request("ACK"),
        wire.request("ACK", to_tag="x"),
        wire.request("ACK").replace("CSeq: 1", "CSeq: x"),
    ):
        wire.send(ack)
    await wire.receive_not()
    assert desk.events == []


async def test_options_by_sipsak(desk):
    process = await asyncio.create_subprocess_exec(
        found("sipsak"), "-s", f"sip:x@{desk.address}", "-vv", "-H", "127.0.0.1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b"SIP/2.0 200 OK" in output
    assert b"Accept: application/sdp" in output


async def test_answers_go_where_rport_or_via_say(desk):
    with Wire(desk.place) as sender, Wire(desk.place) as named:
        sender.send(sender.request("OPTIONS", via=";rport"))
        reply = await sender.receive()
        assert f";rport={sender.port};received=127.0.0.1" in reply
        # no rport: the port in Via, at the address that the request came from (RFC 3261 18.2.2)
        asked = sender.request("OPTIONS", via="").replace(
            f"UDP 127.0.0.1:{sender.port}", f"UDP host.invalid:{named.port}"
        )
        sender.send(asked)
        reply = await named.receive()
        assert f"UDP host.invalid:{named.port};" in reply
        assert ";received=127.0.0.1" in reply
        # the same of the stack's own answers
        sender.send(asked.replace("OPTIONS", "INVITE"))
        assert (await named.receive()).startswith("SIP/2.0 100 ")


async def test_record_route_and_route(desk, wire):
    routes = f"Record-Route: <sip:127.0.0.1:{wire.port};lr;x=1>, <sip:192.0.2.1;lr>"
    wire.send(
        wire.request("INVITE", routes, body=sdp()).replace(
            "Contact: <sip:y@127.0.0.1", "Contact: <sip:y@192.0.2.9"
        )
    )
    assert (await wire.receive()).startswith("SIP/2.0 100 ")
    answer = await wire.receive()
    assert answer.index("x=1") < answer.index("192.0.2.1;lr")
    tag = re.search(r"To:.*;tag=(\w+)", answer)[1]
    wire.send(wire.request("ACK", to_tag=tag))
    await desk.until(Incoming)
    desk.agent.hangup(desk.events[0].dialog)
    bye = await wire.receive()
    assert bye.startswith(f"BYE sip:y@192.0.2.9:{wire.port} SIP/2.0\r\n")
    assert bye.index(f"Route: <sip:127.0.0.1:{wire.port};x=1;lr>") < bye.index("Route: <sip:192.0.2.1;lr>")


async def test_a_reinvite_moves_the_target(desk, wire):
    wire.send(wire.request("INVITE", body=sdp()))
    await wire.receive()
    tag = re.search(r"To:.*;tag=(\w+)", await wire.receive())[1]
    wire.send(wire.request("ACK", to_tag=tag))
    with Wire(desk.place) as moved:
        wire.send(
            wire.request("INVITE", to_tag=tag, cseq=2, branch="z9hG4bK2", body=sdp("sendonly")).replace(
                f"Contact: <sip:y@127.0.0.1:{wire.port}", f"Contact: <sip:y@127.0.0.1:{moved.port}"
            )
        )
        assert (await wire.receive()).startswith("SIP/2.0 100 ")
        assert "a=recvonly" in await wire.receive()
        wire.send(wire.request("ACK", to_tag=tag, cseq=2, branch="z9hG4bK3"))
        desk.agent.hangup(desk.events[0].dialog)
        assert (await moved.receive()).startswith(f"BYE sip:y@127.0.0.1:{moved.port} ")


async def test_bye_before_the_answer(desk, wire):
    desk.incoming = lambda call: None
    wire.send(wire.request("INVITE", body=sdp()))
    assert (await wire.receive()).startswith("SIP/2.0 100 ")
    (call,) = await desk.until(Incoming)
    wire.send(wire.request("BYE", to_tag=call.dialog, cseq=2, branch="z9hG4bK2"))
    codes = {(await wire.receive())[8:11] for _ in range(2)}
    assert codes == {"487", "200"}
    await desk.until(Ended)
    assert desk.events[1:] == [Ended(call.dialog, "remote", "hung up")]


async def test_an_invite_expires_when_its_caller_says(desk, wire):
    desk.incoming = lambda call: desk.agent.ring(call.dialog)
    wire.send(wire.request("INVITE", "Expires: 1", body=sdp()))
    codes = [(await wire.receive())[8:11] for _ in range(3)]
    assert codes == ["100", "180", "487"]
    (failed,) = await desk.until(Failed)
    assert (failed.code, failed.reason) == (487, "the INVITE expired")
    desk.one_end_each()


async def test_a_multipart_invite_and_utf8(desk, wire):
    body = f"--b\nContent-Type: application/sdp\n\ns=Grüße\n{sdp()}\n--b--\n".replace("\r", "")
    invite = wire.request("INVITE", "Content-Type: multipart/mixed;boundary=b", "Subject: Ålesund", body=body)
    octets = invite.replace("\n", "\r\n").encode()
    head, blank, rest = octets.partition(b"\r\n\r\n")
    wire.send(re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(rest), head) + blank + rest)
    assert (await wire.receive()).startswith("SIP/2.0 100 ")
    (call,) = await desk.until(Incoming)
    assert call.offer.startswith("s=Grüße\r\nv=0")
    assert ("subject", "Ålesund") in call.headers


async def test_ipv6(tmp_path):
    async with desk_with(Listen("127.0.0.1", 0), Listen("::1", 0)) as desk:
        (_, four), (host, six) = desk.agent.addresses
        assert host == "[::1]"
        with Wire(("::1", six), "::1") as wire:
            wire.send(wire.request("INVITE", body=sdp()))
            assert (await wire.receive()).startswith("SIP/2.0 100 ")
            answer = await wire.receive()
            assert f"Contact: <sip:voxtrunk@[::1]:{six}>" in answer
            wire.send(wire.request("ACK", to_tag=re.search(r"To:.*;tag=(\w+)", answer)[1]))
            desk.agent.hangup(desk.events[0].dialog)
            assert (await wire.receive()).startswith(f"BYE sip:y@[::1]:{wire.port} SIP/2.0")
            desk.agent.dial(f"sip:b@[::1]:{wire.port}", "sip:a@[::1]", sdp())
            assert f"Via: SIP/2.0/UDP [::1]:{six};rport" in await wire.receive()
        with Wire(("127.0.0.1", four)) as wire:
            desk.agent.dial(f"sip:b@127.0.0.1:{wire.port}", "sip:a@h", sdp())
            assert f"Via: SIP/2.0/UDP 127.0.0.1:{four};rport" in await wire.receive()


async def test_ipv6_by_sipp(tmp_path):
    async with desk_with(Listen("::1", 0)) as desk:
        await sipp(tmp_path, "call", desk)


async def test_what_is_advertised_is_what_peers_see():
    async with desk_with(Listen("0.0.0.0", 0, advertise="192.0.2.7")) as desk:
        port = desk.agent.addresses[0][1]
        assert desk.agent.addresses == (("192.0.2.7", port),)
        with Wire(("127.0.0.1", port)) as wire:
            wire.send(wire.request("INVITE", body=sdp()))
            await wire.receive()
            assert f"Contact: <sip:voxtrunk@192.0.2.7:{port}>" in await wire.receive()


async def test_stop_ends_the_calls_and_leaves_nothing():
    async with desk_with(stop_seconds=5.0) as desk:
        with Wire(desk.place) as wire:
            wire.send(wire.request("INVITE", body=sdp()))
            await wire.receive()
            answer = await wire.receive()
            wire.send(wire.request("ACK", to_tag=re.search(r"To:.*;tag=(\w+)", answer)[1]))
            desk.incoming = lambda call: None
            wire.send(wire.request("INVITE", call_id="c2", branch="z9hG4bK2", body=sdp()))
            await desk.until(Incoming, 2)
            await wire.receive()
            place = desk.place
            stopping = asyncio.create_task(desk.agent.stop())
            heard = sorted([await wire.receive(), await wire.receive()])
            assert heard[0].startswith("BYE ")
            assert heard[1].startswith("SIP/2.0 503 ")
            assert not stopping.done()  # waits for the answer to its BYE
            wire.send(heard[0].replace(heard[0].split("\r\n")[0], "SIP/2.0 200 OK").encode())
            await stopping
            desk.one_end_each()
        desk.agent.hangup(desk.events[0].dialog)  # without effect
        with pytest.raises(RuntimeError, match="does not run"):
            desk.agent.dial("sip:b@127.0.0.1", "sip:a@127.0.0.1", sdp())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(place)


async def test_one_agent_at_a_time(desk):
    with pytest.raises(RuntimeError, match="one SIP agent at a time"):
        await SipAgent(SipConfig((Listen("127.0.0.1", 0),)), lambda event: None).start()


async def test_an_address_in_use_is_an_error_at_start():
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        agent = SipAgent(SipConfig((Listen("127.0.0.1", 0), Listen("127.0.0.1", port))), lambda event: None)
        with pytest.raises(OSError, match="in use"):
            await agent.start()
    async with desk_with():  # nothing is left of it
        pass
