"""Where connections go that somebody else asks for: never to a private address, by whatever name or notation."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outward import OutwardTransport
from gateway.reach import may_reach

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "0.0.0.0",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "203.0.113.7", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1",
        "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_no_private_address_is_reached(address: str) -> None:
    assert not may_reach(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::808:808"]
)
def test_a_public_one_is(address: str) -> None:
    assert may_reach(ipaddress.ip_address(address), ())


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.sampled_from(["{}", "::ffff:{}", "64:ff9b::{}"]))
def test_what_is_allowed_is_in_every_notation(address: ipaddress.IPv4Address, notation: str) -> None:
    written = ipaddress.ip_address(notation.format(address))
    assert not may_reach(written, LOOPBACK)
    assert may_reach(written, [ipaddress.ip_network("10.0.0.0/8")])


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    """Counts who connects; answers 200."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        where = b"location: http://127.0.0.1:1/\r\n" if b"/moved" in head else b""
        status = b"302 Found" if where else b"200 OK"
        writer.write(
            b"HTTP/1.1 " + status + b"\r\n" + where + b"content-length: 0\r\nconnection: close\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], seen


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to these addresses, one list after the other; what was asked for."""
    asked: list[str] = []
    left = list(answers)

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        if not found:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", getaddrinfo)
    return asked


def client(allow: Any = ()) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=OutwardTransport(allow, httpx.Limits()), timeout=2)


async def test_a_name_of_a_private_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    port, seen = server
    resolving(monkeypatch, ["127.0.0.1", "10.0.0.7"])
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match=r"hook\.example is 127\.0\.0\.1, where no connection"):
            await http.post(f"http://hook.example:{port}/")
    assert seen == []


async def test_the_address_that_was_judged_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    """DNS that answers otherwise the second time (rebinding) is not asked a second time."""
    port, seen = server
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    async with client(LOOPBACK) as http:
        assert (await http.post(f"http://hook.example:{port}/")).status_code == 200
    assert asked == ["hook.example"]
    assert f"host: hook.example:{port}".encode() in seen[0].lower()


async def test_of_several_addresses_those_that_may_be_are_tried(
    monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    port, seen = server
    resolving(monkeypatch, ["10.0.0.1", "127.0.0.2", "127.0.0.1"])  # nobody listens at the second
    async with client(LOOPBACK) as http:
        assert (await http.post(f"http://hook.example:{port}/")).status_code == 200
    assert len(seen) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_a_literal_in_any_notation_is_judged(server: Any, host: str) -> None:
    port, seen = server
    async with client() as http:
        with pytest.raises((httpx.ConnectError, httpx.InvalidURL)):
            await http.post(f"http://{host}:{port}/")
    assert seen == []


async def test_a_redirect_is_not_followed(server: Any) -> None:
    port, seen = server
    async with client(LOOPBACK) as http:
        assert (await http.post(f"http://127.0.0.1:{port}/moved")).status_code == 302
    assert len(seen) == 1


async def test_a_name_that_nobody_knows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, [])
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match="not resolved"):
            await http.get("http://nobody.example/")
