"""The policy for RTP targets: where the gateway may send. One place, for every way in which a leg is opened.

RTP goes to a literal IP address inside VOXTRUNK_RTP_ALLOW and nowhere else: names are not looked up, since an
answer may change after it was judged. An IPv4-mapped IPv6 address is judged as the IPv4 address that it is.
Whatever the list says, never to multicast, broadcast, unspecified or link-local addresses, nor to the ports
that the gateway itself listens on, where its legs would talk to each other or to the API.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gateway.errors import Refusal
from gateway.settings import Settings

Address = IPv4Address | IPv6Address
_literal = lru_cache(maxsize=4096)(ipaddress.ip_address)  # the same few peers, several times a call
_BROADCAST = IPv4Address("255.255.255.255")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
"""RFC 1122 3.2.1.3: "this host on this network", never a destination; Linux delivers 0.0.0.0 to loopback."""


def parse_address(address: str) -> Address:
    """A literal IPv4 or IPv6 address, unmapped. Refusal ``invalid`` for a name or a zone id."""
    if "%" in address:
        raise Refusal("invalid", "Leave out the zone id; link-local targets are refused", field="rtp.address")
    try:
        parsed = _literal(address)
    except ValueError:
        detail = f"{address[:64]!r} is not a literal IPv4 or IPv6 address; names are not looked up"
        raise Refusal("invalid", detail, field="rtp.address") from None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def check_target(
    settings: Settings,
    address: str,
    port: int,
    rtcp_port: int | None = None,
    *,
    rtcp_mux: bool = False,
    owner_allow: Sequence[IPv4Network | IPv6Network] = (),
) -> Address:
    """The address to send to, if RTP may go there. Refusals ``invalid`` (422), ``target_not_allowed`` (403).

    RTCP goes to ``rtcp_port`` if given, to ``port`` if muxed, else to the next (RFC 3550 11), and meets the
    same policy. ``owner_allow`` narrows it where it names any network: it is the key's, whose call it is.
    """
    target = parse_address(address)
    if not 1 <= port <= 65535:
        raise Refusal("invalid", f"A port is 1 to 65535, not {port}", field="rtp.port")
    rtcp = rtcp_port if rtcp_port is not None else port if rtcp_mux else port + 1
    if not 1 <= rtcp <= 65535:
        detail = f"RTCP would go to port {rtcp}; set rtcp_port to 1 to 65535, or rtcp_mux"
        raise Refusal("invalid", detail, field="rtp.port" if rtcp_port is None else "rtp.rtcp_port")
    kind = _never(target)
    if kind:
        raise _refused(target, f"is {kind}, which no setting allows; VOXTRUNK_RTP_ALLOW lists what is")
    allowed = [network for network in map(_unmapped, settings.rtp_allow) if target in network]
    if not allowed:
        raise _refused(target, "is outside VOXTRUNK_RTP_ALLOW")
    if owner_allow and not any(target in network for network in map(_unmapped, owner_allow)):
        raise _refused(target, "is outside what this key may send to (`rtp_allow` in VOXTRUNK_API_KEYS_FILE)")
    if any(target == network.broadcast_address and _has_broadcast(network) for network in allowed):
        raise _refused(target, "is a broadcast address of VOXTRUNK_RTP_ALLOW")
    for number in (port, rtcp):
        if _is_own(settings, target, number):
            raise _refused(target, f"port {number} is the gateway's own, whatever VOXTRUNK_RTP_ALLOW says")
    return target


def _refused(target: Address, why: str) -> Refusal:
    return Refusal("target_not_allowed", f"{target} {why}", field="rtp.address")


def _never(target: Address) -> str | None:
    """What kind of address it is, if RTP never goes to that kind."""
    if target.is_unspecified or target in _THIS_NETWORK:
        return "unspecified"
    if target.is_multicast:
        return "multicast"
    if target == _BROADCAST:
        return "broadcast"
    return "link-local" if target.is_link_local else None


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """``::ffff:10.0.0.0/104`` allows what ``10.0.0.0/8`` does."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def _has_broadcast(network: IPv4Network | IPv6Network) -> bool:
    """IPv6 has none, nor have point-to-point links (RFC 3021) and single hosts."""
    return isinstance(network, IPv4Network) and network.prefixlen <= 30


def _is_own(settings: Settings, target: Address, port: int) -> bool:
    """Whether the gateway listens there, or may: where it speaks RTP and HTTP, no port of its own is a target."""
    if (target, port) in settings.sip_listen:
        return True
    here = target.is_loopback or str(target) == settings.http_host or target in settings.rtp_addresses
    first, last = settings.rtp_ports
    named = {settings.http_port, settings.grpc_port, *(own for _, own in settings.sip_listen)}
    return here and (port in named or first <= port <= last)
