"""Whom requests are taken from, and whom calls are placed to."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest

from sip_glue.config import Listen, SipConfig
from sip_glue.door import Known, Reply, judge
from sip_glue.events import Ended, Failed, Incoming, Rejected
from sip_glue.message import Request, read

from .conftest import Wire, desk_with, sdp

ALICE = "sip:alice@127.0.0.1"
ELSEWHERE = (ip_network("192.0.2.0/24"),)


def request(method, tag=""):
    text = (
        f"{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKb\r\n"
        f"To: <sip:x@127.0.0.1>{';tag=' + tag if tag else ''}\r\nFrom: <sip:y@h>;tag=f\r\nCall-ID: c\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:y@h>\r\nContent-Length: 0\r\n\r\n"
    )
    message = read(text.encode())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        ("INVITE", Reply(403)), ("OPTIONS", Reply(403)), ("BYE", Reply(403)), ("REGISTER", Reply(403)),
        ("NONSENSE", Reply(403)), ("ACK", "ignore"), ("CANCEL", Reply(481)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tag", ["", "unknown"])
def test_strangers_are_refused_before_anything_else(method, verdict, tag):
    known = Known(dialog="none", invite="new", retry_after=5, welcome=False)
    assert judge(request(method, tag), known) == verdict


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "ACK", "CANCEL", "OPTIONS"])
def test_within_an_open_dialog_everybody_is_heard(method):
    """A proxy may fail over to another, and a peer may move."""
    known = Known(dialog="open", invite="new", retry_after=None, welcome=False)
    assert judge(request(method, "ours"), known) == "admit"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("::1", True), ("[::ffff:127.0.0.1]", True),
        ("10.0.0.1", False), ("[::2]", False), ("[::ffff:10.0.0.1]", False), ("fe80::1%lo", False),
    ],
)  # fmt: skip
def test_allowed_by_default(host, allowed):
    assert SipConfig((Listen("127.0.0.1"),)).allows(host) is allowed


async def test_sources_outside_the_list_get_403_and_cost_nothing():
    async with desk_with(allow=ELSEWHERE) as desk:
        with Wire(desk.place) as wire:
            for method in ("INVITE", "OPTIONS", "BYE"):
                wire.send(wire.request(method, body=sdp() if method == "INVITE" else ""))
                assert (await wire.receive()).startswith("SIP/2.0 403 Forbidden\r\n")
            wire.send(wire.request("ACK", to_tag="x"))
            await wire.receive_not()
        assert desk.events == []
        assert set(desk.agent.sizes().values()) == {0}


async def test_each_address_is_judged_by_itself():
    async with desk_with(allow=(ip_network("127.0.0.2/32"),)) as desk:
        with Wire(desk.place) as stranger, Wire(desk.place, "127.0.0.2") as friend:
            stranger.send(stranger.request("OPTIONS"))
            friend.send(friend.request("OPTIONS"))
            assert (await stranger.receive()).startswith("SIP/2.0 403 ")
            assert (await friend.receive()).startswith("SIP/2.0 200 ")
            # a call that a friend began goes on although its BYE comes from elsewhere
            friend.send(friend.request("INVITE", body=sdp()))
            await friend.receive()
            tag = re.search(r"To:.*;tag=(\w+)", await friend.receive())[1]
            friend.send(friend.request("ACK", to_tag=tag))
            await desk.until(Incoming)
            stranger.send(stranger.request("BYE", to_tag=tag, cseq=2, branch="z9hG4bKb2"))
            assert (await stranger.receive()).startswith("SIP/2.0 200 ")
            await desk.until(Ended)


async def test_calls_outside_the_list_fail_and_nothing_is_sent():
    async with desk_with(allow=ELSEWHERE) as desk:
        with Wire(desk.place) as wire:
            dialog = desk.agent.dial(f"sip:bob@127.0.0.1:{wire.port}", ALICE, sdp())
            await desk.until(Failed)
            await wire.receive_not()
        assert desk.events == [Failed(dialog, 403, "no calls are placed to 127.0.0.1")]


async def test_calls_by_a_name_are_judged_by_its_address():
    async with desk_with(allow=ELSEWHERE) as desk:
        dialog = desk.agent.dial("sip:bob@localhost", ALICE, sdp())
        await desk.until(Failed)
        assert desk.events == [Failed(dialog, 403, "no calls are placed to 127.0.0.1")]


async def test_a_proxy_that_is_named_takes_calls_anywhere():
    async with desk_with(allow=ELSEWHERE) as desk:
        with Wire(desk.place) as proxy:
            desk.agent.dial("sip:bob@pbx.invalid", ALICE, sdp(), outbound_proxy=f"sip:127.0.0.1:{proxy.port}")
            invite = await proxy.receive()
            assert invite.startswith("INVITE sip:bob@pbx.invalid SIP/2.0\r\n")
            # and what it sends back is taken
            kept = [line for line in invite.split("\r\n") if re.match("Via|From|Call-ID|CSeq", line)]
            to = next(line for line in invite.split("\r\n") if line.startswith("To:")) + ";tag=p"
            proxy.send("\n".join(["SIP/2.0 486 Busy Here", *kept, to, "Content-Length: 0", "", ""]))
            assert (await proxy.receive()).startswith("ACK ")
            assert len(await desk.until(Rejected)) == len(desk.events) == 1
