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
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

import httpcore
import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4: Final = 0xFFFFFFFF
_SPECIAL: Final = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16"))
)
"""What Pythons of different age judge differently, of the IANA special-purpose registries."""


def inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64 (RFC 4291, 3056, 4380, 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Whether anybody's server may be there: globally reachable (RFC 6890), and one host's."""
    address = inner(address)
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_link_local
        or any(address in network for network in _SPECIAL)
    )


def may_reach(address: Address, allow: Iterable[Network]) -> bool:
    """Whether a connection may go there: it is public, or in a network that is allowed."""
    return is_public(address) or any(inner(address) in network for network in allow)


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
