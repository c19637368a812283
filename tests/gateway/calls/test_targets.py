"""Where RTP may go."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.targets import check_target
from gateway.errors import Refusal
from gateway.settings import Settings

WIDE = Settings(rtp_allow=("0.0.0.0/0", "::/0"), http_port=8080)
DEFAULT = Settings()
TEN = Settings(rtp_allow=("10.0.0.0/8",), rtp_addresses=("10.0.0.7", "::1"))

NOT_LITERAL = (
    "localhost",
    "example.com",
    "",
    "127.0.0.1:4000",
    "[::1]",
    "::1%lo",
    "fe80::1%eth0",
    "127.1",
    "2130706433",
    "0x7f000001",
    "127.0.0.01",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\n",
    "１２７.0.0.1",
    "a" * 10000,
)
NEVER = (
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "255.255.255.255",
    "169.254.1.1",
    "fe80::1",
    "febf::1",
    "::ffff:224.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:169.254.0.1",
    "::ffff:255.255.255.255",
)


def refusal(settings, address, port=4000, **more):
    with pytest.raises(Refusal) as caught:
        check_target(settings, address, port, **more)
    return caught.value


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_allowed_by_default(address):
    assert check_target(DEFAULT, address, 4000).is_loopback


@pytest.mark.parametrize("address", NOT_LITERAL)
def test_only_literal_addresses(address):
    caught = refusal(WIDE, address)
    assert (caught.code, caught.field, caught.kind.status) == ("invalid", "rtp.address", 422)
    assert len(caught.detail) < 300


@pytest.mark.parametrize("address", NEVER)
def test_never_whatever_the_list_says(address):
    caught = refusal(WIDE, address)
    assert (caught.code, caught.kind.status) == ("target_not_allowed", 403)
    assert "VOXTRUNK_RTP_ALLOW" in caught.detail


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "2001:db8::1", "8.8.8.8", "::ffff:10.1.2.3"])
def test_outside_the_list(address):
    assert refusal(DEFAULT, address).code == "target_not_allowed"
    assert "VOXTRUNK_RTP_ALLOW" in refusal(DEFAULT, address).detail


def test_the_broadcast_address_of_an_allowed_network():
    assert refusal(TEN, "10.255.255.255").code == "target_not_allowed"
    assert refusal(DEFAULT, "127.255.255.255").code == "target_not_allowed"
    single = Settings(rtp_allow=("10.1.2.3/32", "10.9.0.0/31"))
    assert str(check_target(single, "10.1.2.3", 4000)) == "10.1.2.3"
    assert str(check_target(single, "10.9.0.1", 4000)) == "10.9.0.1"


def test_a_mapped_network_allows_what_it_maps():
    mapped = Settings(rtp_allow=("::ffff:10.0.0.0/104",))
    assert str(check_target(mapped, "10.1.2.3", 4000)) == "10.1.2.3"
    assert refusal(mapped, "11.1.2.3").code == "target_not_allowed"


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
def test_bad_ports(port):
    for more, field in (({}, "rtp.port"), ({"rtcp_port": 4001}, "rtp.port")):
        caught = refusal(DEFAULT, "127.0.0.1", port, **more)
        assert (caught.code, caught.field) == ("invalid", field)
    caught = refusal(DEFAULT, "127.0.0.1", 4000, rtcp_port=port)
    assert (caught.code, caught.field) == ("invalid", "rtp.rtcp_port")


def test_the_last_port_has_no_next_one_for_rtcp():
    assert refusal(DEFAULT, "127.0.0.1", 65535).code == "invalid"
    check_target(DEFAULT, "127.0.0.1", 65535, rtcp_mux=True)
    check_target(DEFAULT, "127.0.0.1", 65535, rtcp_port=4000)


@pytest.mark.parametrize("port", [8080, 8079, 20000, 19999, 25000, 29999])
def test_the_gateways_own_ports_on_its_own_addresses(port):
    for settings, address in ((WIDE, "127.0.0.1"), (WIDE, "127.9.9.9"), (WIDE, "::1"), (TEN, "10.0.0.7")):
        assert refusal(settings, address, port).code == "target_not_allowed"
    check_target(TEN, "10.0.0.8", port)  # another machine's are its own affair
    assert refusal(WIDE, "127.0.0.1", 4000, rtcp_port=8080).code == "target_not_allowed"


def test_where_sip_and_grpc_are_listened_on_is_the_gateways_own():
    settings = Settings(
        rtp_allow=("10.0.0.0/8",), rtp_addresses=("10.0.0.7",), sip_listen=("10.0.0.9:5060",), grpc_port=50051
    )
    assert refusal(settings, "10.0.0.9", 5060).code == "target_not_allowed"
    assert refusal(settings, "10.0.0.7", 50051).code == "target_not_allowed"
    check_target(settings, "10.0.0.9", 20000)  # no leg listens there: who does is another
    check_target(settings, "10.0.0.8", 5060)


def test_muxed_rtcp_needs_no_second_port():
    check_target(WIDE, "127.0.0.1", 8079, rtcp_mux=True)
    check_target(WIDE, "127.0.0.1", 19999, rtcp_mux=True)


def verdict(settings, address, port):
    """The address to send to, or the code of the refusal."""
    try:
        return check_target(settings, address, port)
    except Refusal as caught:
        return caught.code


@given(st.ip_addresses(), st.integers(1, 65534))
def test_what_passes_is_in_the_list_and_of_a_kind_that_may_be_sent_to(address, port):
    for settings in (WIDE, DEFAULT, TEN):
        target = verdict(settings, str(address), port)
        if target != "target_not_allowed":
            assert any(target in network for network in settings.rtp_allow)
            assert not any((target.is_multicast, target.is_unspecified, target.is_link_local))
            assert str(target) != "255.255.255.255"


@given(st.ip_addresses(v=4), st.integers(1, 65534))
def test_a_mapped_address_is_judged_as_what_it_is(address, port):
    assert verdict(WIDE, f"::ffff:{address}", port) == verdict(WIDE, str(address), port)


@given(st.text(max_size=80), st.integers(-(2**40), 2**40))
def test_any_text_and_number_is_answered(text, port):
    target = verdict(WIDE, text, port)
    if target not in ("invalid", "target_not_allowed"):
        assert (
            str(target) in str(ipaddress.ip_address(text)) or ipaddress.ip_address(text).ipv4_mapped == target
        )
