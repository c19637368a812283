"""Registering, and calls through a record-routing Kamailio."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from sip_glue.config import Account, Credentials, Listen
from sip_glue.events import Answered, Ended, Incoming, Registered, Rejected, Unregistered, header

from .conftest import HERE, OVER, Sipp, Wire, desk_with, found, free_port, sdp, sipp


@contextlib.asynccontextmanager
async def kamailio(folder: Path):
    """A running Kamailio; yields its port."""
    port = free_port()
    config = folder / "kamailio.cfg"
    config.write_text((HERE / "kamailio.cfg").read_text().replace("@PORT@", str(port)))
    process = await asyncio.create_subprocess_exec(
        found("kamailio"), "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = asyncio.create_task(process.communicate())
    try:
        with Wire(("127.0.0.1", port)) as wire:
            async with asyncio.timeout(15):
                while process.returncode is None:
                    wire.send(wire.request("OPTIONS", uri=f"sip:127.0.0.1:{port}"))
                    with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                        await wire.receive(0.1)
                        break
        assert process.returncode is None, (await output)[0].decode()
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await output


def account(port: int, password: str = "wonder") -> Account:
    return Account(f"sip:100@127.0.0.1:{port}", Credentials("100", password), expires=60)


async def test_registered_at_kamailio_called_and_calling_through_it(tmp_path):
    async with kamailio(tmp_path) as port, desk_with(accounts=(account(port),), stop_seconds=5.0) as desk:
        (registered,) = await desk.until(Registered)
        assert registered == Registered(f"sip:100@127.0.0.1:{port}", 60)
        # in, ended by the caller; in, ended by us: every request within goes through the proxy
        async with Sipp(tmp_path, "call", f"127.0.0.1:{port}", "-m", 20, "-r", 50, "-s", "100") as run:
            await run.well()
        await desk.until(Ended, 20)
        desk.incoming = lambda call: (
            desk.agent.accept(call.dialog, sdp()),
            desk.agent.hangup(call.dialog, (("Reason", "Q.850;cause=16"),)),
        )
        async with Sipp(tmp_path, "we_hang_up", f"127.0.0.1:{port}", "-m", 20, "-r", 50, "-s", "100") as run:
            await run.well()
        for call in desk.seen(Incoming):
            assert header(call.headers, "Record-Route").startswith(f"<sip:127.0.0.1:{port};lr")
        # out, through the proxy, which asks for credentials
        async with Sipp(tmp_path, "answers", "-m", 1) as peer:
            dialog = desk.agent.dial(
                f"sip:bob@127.0.0.1:{peer.port}", f"sip:100@127.0.0.1:{port}", sdp(),
                headers=(("X-Campaign", "spring"),), auth=Credentials("100", "wonder"),
                outbound_proxy=f"sip:127.0.0.1:{port}",
            )  # fmt: skip
            assert (await desk.until(Answered))[0].dialog == dialog
            desk.agent.hangup(dialog)
            await peer.well()
        desk.one_end_each()
        # nobody there
        dialog = desk.agent.dial(
            f"sip:200@127.0.0.1:{port}", f"sip:100@127.0.0.1:{port}", sdp(), auth=Credentials("100", "wonder")
        )
        await desk.until(Rejected)
        assert desk.seen(Rejected) == [Rejected(dialog, 404, "Not registered")]
        await desk.agent.stop()
        assert desk.events[-1] == Unregistered(f"sip:100@127.0.0.1:{port}", 200, "closed", None)


async def test_a_wrong_password_is_reported_and_tried_again_later(tmp_path):
    async with kamailio(tmp_path) as port, desk_with(accounts=(account(port, "guess"),)) as desk:
        (failed,) = await desk.until(Unregistered)
        assert (failed.code, failed.reason) == (401, "Unauthorized")
        assert 1.0 <= failed.retry_seconds <= 2.0


def answer_to(request: str, code: int, *extra: str) -> bytes:
    """A registrar's answer."""
    kept = [
        line
        for line in request.split("\r\n")
        if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))
    ]
    return "\r\n".join([f"SIP/2.0 {code} Whatever", *kept, *extra, "Content-Length: 0", "", ""]).encode()


