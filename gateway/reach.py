"""Which addresses somebody else may have us connect to: public ones, and others only where that is allowed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

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
