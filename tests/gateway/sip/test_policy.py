"""What an INVITE meets, and how refusals are put."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import KINDS, Refusal
from gateway.settings import Settings
from gateway.sip.policy import REASONS, Declined, Plan, decline, plan_for
from sip_glue.agent import _checked, _code, _phrase
from sip_glue.events import Incoming
from sip_glue.sdp import NotAcceptable, SdpError

SAYS = (("X-Voxtrunk-Say", "Hello"), ("X-Voxtrunk-Voice", "espeak:de"))


def invite(headers=(), uri="sip:x@h"):
    return Incoming("d", "i", "sip:a@b", "sip:c@d", uri, headers, None)


@pytest.mark.parametrize(
    ("settings", "headers", "plan"),
    [
        ({}, (), Plan("answer")),
        ({"sip_greeting": "Hi"}, (), Plan("answer", "Hi")),
        ({"sip_greeting": "Hi", "sip_hang_up": True}, (), Plan("answer", "Hi", hang_up=True)),
        ({"sip_incoming": "ring"}, (), Plan("ring")),
        ({"sip_incoming": "ring", "sip_early_media": True}, (), Plan("ring", early=True)),
        ({}, SAYS, Plan("answer", "Hello", "espeak:de", hang_up=True)),
        ({"sip_incoming": "reject"}, SAYS, Plan("answer", "Hello", "espeak:de", hang_up=True)),
        ({"sip_say": False}, SAYS, Plan("answer")),
    ],
)
def test_plans(settings, headers, plan):
    assert plan_for(Settings(**settings), invite(headers)) == plan


def test_an_announcement_in_the_uri():
    assert plan_for(Settings(), invite(uri="sip:x@h;say=Hi%20there")) == Plan(
        "answer", "Hi there", hang_up=True
    )


@pytest.mark.parametrize("code", [480, 486, 603])
def test_rejections(code):
    with pytest.raises(Declined) as declined:
        plan_for(Settings(sip_incoming="reject", sip_reject_code=code), invite())
    assert (declined.value.code, declined.value.reason) == (code, REASONS[code])
    assert declined.value.headers == ()


def test_an_announcement_that_cannot_be_read():
    with pytest.raises(Declined) as declined:
        plan_for(Settings(), invite(uri="sip:x@h;say=%zz"))
    assert declined.value.code == 400
    ((name, value),) = declined.value.headers
    assert (name, value[:15]) == ("Warning", '399 voxtrunk "' + value[14])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SdpError("no v= line"), 400),
        (NotAcceptable("m=audio 1 RTP/SAVP: no"), 488),
        (Refusal("target_not_allowed", "no"), 403),
        (Refusal("at_capacity", "full", retry_after=5), 503),
        (Refusal("draining", "going", retry_after=30), 503),
        (Refusal("unknown_voice", "no voice"), 400),
    ],
)
def test_what_could_not_be_done(error, code):
    refused = decline(error)
    assert refused.code == code
    retry = dict(refused.headers).get("Retry-After")
    assert retry == (None if code != 503 else str(error.retry_after))


@pytest.mark.parametrize("code", KINDS)
def test_every_refusal_has_a_sip_answer_that_can_be_sent(code):
    assert_sendable(decline(Refusal(code, "why", retry_after=7)))


@given(st.text(), st.sampled_from([SdpError, NotAcceptable, lambda why: Refusal("invalid", why)]))
def test_whatever_a_peer_wrote_its_refusal_can_be_sent(why, error):
    refused = decline(error(why))
    assert_sendable(refused)
    for name, value in refused.headers:
        assert name == "Warning"
        assert value.isascii()
        assert value.startswith('399 voxtrunk "')
        assert value.endswith('"')
        assert not set(value[14:-1]) & set('"\\\r\n')


def assert_sendable(refused):
    """As the adapter sees it."""
    assert _checked(refused.headers) == refused.headers
    assert _code(refused.code) == refused.code
    assert _phrase(refused.reason) == refused.reason