async def test_what_the_registrar_grants_is_refreshed_in_time():
    with Wire(("", 0)) as registrar:
        account = Account("sip:100@pbx.invalid", proxy=f"sip:127.0.0.1:{registrar.port}", expires=300)
        async with desk_with(accounts=(account,)) as desk:
            registrar.place = desk.place
            first = await registrar.receive()
            assert first.startswith("REGISTER sip:pbx.invalid SIP/2.0\r\n")
            contact = re.search(r"Contact: (<.*>);expires=300\r\n", first)[1]
            # too brief for this registrar (RFC 3261 10.2.8)
            registrar.send(answer_to(first, 423, "Min-Expires: 400"))
            second = await registrar.receive()
            assert f"Contact: {contact};expires=400\r\n" in second
            # ours is one contact of several in its answer
            registrar.send(
                answer_to(second, 200, f"Contact: <sip:100@192.0.2.1>;expires=99, {contact};expires=1")
            )
            (registered,) = await desk.until(Registered)
            assert registered.seconds == 1
            refresh = await registrar.receive(1.0)
            assert numbers(refresh) == (numbers(first)[0], numbers(first)[1] + 2)
            registrar.send(answer_to(refresh, 200, f"Contact: {contact};expires=1"))
            again = await registrar.receive(1.0)
            # lost, then refused: reported, and tried again
            registrar.send(answer_to(again, 503))
            (lost,) = await desk.until(Unregistered)
            assert lost.code == 503
            third = await registrar.receive(3.0)
            registrar.send(answer_to(third, 200, f"Contact: {contact};expires=60"))
            await desk.until(Registered, 2)
            stopping = asyncio.create_task(desk.agent.stop())
            last = await registrar.receive()
            assert f"Contact: {contact};expires=0\r\n" in last
            registrar.send(answer_to(last, 200))
            await stopping


async def test_a_registrar_that_names_a_time_is_left_alone_until_then():
    with Wire(("", 0)) as registrar:
        account = Account("sip:100@pbx.invalid", proxy=f"sip:127.0.0.1:{registrar.port}")
        async with desk_with(accounts=(account,)) as desk:
            registrar.place = desk.place
            registrar.send(
                answer_to(await registrar.receive(), 503, "Retry-After: 120 (maintenance);duration=9")
            )
            (refused,) = await desk.until(Unregistered)
            assert (refused.code, refused.retry_seconds) == (503, 120)


async def test_what_is_granted_while_we_close_is_given_back():
    with Wire(("", 0)) as registrar:
        account = Account("sip:100@pbx.invalid", proxy=f"sip:127.0.0.1:{registrar.port}")
        async with desk_with(accounts=(account,)) as desk:
            registrar.place = desk.place
            first = await registrar.receive()
            stopping = asyncio.create_task(desk.agent.stop())
            await asyncio.sleep(0)
            registrar.send(answer_to(first, 200, "Expires: 300"))
            last = await registrar.receive()
            assert "Expires: 0\r\n" in last
            registrar.send(answer_to(last, 200))
            await stopping
            assert desk.events[-1] == Unregistered("sip:100@pbx.invalid", 200, "closed", None)


def numbers(request: str) -> tuple[str, int]:
    """Call-ID and CSeq."""
    return re.search(r"Call-ID: (\S+)", request)[1], int(re.search(r"CSeq: (\d+)", request)[1])


async def test_an_account_that_no_address_reaches():
    account = Account("sip:100@[::1]")
    async with desk_with(Listen("127.0.0.1", 0), accounts=(account,)) as desk:
        (failed,) = await desk.until(Unregistered)
        assert (failed.code, failed.retry_seconds) == (503, None)


@pytest.mark.parametrize("method", ["call", "late_offer"])
async def test_through_the_proxy_without_registration(tmp_path, method):
    async with kamailio(tmp_path) as port, desk_with() as desk:
        host, ours = desk.place
        await sipp(tmp_path, method, desk, "-rsa", f"127.0.0.1:{port}", calls=5)
        assert len(desk.seen(Incoming)) == len(desk.seen(OVER)) == 5
        assert all(call.request_uri == f"sip:service@{host}:{ours}" for call in desk.seen(Incoming))
