"""What the adapter is told at its start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from sip_glue.uri import SipUri, check_udp, parse_uri

Network: TypeAlias = IPv4Network | IPv6Network


_literal = lru_cache(maxsize=4096)(ipaddress.ip_address)  # the same few peers, several times a call


@dataclass(frozen=True, slots=True)
class Listen:
    """A local UDP address. ``advertise`` is what Via and Contact say instead of it (a host behind 1:1 NAT)."""

    host: str
    port: int = 5060
    advertise: str | None = None

    def __post_init__(self) -> None:
        address = ipaddress.ip_address(self.host)
        if address.is_unspecified and self.advertise is None:
            raise ValueError(
                f"{self.host}: peers cannot reach this; listen on an address or name `advertise`"
            )
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: take one in 0-65535")

    @property
    def version(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.host).version


@dataclass(frozen=True, slots=True)
class Credentials:
    """For digest authentication (RFC 8760 with SHA-256, or RFC 2617's MD5), as the peer asks."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A registration to keep. ``address`` is the address of record, ``sip:100@pbx.example``.

    The REGISTER goes to ``proxy`` when there is one, else to the host of ``address``.
    """

    address: str
    credentials: Credentials | None = None
    proxy: str | None = None
    expires: int = 300

    def __post_init__(self) -> None:
        if parse_uri(self.address).user is None:
            raise ValueError(f"{self.address}: an account's address has a user")
        if self.proxy is not None:
            check_udp(parse_uri(self.proxy))
        check_udp(self.uri)
        if not 30 <= self.expires <= 86400:
            raise ValueError(f"expires {self.expires}: take one in 30-86400")

    @property
    def uri(self) -> SipUri:
        """The address of record, read."""
        return parse_uri(self.address)


@dataclass(frozen=True, slots=True)
class SipConfig:
    """The adapter's settings.

    ``allow``: networks that requests are taken from, beside those within open dialogs, and that calls go to,
    beside those through a proxy that is named for them. Registrars are the operator's word and need no leave.
    ``max_pending`` bounds INVITEs not yet answered and ``max_dialogs`` all open dialogs; beyond either an INVITE
    gets 503 with ``retry_after`` seconds and costs no memory. ``ack_seconds`` (RFC 3261 timer H, 64 x T1) is how
    long a 200 is repeated for want of an ACK, ``linger_seconds`` how long at least a call that is over is known.
    """

    listen: tuple[Listen, ...]
    allow: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    accounts: tuple[Account, ...] = ()
    contact_user: str = "voxtrunk"
    product: str = "Voxtrunk"
    max_pending: int = 512
    max_dialogs: int = 20_000
    retry_after: int = 5
    ack_seconds: float = 32.0
    linger_seconds: float = 32.0
    stop_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen: name at least one address")

    def allows(self, host: str) -> bool:
        """Whether a literal address, IPv6 with or without brackets, is in ``allow``."""
        address = _literal(host.strip("[]"))
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.allow)
