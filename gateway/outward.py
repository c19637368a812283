"""Connections to where somebody else says: to public addresses, and others only where that is allowed.

A name is resolved, its addresses are judged, and the connection goes to one that was judged: nobody can answer
otherwise in between (DNS rebinding). The name stays what TLS and ``Host`` know the server by.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence

import httpcore
import httpx

from gateway.reach import Address, Network, may_reach


class Forbidden(httpcore.ConnectError):
    """No address of a host may be connected to."""


class Outward(httpcore.AsyncNetworkBackend):
    """Opens the connections of a pool. ``allow``: networks that need not be public."""

    def __init__(self, allow: Sequence[Network]) -> None:
        self._allow = allow
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """To an address of ``host`` that may be reached. Raises Forbidden, httpcore's errors."""
        addresses = await _resolve(host, port, timeout)
        good = [each for each in addresses if may_reach(each, self._allow)]
        if not good:
            raise Forbidden(f"{host} is {addresses[0]}, where no connection may go")
        options = list(socket_options or ())
        for address in good[:-1]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(good[-1]), port, timeout, local_address, options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: object = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise Forbidden("no connection goes to a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """As every backend must."""
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int, seconds: float | None) -> list[Address]:
    """Every address of a name, in the order to be tried."""
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"{host} is not resolved in time") from None
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} is not resolved: {error}") from None
    # a zone id is a link's, and link-local
    return [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


class OutwardTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over ``Outward``; redirects are not followed, nor is a proxy of the environment asked."""

    def __init__(self, allow: Sequence[Network], limits: httpx.Limits) -> None:
        super().__init__(limits=limits, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Outward(allow),
        )
